"""The hub's list of people and its packs: the hub wins, says for whom, and a broken document changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.core.hub_data import MOST_PEOPLE, Documents, HubData, conflicts, people_of
from kiosk.core.people import Person, hash_of
from kiosk.errors import ConfigError, ControlError
from kiosk.model import facts
from tests.core.kernel_rig import PINS, WATER, Rig, people


@cache
def section(person: str, pin: str, roles: str = '"operate"') -> str:
    return f'[[people]]\nid = "{person}"\nroles = [{roles}]\npin = "{hash_of(pin)}"\n'


def local() -> tuple[Person, ...]:
    return tuple(people())


class Hub:
    """What a hub sent, and the file beside the journal."""

    def __init__(self) -> None:
        self.sent: dict[str, tuple[int, bytes]] = {}
        self.kept: tuple[int, bytes] | None = None
        self.laid: list[int] = []

    def data(self) -> HubData:
        return HubData(
            Documents(
                read=lambda: self.sent, keep_people=self._keep, kept_people=lambda: self.kept, lay_pack=self._lay
            ),
            local(),
        )

    def _keep(self, version: int, body: bytes) -> None:
        self.kept = (version, body)

    def _lay(self, version: int, body: bytes) -> tuple[str, str]:
        if body == b"deep":
            raise RecursionError("within each other")
        if body == b"broken":
            raise ConfigError("the hub's pack cannot be read")
        self.laid.append(version)
        return "example-city 2027.1", "d1"


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def rig(tmp_path: Path, hub: Hub) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    begin(whole, hub)
    yield whole
    whole.close()
    assert whole.findings() == []


def begin(rig: Rig, hub: Hub) -> None:
    """What the service does right after a start."""
    rig.kernel.parts.hub_data = hub.data()
    rig.kernel.parts.hub_data.begin(rig.kernel)


def publish(rig: Rig, hub: Hub, version: int, *sections: str) -> None:
    hub.sent["people"] = (version, "\n".join(sections).encode())
    rig.kernel.parts.hub_data.adopt(rig.kernel, "people")


def let_in(rig: Rig, person: str, pin: str) -> bool:
    rig.sign_in(person, pin)
    inside = rig.state == "attended"
    rig.wait(130)
    return inside


def test_without_a_hub_the_kiosks_own_people_stand_and_no_fact_is_made(rig: Rig) -> None:
    assert let_in(rig, "p01", PINS["p01"])
    assert rig.bodies(facts.PeopleAdopted) == []


def test_the_hub_wins_and_the_fact_names_everybody_whom_it_contradicts(rig: Rig, hub: Hub) -> None:
    publish(rig, hub, 7, section("p01", "9753"), section("p20", "8520"))
    (told,) = rig.bodies(facts.PeopleAdopted)
    assert (told.version, told.people, told.refused) == (7, ("p01", "p20"), "")
    assert told.conflicts == ("p01", "p02", "p03", "p04")
    assert let_in(rig, "p01", "9753")
    assert not let_in(rig, "p01", PINS["p01"])
    assert not let_in(rig, "p03", PINS["p03"])
    assert let_in(rig, "p20", "8520")


def test_somebody_the_hub_dropped_stays_out_though_the_reference_data_are_gone(rig: Rig, hub: Hub) -> None:
    publish(rig, hub, 7, section("p20", "8520"))
    hub.sent.clear()
    rig.restart()
    begin(rig, hub)
    assert not let_in(rig, "p01", PINS["p01"])
    assert let_in(rig, "p20", "8520")
    assert len(rig.bodies(facts.PeopleAdopted)) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[[people]]\nid = 'p01'\n",
        b"people = []\n",
        b"[kiosk]\nid = 'K07'\n",
        b"x = " + b"[" * 9000,
        b"x = " + b"1" * 5000,
        b"x" + b".x" * 50_000 + b" = 1",
    ],
)
def test_a_list_that_cannot_be_read_is_told_once_and_changes_nothing(rig: Rig, hub: Hub, body: bytes) -> None:
    publish(rig, hub, 7, section("p20", "8520"))
    hub.sent["people"] = (8, body)
    for _ in range(2):
        rig.kernel.parts.hub_data.adopt(rig.kernel, "people")
    rig.restart()
    begin(rig, hub)
    told = rig.bodies(facts.PeopleAdopted)
    assert [(each.version, bool(each.refused)) for each in told] == [(7, False), (8, True)]
    assert let_in(rig, "p20", "8520")


def test_the_same_list_again_is_no_news(rig: Rig, hub: Hub) -> None:
    for _ in range(3):
        publish(rig, hub, 7, section("p20", "8520"))
    assert len(rig.bodies(facts.PeopleAdopted)) == 1


def test_no_fact_holds_the_hash_of_a_pin(rig: Rig, hub: Hub) -> None:
    publish(rig, hub, 7, section("p20", "8520"))
    assert b"argon2" not in rig.path.read_bytes()
    assert "argon2" not in str(rig.bodies(facts.PeopleAdopted))


def test_a_list_has_an_end() -> None:
    one = section("p20", "8520")
    many = "".join(one.replace("p20", f"p{number:03d}") for number in range(MOST_PEOPLE + 1))
    with pytest.raises(ConfigError):
        people_of(many.encode())


def test_who_agrees_is_no_conflict() -> None:
    assert conflicts(local(), local()) == ()
    assert conflicts(local(), local()[:-1]) == ("p04",)


def test_a_pack_is_laid_down_once_and_told(rig: Rig, hub: Hub) -> None:
    hub.sent["pack"] = (3, b"files")
    for _ in range(2):
        rig.kernel.parts.hub_data.adopt(rig.kernel, "pack")
    rig.restart()
    begin(rig, hub)
    assert hub.laid == [3]
    assert [(each.version, each.pack, each.refused) for each in rig.bodies(facts.PackAdopted)] == [
        (3, "example-city 2027.1", "")
    ]


def test_a_pack_waits_until_nobody_is_in_front(rig: Rig, hub: Hub) -> None:
    rig.tap(intents.EnterNumber(WATER))
    hub.sent["pack"] = (3, b"files")
    data = rig.kernel.parts.hub_data
    data.adopt(rig.kernel, "pack")
    data.tend(rig.kernel)
    assert hub.laid == []
    rig.tap(intents.Cancel())
    for _ in range(2):
        data.tend(rig.kernel)
    assert hub.laid == [3]


def test_a_pack_that_does_not_load_is_refused_with_the_reason(rig: Rig, hub: Hub) -> None:
    hub.sent["pack"] = (3, b"broken")
    rig.kernel.parts.hub_data.adopt(rig.kernel, "pack")
    (told,) = rig.bodies(facts.PackAdopted)
    assert (told.pack, told.refused) == ("", "the hub's pack cannot be read")


def test_a_pack_that_cannot_even_be_read_stops_no_counter_at_any_start(rig: Rig, hub: Hub) -> None:
    hub.sent["pack"] = (3, b"deep")
    for _ in range(2):
        begin(rig, hub)
    (told,) = rig.bodies(facts.PackAdopted)
    assert told.refused == "this cannot be read: RecursionError: within each other"
    assert rig.kernel.last_fault == ""


def test_nothing_else_can_be_adopted(rig: Rig) -> None:
    with pytest.raises(ControlError):
        rig.kernel.parts.hub_data.adopt(rig.kernel, "../../etc")
