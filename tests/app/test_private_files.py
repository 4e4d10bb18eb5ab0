"""Small files that hold the screen's token: nobody else reads them, and nobody else chooses what they are."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kiosk.app.running import token_of_this_boot, write_private


def test_a_file_that_was_open_to_others_is_closed_before_the_secret_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "screen.url"
    path.write_text("old")
    path.chmod(0o666)
    write_private(path, "secret")
    assert path.read_text() == "secret\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_in_the_place_of_the_file_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("somebody's notes")
    (tmp_path / "screen.url").symlink_to(victim)
    write_private(tmp_path / "screen.url", "secret")
    assert victim.read_text() == "somebody's notes"
    assert (tmp_path / "screen.url").read_text() == "secret\n"


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o606])
def test_a_token_that_others_could_have_read_or_planted_is_not_kept(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "screen-token"
    path.write_text("x" * 40)
    path.chmod(mode)
    assert token_of_this_boot(path) != "x" * 40
    assert token_of_this_boot(path) == token_of_this_boot(path)
