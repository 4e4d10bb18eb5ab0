"""A demonstration with coins: pack and configuration are ordinary ones, and hands reach every unit of the bus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk import app
from kiosk.errors import ConfigError, SimulatorError
from kiosk.workbench import coin_kiosk, picture
from kiosk.workbench.demonstration import Demonstration
from kiosk.workbench.directory import DemoDirectory
from kiosk.workbench.hands import Hands


@pytest.fixture(params=["id003", "cctalk"])
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demonstration]:
    """The hardware alone: no kiosk runs."""
    made = Demonstration(tmp_path / "here", coins=True, presenter=True, acceptor=request.param)
    made.hardware.start()
    yield made
    made.hardware.stop()
    made.directory.remove()


@pytest.mark.parametrize("acceptor", ["id003", "cctalk"])
def test_the_pack_pays_change_and_the_units_of_the_bus_have_one_line(tmp_path: Path, acceptor: str) -> None:
    directory = DemoDirectory(tmp_path / "demo", tmp_path / "run", keep=True)
    directory.root.mkdir()
    directory.write(screen_port=1, bench="http://127.0.0.1:2", coins=True, presenter=True, acceptor=acceptor)
    setup = app.load(directory.config)
    services = setup.pack.library.services
    assert {services[name].over for name in ("parking_citation", "water_bill")} == {"change"}
    assert services["property_tax"].over == "refund"
    lines: dict[str, list[str]] = {}
    for device in setup.config.device:
        lines.setdefault(str(device.line["port"]), []).append(device.name)
    shared = next(names for names in lines.values() if len(names) > 1)
    assert sorted(shared) == (["coins", "hopper", "notes"] if acceptor == "cctalk" else ["coins", "hopper"])


def test_a_pack_that_says_something_else_is_not_changed_by_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(coin_kiosk._LINES, "policies/cash.toml", ("no such line", ""))
    with pytest.raises(ConfigError, match="0 times"):
        coin_kiosk.write_pack(tmp_path / "pack")


def test_every_unit_has_its_hands_and_its_picture_shows_what_they_did(demo: Demonstration) -> None:
    hands, coins = Hands(demo), demo.hardware.coins
    assert coins is not None
    assert "it falls through" in hands.act("coin", "25"), "nobody polls it"
    for act, argument in (("fill_hopper", "20"), ("jam_hopper", ""), ("lose_dispense", ""), ("jam_presenter", "")):
        hands.act(act, argument)
    shown = picture._coins(coins, demo.hardware.plugged("coins"))
    assert (shown["words"], shown["inside"]) == ("jammed", "20 × USD 1.00")
    assert (shown["cup"], shown["plugged"]) == ("USD 0.00", True)
    assert picture._printer(demo)["mouth"] == "the presenter is jammed"
    hands.act("free_hopper", "")
    hands.act("empty_hopper", "")
    assert coins.hopper.role.coins == 0
    for act, argument in (("coin", "3"), ("coin", "x"), ("fill_hopper", "0"), ("take_slip", "")):
        with pytest.raises(SimulatorError):
            hands.act(act, argument)
    demo.hardware.cut_power()
    assert picture._coins(coins, True)["slot"]["words"] == "no power"


def test_a_cable_of_the_bus_is_the_cable_of_every_unit_on_it(demo: Demonstration) -> None:
    hands = Hands(demo)
    hands.act("unplug", "coins")
    shares = demo.hardware.ports["notes"] is not None and len(demo.hardware.cables) == 3
    assert [demo.hardware.plugged(name) for name in ("coins", "hopper", "notes")] == [False, False, not shares]
    hands.act("replug", "hopper")
    assert demo.hardware.plugged("coins")


def test_without_coins_there_is_nothing_to_put_one_into(tmp_path: Path) -> None:
    demo = Demonstration(tmp_path / "here")
    with pytest.raises(SimulatorError, match="--coins|no coins"):
        Hands(demo).act("coin", "25")
    with pytest.raises(SimulatorError, match="no coins"):
        demo.stage.fill_hopper(3)
    assert picture.coins(demo) == []
    demo.hardware.stop()
    demo.directory.remove()


def test_every_button_of_the_page_with_coins_is_an_act(demo: Demonstration) -> None:
    import jinja2

    import kiosk.workbench.bench_server as server

    source = (Path(server.__file__).parent / "templates" / "bench.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(source).render(
        key="k", notes=picture.notes(demo), coins=picture.coins(demo), presenter=True, folder="f", hub=None,
        operator="", payable=[], refused=[], hostile=[],
    )  # fmt: skip
    named = {part.partition('"')[0] for part in page.split('data-act="')[1:]}
    assert {"coin", "fill_hopper", "empty_hopper", "jam_hopper", "take_slip", "jam_presenter"} <= named
    assert named <= set(Hands(demo).names)
