"""``kiosk wire``: field work on a line: explain captured bytes, record a device's traffic, play a recording again."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kiosk.cli.options import clean, config_option
from kiosk.cli.places import places
from kiosk.errors import FrameError

if TYPE_CHECKING:
    from kiosk.protocols.explained import Explained, Keys

#: Longest frame that is looked at; the longest of any protocol is below 1 kB.
MAX_FRAME = 4096
_PROTOCOLS = ("id003", "ccnet", "ebds", "ssp", "cctalk")
#: Classes whose traffic is what people showed the device: a recorder keeps no byte of it, so there is nothing to write.
_PRIVATE = ("Scanner",)


@click.group()
def wire() -> None:
    """Explain, record and replay what passes between the kiosk and a device."""


@wire.command(short_help="Explain captured frames.")
@click.argument("protocol", type=click.Choice(_PROTOCOLS, case_sensitive=False))
@click.option("--from", "sender", type=click.Choice(["host", "device"]), required=True, help="Who sent the frames.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, in the order given.")
@click.option("--key", help="eSSP session key (32 hexadecimal digits), or the six digits of a ccTalk note acceptor.")
@click.option(
    "--checksum",
    type=click.Choice(["simple", "crc"]),
    default="simple",
    show_default=True,
    help="What the ccTalk unit is set to; nothing in a frame tells it.",
)
@click.argument("frames", metavar="HEX...", nargs=-1, required=True)
def decode(protocol: str, sender: str, as_json: bool, key: str | None, checksum: str, frames: tuple[str, ...]) -> None:
    """Explain captured frames. Each HEX is one frame, in quotation marks if it has spaces: "FC 05 11 27 56".

    Of an encrypted eSSP frame --key tells the command in it; without it only the frame is checked. Exit code 1 if a
    frame is not valid.
    """
    import msgspec

    keys = _keys(protocol, key, checksum)
    whole = True
    for text in frames:
        told = _explained(protocol, sender, text, keys)
        whole = whole and told.valid
        click.echo(msgspec.json.encode(told).decode() if as_json else _in_words(text, told))
    if len(frames) > 1 and all(len(_digits(text)) == 2 for text in frames):
        click.echo('each argument is one frame: put a frame with spaces in quotation marks, "FC 05 11 27 56"', err=True)
    click.get_current_context().exit(0 if whole else 1)


def _keys(protocol: str, key: str | None, checksum: str) -> Keys:
    from kiosk.protocols.explained import Keys

    if key is None:
        return Keys(checksum=checksum)  # type: ignore[arg-type]
    if protocol == "ssp" and re.fullmatch(r"(?:[0-9A-Fa-f]{2}\s*){16}", key):
        return Keys(essp=bytes.fromhex(key))
    if protocol == "cctalk" and re.fullmatch(r"[0-9]{6}", key):
        return Keys(cctalk=key, checksum="crc")  # encrypted frames are always CRC frames (ccTalk sheet §12)
    wants = {"ssp": "16 bytes in hexadecimal", "cctalk": "six digits"}.get(protocol)
    raise click.BadParameter(
        f"a key of {protocol} is {wants}." if wants else f"{protocol} has no keys.", param_hint="--key"
    )


def _explained(protocol: str, sender: str, text: str, keys: Keys) -> Explained:
    from kiosk.protocols.explained import explain, refused

    digits = _digits(text)
    strange = re.search(r"[^0-9A-Fa-f]", digits)
    if strange is not None:
        return refused(f"{strange[0]!a} is no hexadecimal digit")
    if not digits or len(digits) % 2:
        return refused(f"not whole bytes: {len(digits)} hexadecimal digits, a byte has two")
    if len(digits) > 2 * MAX_FRAME:
        return refused(f"longer than any frame: {len(digits) // 2} bytes")
    return explain(protocol, bytes.fromhex(digits), sender, keys)  # type: ignore[arg-type]


def _digits(text: str) -> str:
    return re.sub(r"[\s:,-]|0[xX]", "", text)


def _in_words(text: str, told: Explained) -> str:
    head = click.style(told.name, bold=True) if told.valid else click.style(f"not valid: {told.error}", fg="red")
    lines = [f"{clean(text)[:80]}  {head}"]
    lines += [f"    {name}: {clean(_field(value))}" for name, value in told.fields.items()]
    return "\n".join(lines)


def _field(value: Any) -> str:
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


@wire.command(short_help="Record a device's line of the running kiosk into a file.")
@click.argument("device")
@config_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; DEVICE.wire by default.")
@click.option("--seconds", type=click.IntRange(1, 86_400), help="Stop after this; otherwise Ctrl-C stops.")
@click.option(
    "--ring", type=click.IntRange(16, 32_768), default=1024, show_default=True, help="KiB kept; the oldest go first."
)
def record(device: str, config_file: Path, out: Path | None, seconds: int | None, ring: int) -> None:
    """Record what passes on the line of DEVICE of the running kiosk into a bounded ring, and write it to a file.

    A recording to play again must hold the driver's own start: unplug and replug the device while it runs.
    """
    from kiosk.cli.wire_recording import record_line
    from kiosk.core.control import call

    file = out or Path(f"{device}.wire")
    if not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise click.BadParameter(f"no file can be written in {file.parent.resolve()}.", param_hint="--out")
    control = places(config_file).control
    about = call(control, "record", {"device": device, "on": True})
    if about["class"] in _PRIVATE:
        if not about["was_on"]:
            call(control, "record", {"device": device, "on": False})
        raise click.UsageError(f"{device} is a scanner: what it reads is private and never kept, only its length.")
    record_line(control, about, file, seconds, ring * 1024)


@wire.command(short_help="Play a recording to a fresh driver, or make a test of it.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--driver", help="Play it to this driver instead of the one that was recorded.")
@click.option("--test", "test_file", type=click.Path(dir_okay=False, path_type=Path), help="Write a pytest file of it.")
def replay(file: Path, driver: str | None, test_file: Path | None) -> None:
    """Play the recording FILE to a fresh driver on a virtual clock and tell what the driver says, one event a line."""
    import msgspec

    from kiosk.cli.wire_recording import pytest_of
    from kiosk.plugins.manager import load_plugins
    from kiosk.plugins.recording import read_recording
    from kiosk.plugins.replay import in_words
    from kiosk.plugins.replay import replay as play

    recording = read_recording(file.read_bytes(), source=str(file))
    if driver:
        about = msgspec.structs.replace(recording.about, driver=driver, options={})
        recording = msgspec.structs.replace(recording, about=about)
    if not recording.whole:
        click.echo(
            "the recording begins in the middle: the driver asks what nobody answers and tells faults that were none\n"
            "  → unplug and replug the device while you record", err=True,
        )  # fmt: skip
    told = play(recording, load_plugins().drivers)
    for each in told:
        click.echo(in_words(each))
    if test_file is not None:
        if test_file.exists():
            raise FrameError(f"{test_file} is there already", hint="name a file that is not")
        test_file.write_text(pytest_of(recording, [in_words(each) for each in told], file.name), "utf-8")
        click.echo(f"{test_file}: {len(told)} events to hold the driver to", err=True)
