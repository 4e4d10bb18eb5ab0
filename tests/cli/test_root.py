"""The command line by itself: quick, plain, and never a traceback for what people type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from kiosk.cli import root
from kiosk.cli.machine import Machine
from kiosk.errors import ControlError, JournalError
from tests.cli.conftest import Run

ROOT = Path(__file__).resolve().parents[2]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom kiosk.cli.root import kiosk\n"
        "try:\n    kiosk(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'msgspec', 'kiosk.app', 'starlette', 'sqlite3', 'PIL', 'cryptography', 'serial', 'rich', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr.strip() == "[]"
    assert "demo" in done.stdout


@pytest.mark.parametrize("name", root.COMMANDS)
def test_every_command_loads_and_has_help(name: str, run: Run) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Usage: kiosk")


def test_every_reading_command_takes_json() -> None:
    reading = [("status",), ("devices",), ("doctor",), ("config", "check"), ("config", "show"), ("journal", "verify"),
               ("journal", "show"), ("receipt", "show"), ("receipt", "verify")]  # fmt: skip
    context = click.Context(root.kiosk)
    for words in reading:
        command: click.Command | None = root.kiosk
        for word in words:
            assert isinstance(command, click.Group)
            command = command.get_command(context, word)
        assert command is not None
        assert "--json" in [option for each in command.params for option in each.opts], words


def test_a_wrong_word_is_exit_code_2_with_the_nearest(run: Run) -> None:
    result = run("jurnal")
    assert result.exit_code == 2
    assert "'journal'" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("status", "--config", "/no/such/file"),
        ("journal", "verify", "--journal", "/no/such/file"),
        ("journal", "show", "--journal", "/dev/null"),
        ("config", "check", "/dev/null"),
        ("receipt", "verify", "A" * 5000, "--keys", "/no/such/file"),
        ("receipt", "show", "1", "--journal", "/etc/passwd"),
        ("doctor", "--config", "/no/such/file"),
        ("restore", "/etc/passwd", "--config", "/no/such/file"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error_and_never_a_traceback(words: tuple[str, ...], run: Run) -> None:
    result = run(*words)
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_a_configuration_with_a_wrong_key_names_line_key_and_the_nearest(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text('[kiosk]\nid = "K07"\n[screen]\nprot = 1\n', "utf-8")
    result = run("config", "check", config)
    assert result.exit_code == 1
    assert "line 4" in result.stderr
    assert "port" in result.stderr
    found = json.loads(run("config", "check", config, "--json").stdout)
    assert found["good"] is False


def test_exit_codes_tell_permission_from_silence() -> None:
    refused = ControlError("no", transient=True)
    refused.__cause__ = PermissionError("no")
    assert root.code_of(refused) == root.NOT_PERMITTED
    assert root.code_of(ControlError("silent", transient=True)) == root.NOT_REACHED
    assert root.code_of(ControlError("refused")) == root.PROBLEM
    assert root.code_of(JournalError("broken")) == root.PROBLEM


def test_colours_stay_away_where_nobody_wants_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kiosk", "doctor", "--config", str(tmp_path / "none.toml")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "FORCE_COLOR": "", "NO_COLOR": "1"},
    )
    assert "\x1b" not in done.stdout + done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str, run: Run) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_KIOSK_COMPLETE" in result.stdout


def test_a_simulated_scanner_is_served_until_its_input_ends(tmp_path: Path) -> None:
    story = tmp_path / "one.txt"
    story.write_text("scan 260004355\n", "utf-8")
    command = [
        sys.executable,
        "-m",
        "kiosk",
        "simulate",
        "scanner",
        "--pty",
        str(tmp_path / "scan"),
        "--scenario",
        str(story),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, input="state\nnonsense\n", timeout=30
    )
    assert "played 1 lines" in done.stdout
    assert done.returncode == 1  # one typed line meant nothing
    assert not (tmp_path / "scan").exists()


def test_a_simulator_wants_exactly_one_place(run: Run) -> None:
    assert "jam acceptor|stacker" in run("simulate", "--help").output
    assert run("simulate", "id003").exit_code == 2
    assert run("simulate", "id003", "--tcp", "0").exit_code == 2
    assert run("simulate", "id003", "--pty", "/tmp/x", "--tcp", "0").exit_code == 2


def test_the_doctor_reads_groups_and_mounts_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("kiosk:x:990:980::/:/bin/false\n", "utf-8")
    (tmp_path / "etc/group").write_text("kiosk:x:980:\ndialout:x:20:pi,kiosk\nlp:x:7:\n", "utf-8")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text(f"/dev/a / ext4 rw 0 0\n/dev/b {tmp_path} ext4 ro,nobarrier 0 0\n", "utf-8")
    machine = Machine(tmp_path)
    assert machine.groups_of("kiosk") == {"kiosk", "dialout"}
    assert machine.groups_of("nobody_here") is None
    mount = machine.mount_of(tmp_path / "etc")
    assert mount is not None
    assert mount.options == ("ro", "nobarrier")
