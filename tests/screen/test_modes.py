"""Large text and high contrast last for one person; every letter of the high contrast stands at 7:1 on its ground."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kiosk.core.city import contrast
from kiosk.errors import CheckoutError
from kiosk.screen.app import build
from kiosk.screen.guard import Door
from kiosk.screen.modes import ALONE_NS, MODES, ModePost, Modes, read_mode
from kiosk.screen.settings import ScreenSettings
from kiosk.texts import Catalogue
from tests.screen.conftest import BASE, OURS
from tests.screen.pictures import PICTURES, PLAIN, TOKEN, FakeDesk

KEY = Door(TOKEN).key
STATIC = Path(__file__).resolve().parents[2] / "kiosk" / "screen" / "static"


def chosen(mode: str, session: str, on: bool = True) -> ModePost:
    return ModePost(mode, on, session, KEY)


def test_a_mode_lasts_for_its_session_and_no_longer() -> None:
    modes = Modes()
    assert modes.of("a", 0) == ()
    assert modes.choose(chosen("large", "a"), "a", 0)
    assert modes.of("a", 10**15) == ("large",)
    assert modes.of("b", 10**15) == ()
    assert modes.of("a", 10**15) == ()


def test_both_modes_hold_together_and_end_one_by_one() -> None:
    modes = Modes()
    modes.choose(chosen("contrast", "a"), "a", 0)
    modes.choose(chosen("large", "a"), "a", 0)
    assert modes.of("a", 0) == MODES
    modes.choose(chosen("contrast", "a", on=False), "a", 0)
    assert modes.of("a", 0) == ("large",)


def test_a_double_tap_does_not_undo_itself() -> None:
    modes = Modes()
    modes.choose(chosen("large", "a"), "a", 0)
    modes.choose(chosen("large", "a"), "a", 0)
    assert modes.of("a", 0) == ("large",)


def test_a_choice_on_the_attract_screen_goes_along_into_the_session_that_begins_there() -> None:
    modes = Modes()
    modes.choose(chosen("large", ""), "", 0)
    assert modes.of("", ALONE_NS) == ("large",)
    assert modes.of("a", ALONE_NS) == ("large",)
    assert modes.of("", ALONE_NS) == ()


def test_a_choice_on_the_attract_screen_that_nobody_follows_up_is_dropped_after_a_minute() -> None:
    modes = Modes()
    modes.choose(chosen("contrast", ""), "", 5)
    assert modes.of("", ALONE_NS + 6) == ()
    assert modes.of("a", ALONE_NS + 7) == ()


def test_a_button_of_another_session_chooses_nothing() -> None:
    modes = Modes()
    assert not modes.choose(chosen("large", "a"), "b", 0)
    assert modes.of("b", 0) == ()


@pytest.mark.parametrize(
    "body", [b"", b"mode=loud&on=1&session=&key=", b"mode=large&session=&key=x", b"\xff", b"mode=large"]
)
def test_what_chooses_no_mode_is_refused(body: bytes) -> None:
    with pytest.raises(CheckoutError):
        read_mode(body)


def choose(client: TestClient, mode: str, session: str = "s-1", on: str = "1", key: str = KEY) -> int:
    form = {"mode": mode, "on": on, "session": session, "key": key}
    return client.post("/mode", data=form, headers={**OURS, "accept": "application/json"}).status_code


def test_a_reload_keeps_the_mode_and_the_next_person_starts_fresh(desk: FakeDesk, client: TestClient) -> None:
    desk.show(PICTURES["accepting"])
    assert choose(client, "large") == 202
    for _ in range(2):
        assert "is-large" in client.get("/").text
    assert client.get("/fragment").json()["id"].endswith(":large")
    desk.show(PLAIN, session="")
    assert "is-large" not in client.get("/").text
    desk.show(PICTURES["accepting"], session="s-2")
    assert "is-large" not in client.get("/").text


def test_a_mode_needs_the_pages_key_and_the_present_session(desk: FakeDesk, client: TestClient) -> None:
    assert choose(client, "large", key="wrong") == 403
    assert choose(client, "large", session="s-0") == 409
    assert choose(client, "loud") == 400
    assert "is-large" not in client.get("/").text
    assert desk.asked == []


def test_without_scripts_a_mode_is_a_form_like_any_other(desk: FakeDesk, client: TestClient) -> None:
    form = {"mode": "contrast", "on": "1", "session": "s-1", "key": KEY}
    assert client.post("/mode", data=form, headers=OURS).status_code == 303
    assert "is-contrast" in client.get("/").text


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_help_language_and_both_modes_stand_on_every_screen_in_the_same_order(
    name: str, desk: FakeDesk, client: TestClient
) -> None:
    desk.show(PICTURES[name])
    page = client.get("/").text
    tools = re.findall(r'class="tool" id="tool-([a-z]+)"|id="tool-([a-z]+)" disabled', page)
    assert [one or other for one, other in tools] == ["help", "language", "large", "contrast"]
    assert 'data-say="' in page
    assert 'data-say-help="' in page


@pytest.mark.parametrize("realm", ["live", "demo"])
@pytest.mark.parametrize("name", sorted(PICTURES))
def test_every_screen_shows_the_help_number_and_the_kiosk_at_its_edge(
    name: str, realm: str, desk: FakeDesk, client: TestClient
) -> None:
    desk.show(PICTURES[name], realm=realm)
    line = re.search(r'<p class="help">(.*?)</p>', client.get("/").text)
    assert line is not None
    assert "555-0100" in line[1]
    assert "K07" in line[1]


def test_large_letters_are_as_large_as_the_measured_screen_needs_them(desk: FakeDesk, catalogue: Catalogue) -> None:
    """7.33 mm of capital height on 900 px a 100 mm: 733 · 9 / 0.70 / 100 (domain sheet §10)."""
    measured = TestClient(build(desk, catalogue, token=TOKEN, settings=ScreenSettings(px_per_100mm=900)), base_url=BASE)
    assert "--large-letter: 95px" in measured.get("/look.css").text
    # The three panels of the sheet: 59, 62 and 59 px.
    assert [ScreenSettings(px_per_100mm=px).large_letter_px for px in (562, 588, 562)] == [59, 62, 59]


def high_contrast() -> dict[str, str]:
    """The variables of the high-contrast theme."""
    rule = re.search(
        r":root:has\(\.is-contrast\) \{(.*?)\}", (STATIC / "modes.css").read_text(encoding="utf-8"), re.DOTALL
    )
    assert rule is not None
    found = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6});", rule[1]))
    return {name: whole(colour) for name, colour in found.items()}


def whole(colour: str) -> str:
    return colour if len(colour) == 7 else "#" + "".join(letter * 2 for letter in colour[1:])


def test_every_letter_of_the_high_contrast_stands_at_seven_to_one() -> None:
    theme = high_contrast()
    letters = ("ink", "quiet", "blue", "deep", "green", "brown", "red")
    grounds = ("paper", "card", "wash", "mint", "amber", "rose")
    assert set(letters + grounds) <= set(theme)
    low = {(one, ground) for one in letters for ground in grounds if contrast(theme[one], theme[ground]) < 7}
    assert low == set()
    assert contrast(theme["focus"], theme["paper"]) >= 3
    for name in ("edge", "line"):
        assert contrast(theme[name], theme["paper"]) >= 3


def test_rules_of_the_high_contrast_name_no_pair_below_seven_to_one() -> None:
    css = (STATIC / "modes.css").read_text(encoding="utf-8")
    rules = re.findall(r"\.is-contrast[^{]*\{([^}]*)\}", css)
    pairs = [
        (whole(found[1]), whole(ground[1]))
        for rule in rules
        if (found := re.search(r"(?<![-a-z])color: (#[0-9a-f]+)", rule))
        and (ground := re.search(r"background: (#[0-9a-f]+)", rule))
    ]
    assert len(pairs) > 5
    assert [pair for pair in pairs if contrast(*pair) < 7] == []


def test_the_focus_stands_out_on_every_ground() -> None:
    """Two colours beside each other: at least one of them has 3:1 to whatever lies under them (WCAG 1.4.11)."""
    css = (STATIC / "kiosk.css").read_text(encoding="utf-8")
    plain = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6});", css))
    focus, ring = whole(plain["focus"]), whole(plain["ring"])
    assert contrast(focus, ring) >= 3
    for ground in ("paper", "card", "blue", "deep", "wash", "amber", "mint"):
        assert max(contrast(focus, whole(plain[ground])), contrast(ring, whole(plain[ground]))) >= 3, ground
