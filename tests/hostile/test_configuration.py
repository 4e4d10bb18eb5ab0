"""A wrong configuration stops the start with file, line, key and what may have been meant; nothing is opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk import app
from kiosk.api import hookimpl
from kiosk.errors import ConfigError
from kiosk.plugins import manager
from kiosk.plugins.declarations import ServiceDeclaration
from tests.app.live_kiosk import LiveKiosk, live_kiosk, run_kiosk


@pytest.fixture(scope="module")
def good() -> Iterator[LiveKiosk]:
    import shutil

    kiosk = LiveKiosk()
    yield kiosk
    shutil.rmtree(kiosk.root)


def put(old: str, new: str) -> Callable[[str], str]:
    """Replace one text by another, which must be there."""

    def change(text: str) -> str:
        assert re.search(old, text), old
        return re.sub(old, lambda _: new, text, count=1)

    return change


#: Name -> (change, words of the problem, words of the hint).
WRONG: dict[str, tuple[Callable[[str], str], str, str]] = {
    "unknown key": (put('realm = "demo"', 'relm = "demo"'), "relm", "did you mean `realm`"),
    "unknown section": (put(r"\[checkout.periods\]", "[chekout.periods]"), "chekout", "did you mean `checkout`"),
    "text for a list": (put(r'languages = \[.*\]', 'languages = "en"'), "kiosk.languages: Expected", ""),
    "text for a number": (put(r"port = \d+", 'port = "eighty"'), "screen.port: Expected `int`, got `str`", ""),
    "truth for a number": (put(r"port = \d+", "port = true"), "screen.port: Expected `int`, got `bool`", ""),
    "fraction": (put("accepting = 12", "accepting = 12.5"), "checkout.periods.accepting", ""),
    "nested unknown key": (put("accepting = 12", "acceptng = 12"), "acceptng", "did you mean `accepting`"),
    "key of a device": (put('driver = "id003_acceptor"', 'drivr = "x"'), "drivr", "did you mean `driver`"),
    "type in the third device": (put(r'name = "scanner"', "name = 3"), "device[2].name: Expected `str`", ""),
    "key of a line": (put(r"driver = \"line_scanner\"\nline = \{ port", 'driver = "line_scanner"\nline = { prt'),
                      "'prt'", "did you mean 'port'"),
    "option of a driver": (put("options = { profile", "options = { profil"), "'profil'", "did you mean 'profile'"),
    "type of an option": (put('driver = "line_scanner"', 'driver = "line_scanner"\noptions = { min_length = "3" }'),
                          "min_length", ""),
    "unknown driver": (put('"id003_acceptor"', '"id003_aceptor"'), "id003_aceptor", "did you mean 'id003_acceptor'"),
    "unknown profile": (put("epson-tm-t20iii", "epson"), "no printer profile 'epson'", "epson-tm-t20iii"),
    "not TOML": (put(r"\[paths\]", "[paths"), "line 9", ""),
    "NUL": (put(r"\Z", "\0"), "is not TOML", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", list(WRONG))
def test_what_is_wrong_is_told_with_file_line_key_and_the_nearest_key(good: LiveKiosk, name: str) -> None:
    change, problem, hint = WRONG[name]
    file = good.root / "wrong.toml"
    file.write_text(change(good.directory.config.read_text("utf-8")), "utf-8")
    with pytest.raises(ConfigError) as told:
        app.load(file)
    assert str(file) in told.value.message
    assert re.search(r"line \d+", told.value.message)
    assert problem in told.value.message
    assert hint in told.value.hint
    assert told.value.hint
    before, after = good.directory.config.read_text("utf-8").split("\n"), file.read_text("utf-8").split("\n")
    changed = [at for at, line in enumerate(after, 1) if line not in before]
    number = int(re.search(r"line (\d+)", told.value.message)[1])  # type: ignore[index]
    assert number in changed or (name == "NUL" and number == len(after))


#: Files that hold a value which no kiosk can have, or are no configuration at all.
UNUSABLE = {
    "kiosk id": put('id = "K07"', 'id = "../../x"'),
    "realm": put('realm = "demo"', 'realm = "moon"'),
    "currency": put('"USD"', '"XXQ"'),
    "language": put('"es"', '"xx"'),
    "period": put("accepting = 12", "accepting = 0"),
    "public address": put(r"\[screen\]", '[screen]\nhost = "0.0.0.0"'),
}


@pytest.mark.parametrize("name", list(UNUSABLE))
def test_a_value_that_cannot_be_is_refused_with_the_file(good: LiveKiosk, name: str) -> None:
    file = good.root / "wrong.toml"
    file.write_text(UNUSABLE[name](good.directory.config.read_text("utf-8")), "utf-8")
    with pytest.raises(ConfigError) as told:
        app.load(file)
    assert str(file) in told.value.message
    assert told.value.hint


@pytest.mark.parametrize("content", [b"\xff\xfe\x00k", b"#" * (1 << 21), None], ids=["binary", "2 MiB", "missing"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "kiosk.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as told:
        app.load(file)
    assert str(file) in told.value.message


def test_the_command_ends_with_one_clear_line_and_exit_code_1_and_makes_nothing(good: LiveKiosk) -> None:
    file = good.root / "wrong.toml"
    file.write_text(put('realm = "demo"', 'relm = "demo"')(good.directory.config.read_text("utf-8")), "utf-8")
    done = run_kiosk("run", "--config", str(file))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "relm" in done.stderr
    assert "did you mean `realm`" in done.stderr
    assert not (good.directory.runtime / "core.sock").exists()
    assert not good.directory.journal.exists()


def test_a_plugin_whose_service_does_not_load_is_set_apart_and_the_citys_services_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Permits:
        @hookimpl
        def kiosk_services(self) -> list[ServiceDeclaration]:
            return [ServiceDeclaration("permits", "this is [not TOML"), ServiceDeclaration("taxes", "nothing = 1")]

    monkeypatch.setattr(
        manager, "installed_plugins", lambda: [manager.Candidate("permits", "1", "stranger", lambda: Permits)]
    )
    with live_kiosk() as kiosk:
        told = {name: (status, reason) for name, status, reason in kiosk.health()["plugins"]}
        assert told["service permits"][0] == told["service taxes"][0] == "quarantined"
        assert "TOML" in told["service permits"][1]
        assert kiosk.to_accepting()["screen"] == "accepting"
