"""What the pages tell people to type exists: commands, options, targets of make."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from kiosk.cli.root import COMMANDS, kiosk
from tests.docs.pages import PAGES, ROOT, blocks, prose

_WORD = re.compile(r"[a-z][a-z-]*")


def typed(page: str) -> list[str]:
    """Return every line of a page that begins with the command `kiosk`."""
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`([^`\n]+)`", prose(page))
    found = []
    for line in lines:
        line = line.partition("#")[0].strip()
        match = re.match(r"(?:sudo -u kiosk )?(?:\.venv/bin/)?kiosk ([a-z-].*)", line)
        if match:
            found.append(match[1].strip())
    return found


def resolve(line: str) -> tuple[list[str], click.Command]:
    """Return the path of the command that a line names.

    Raises:
        LookupError: there is none, or an option of the line is not one of it.
    """
    words = line.split()
    command: click.Command = kiosk
    path: list[str] = []
    with click.Context(kiosk) as ctx:
        while words and isinstance(command, click.Group) and _WORD.fullmatch(words[0]):
            inner = command.get_command(ctx, words[0])
            if inner is None:
                raise LookupError(f"kiosk {line}: there is no {words[0]!r}")
            path.append(words.pop(0))
            command = inner
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help", "-h"}
    for word in words:
        if word.startswith("-") and word != "-" and word.partition("=")[0] not in known:
            raise LookupError(f"kiosk {line}: there is no option {word}")
    return path, command


TYPED = sorted({(name, line) for name, page in PAGES.items() for line in typed(page)})


@pytest.mark.parametrize(("name", "line"), TYPED)
def test_a_command_of_a_page_exists_with_its_options(name: str, line: str) -> None:
    path, _ = resolve(line)
    assert path, f"{name}: kiosk {line}"


def test_a_command_that_does_not_exist_would_be_found() -> None:
    for wrong in ("journal mend", "status --loud", "nonsense"):
        with pytest.raises(LookupError):
            resolve(wrong)


def test_every_command_of_the_pages_answers_when_asked_for_help() -> None:
    asked = {tuple(resolve(line)[0]) for _, line in TYPED}
    for path in sorted(asked):
        told = CliRunner().invoke(kiosk, [*path, "--help"])
        assert told.exit_code == 0, path
        assert "Usage: kiosk " + " ".join(path) in told.output.replace("Usage: kiosk-root", "Usage: kiosk"), path


def test_the_readme_names_every_command_there_is() -> None:
    told = {line.split()[0] for line in typed(PAGES["README.md"])}
    assert sorted(set(COMMANDS) - told) == []


def test_every_target_of_make_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        (name, target)
        for name, page in PAGES.items()
        for target in re.findall(r"(?:`|^)make (?:-C \S+ )?([a-z]+(?:-[a-z]+)*)", page, re.MULTILINE)
    }
    assert named
    assert [each for each in sorted(named) if each[1] not in targets] == []
