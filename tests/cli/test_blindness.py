"""Blind from everywhere: no page, slip, file or command tells what an uncounted box should hold, until it is counted.

A whole kiosk in a process of its own takes USD 73.00 in two payments; the box leaves with two people's signatures; then
every surface is searched for that sum.  The tests behind it count the box at the command line, and look again.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from kiosk.cli.blindness import SEALED
from kiosk.simulators import scenario
from kiosk.workbench.demonstration import Demonstration
from tests.cli.conftest import Run

PLAY = """\
wait screen idle within 30 s
{payments}
touch call_operator
touch enter_pin p01 2580
wait screen attended
touch report_x
touch begin_exchange
wait screen exchanging
touch exchange_numbers B-0001 B-0002 S-77
touch enter_pin p02 4711
wait 1 s
remove box
wait 1 s
insert empty box
touch confirm_exchange
wait screen attended
touch sign_out
wait screen idle within 30 s
"""
PAYMENT = """\
scan 02123456781120260000083177
wait screen reviewing within 10 s
touch pay
touch accept
wait screen accepting
{notes}
touch cancel
wait screen stopping
touch finish
wait screen idle within 40 s
"""
#: USD 40.00 and USD 33.00: the sum stands on no single receipt.
NOTES = ((20, 20), (20, 5, 5, 1, 1, 1))
EXPECTED = 7300
SPELLED = re.compile(r"(?<![\w.])(73[.,]00|7300)(?![\w])")
HEADINGS = ("status", "devices", "doctor")
PINS = {"p01": "2580", "p02": "4711", "p03": "8642", "p04": "1397"}


class House:
    """The kiosk, its paper, its pages and a command line with people's PINs in private files."""

    def __init__(self, demonstration: Demonstration, place: Path) -> None:
        self.demonstration = demonstration
        self.place = place
        self.config = demonstration.directory.config
        self.run: Run

    def ask(self, *words: str | Path, feed: str = "") -> Result:
        return self.run(*words, config=self.config, feed=feed)

    def person(self, who: str, option: str = "--person", file: str = "--pin-file") -> tuple[str, ...]:
        """Options that say who asks."""
        path = self.place / f"pin-{who}"
        path.touch(mode=0o600)
        path.write_text(PINS[who], "utf-8")
        return (option, who, file, str(path))

    def page(self, path: str) -> str:
        """Get a page of the screen, as the browser would."""
        address = self.demonstration.directory.screen_url.read_text("utf-8").strip()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        with opener.open(address, timeout=10) as front:
            text: str = front.read().decode()
        if path == "/":
            return text
        with opener.open(address.split("/?")[0] + path, timeout=10) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    place = tmp_path_factory.mktemp("blind")
    demonstration = Demonstration(place / "demo", quick=True)
    left, payments = 9149, ""  # late by more than a day: ten percent more
    for notes in NOTES:
        lines = ""
        for value in notes:
            left -= value * 100
            lines += f"insert USD {value}\nexpect remaining USD {left // 100}.{left % 100:02}\n"
        payments += PAYMENT.format(notes=lines.strip())
    try:
        demonstration.start()
        scenario.play(scenario.parse(PLAY.format(payments=payments)), demonstration.stage)
        yield House(demonstration, place)
    finally:
        demonstration.stop()


@pytest.fixture
def house(standing: House, run: Run) -> House:
    standing.run = run
    return standing


def _command(*words: str) -> Callable[[House], str]:
    def look(house: House) -> str:
        result = house.ask(*words)
        assert result.exit_code in (0, 1), result.output
        return result.output

    return look


def _backup(house: House) -> str:
    target = house.place / "copy.db"
    if not target.exists():
        assert house.ask("backup", target).exit_code == 0
    (manifest,) = house.place.glob("copy.db.json")
    return manifest.read_text("utf-8") + house.ask("backup", target).output


def _audit(house: House) -> str:
    """What somebody who counts gets when asking for what an auditor may see."""
    words = ("cash", "expected", *house.person("p03"))
    told = [house.ask(*words), house.ask("journal", "export", *house.person("p03")),
            house.ask("receipt", "show", "1", *house.person("p03"))]  # fmt: skip
    assert [each.exit_code for each in told] == [1, 1, 1]
    return "".join(each.output for each in told)


def _log(house: House) -> str:
    directory = house.demonstration.directory
    return directory.log.read_text("utf-8", "replace") + directory.config.read_text("utf-8")


SURFACES: dict[str, Callable[[House], str]] = {
    **{f"{name}{form}": _command(name, *form.split()) for name in HEADINGS for form in ("", " --json")},
    "journal show": _command("journal", "show"),
    "journal show whole": _command("journal", "show", "--limit", "100000"),
    "journal show --json": _command("journal", "show", "--limit", "100000", "--json"),
    "journal verify": _command("journal", "verify"),
    "journal verify --json": _command("journal", "verify", "--json"),
    "journal export": _command("journal", "export"),
    "journal export lines": _command("journal", "export", "--format", "lines"),
    "receipt show 1": _command("receipt", "show", "1"),
    "receipt show --json": _command("receipt", "show", "1", "--json"),
    "day show": _command("day", "show"),
    "day show 1": _command("day", "show", "1"),
    "day show --json": _command("day", "show", "--json"),
    "cash boxes": _command("cash", "boxes"),
    "cash boxes --json": _command("cash", "boxes", "--json"),
    "config show": lambda house: house.ask("config", "show", house.config).output,
    "backup and its manifest": _backup,
    "asked by somebody who counts": _audit,
    "the screen": lambda house: house.page("/"),
    "the health page": lambda house: house.page("/health"),
    "the health data": lambda house: house.page("/health.json"),
    "all paper": lambda house: "\n".join(house.demonstration.receipts()),
    "the log": _log,
}


@pytest.mark.parametrize("surface", SURFACES)
def test_nothing_tells_the_sum_of_a_box_that_nobody_has_counted(house: House, surface: str) -> None:
    told = SURFACES[surface](house)
    assert len(told) > 5
    assert SPELLED.findall(told) == []


def test_the_sum_would_be_found_where_it_stands(house: House) -> None:
    told = house.ask("cash", "expected", *house.person("p04"))
    assert told.exit_code == 0, told.output
    assert SPELLED.findall(told.stdout) == ["73.00"]
    assert SPELLED.findall(json.dumps({"taken_minor": EXPECTED})) == ["7300"]


def test_every_amount_of_an_uncounted_box_is_sealed_in_what_is_shown(house: House) -> None:
    found = json.loads(house.ask("journal", "show", "--limit", "100000", "--json").stdout)["facts"]
    kinds = {each["kind"] for each in found}
    assert {"note_credited", "settled", "receipt_issued", "day_closed", "tender_frozen", "stack_intended"} <= kinds
    open_amounts = [
        (each["kind"], name)
        for each in found
        for name, value in each["body"].items()
        if (name.endswith("_minor") and value != SEALED) or (name in ("value", "entry", "period", "totals") and value
                                                            not in (SEALED, None, []))
    ]  # fmt: skip
    assert open_amounts == []
    (sold,) = {each["body"]["tender_minor"] for each in found if each["kind"] == "settled"}
    assert sold == SEALED


def test_an_export_names_its_cure_and_an_auditor_gets_it_with_a_fact(house: House) -> None:
    refused = house.ask("journal", "export")
    assert refused.exit_code == 1
    assert "--person ID" in refused.output
    assert refused.stdout == ""
    whole = house.ask("journal", "export", *house.person("p04")).stdout.splitlines()
    facts = [json.loads(line)["fact"] for line in whole]
    assert any(each["body"].get("tender_minor") == 4000 for each in facts)
    acts = [each["body"] for each in facts if each["body"]["kind"] == "operator_acted"]
    assert {"kind": "operator_acted", "person": "p04", "act": "saw_expected", "detail": "journal export"} in acts


def test_a_wrong_pin_opens_nothing(house: House) -> None:
    for words in (("journal", "export"), ("journal", "verify"), ("receipt", "show", "1")):
        refused = house.ask(*words, "--person", "p02", feed="0001\n")
        assert refused.exit_code == 1
        assert "do not fit" in refused.output
        assert SPELLED.findall(refused.output) == []


def test_an_operator_who_does_not_count_sees_one_slip(house: House) -> None:
    sealed = json.loads(house.ask("receipt", "show", "1", "--json").stdout)
    assert (sealed["tender_minor"], sealed["receipt"]["totals"]) == (SEALED, SEALED)
    shown = json.loads(house.ask("receipt", "show", "1", "--json", *house.person("p01")).stdout)
    assert shown["tender_minor"] == 4000


def test_a_slip_without_sums_is_shown_whole_to_everybody(house: House) -> None:
    found = json.loads(house.ask("journal", "show", "--kind", "receipt_issued", "--json").stdout)["facts"]
    numbers = {each["body"]["slip"]: str(each["body"]["number"]) for each in found}
    shown = house.ask("receipt", "show", numbers["z"]).stdout
    assert re.search(r"cause +exchange\n", shown)
    assert re.search(r"head +1/\d+ [0-9a-f]{16}\n", shown)
    assert SEALED not in shown
    assert SEALED in house.ask("receipt", "show", numbers["receipt"]).stdout


def test_an_auditor_reads_that_a_box_holds_no_note(house: House) -> None:
    told = house.ask("cash", "expected", *house.person("p04")).stdout
    assert "in the kiosk\n  no note\n" in told


def test_an_auditor_sees_balances_when_verifying(house: House) -> None:
    assert "told to an auditor alone: --person" in house.ask("journal", "verify").stdout
    plain = json.loads(house.ask("journal", "verify", "--json").stdout)
    assert (plain["sound"], plain["balances"]) == (True, []), plain["findings"]
    audited = json.loads(house.ask("journal", "verify", "--json", *house.person("p04")).stdout)
    assert [row for row in audited["balances"] if row[2] == EXPECTED]


def test_a_pin_file_that_others_may_read_is_refused(house: House) -> None:
    words = house.person("p04")
    path = Path(words[-1])
    path.chmod(0o644)
    refused = house.ask("cash", "expected", *words)
    path.chmod(0o600)
    assert refused.exit_code == 1
    assert "chmod 600" in refused.output


# --- counting (from here on the box is counted: order matters) ------------------------------------------------


def _count(house: House, *words: str) -> Result:
    return house.ask("cash", "count", *house.person("p03"), *words)


def test_receiving_needs_its_options_where_nobody_sits_at_a_terminal(house: House) -> None:
    refused = _count(house, "--notes", "2000=3")
    assert refused.exit_code == 1
    assert "--box is missing" in refused.output
    assert _count(house, "--session", "9").exit_code == 1
    assert house.ask("cash", "count", *house.person("p01"), "--box", "B-0001", "--seal", "S-1", "--seal-whole",
                     "--none").exit_code == 1  # fmt: skip


def test_an_attempt_that_is_not_final_tells_nothing(house: House) -> None:
    told = _count(house, "--box", "B-0001", "--seal", "S-1", "--seal-whole", "--notes", "2000=2", "--not-final")
    assert told.exit_code == 0, told.output
    assert "attempt 1: 40.00" in told.output
    assert SPELLED.findall(told.output) == []
    again = _count(house, "--notes", "2000=3", "--json")
    assert json.loads(again.stdout) == {"schema": "kiosk-cash-count-1", "session": 1, "attempt": 2,
                                        "counted_minor": 6000}  # fmt: skip
    for odd in ("2000", "x=1", "2000=-1", "2000=1=1", "=", "２０=1"):
        assert _count(house, "--notes", odd).exit_code == 2, odd
    assert "session 1" not in house.ask("cash", "boxes").output
    assert "is to be counted" in house.ask("cash", "boxes").output


def test_the_final_attempt_reveals_and_a_large_difference_is_signed_by_another(house: House) -> None:
    notes = [word for each in ("2000=3", "500=2", "100=2") for word in ("--notes", each)]
    told = _count(house, *notes, "--final")
    assert told.exit_code == 1
    assert "expected 73.00, counted 72.00: 1.00 short" in told.output
    assert "--reason is missing" in told.output
    refused = _count(house, "--reason", "one note short", *house.person("p03", "--second", "--second-pin-file"))
    assert "cannot sign twice" in refused.output
    closed = _count(house, "--reason", "one note short", "--json",
                    *house.person("p01", "--second", "--second-pin-file"))  # fmt: skip
    assert closed.exit_code == 0, closed.output
    told_json = json.loads(closed.stdout)
    # p01 took the box out and signs the difference: allowed, and never silently.
    assert (told_json["over_short_minor"], told_json["separation"]) == (-100, ["collector_signed"])
    assert "no box waits" in _count(house, "--none").output


def test_a_counted_box_is_sealed_no_longer_and_the_next_one_is(house: House) -> None:
    assert house.ask("day", "show").output.count("73.00") == 2  # what was taken, and the grand total
    shown: dict[str, Any] = json.loads(house.ask("receipt", "show", "1", "--json").stdout)
    assert shown["tender_minor"] == 4000
    assert house.ask("journal", "export").exit_code == 1
    balances = json.loads(house.ask("journal", "verify", "--json", *house.person("p04")).stdout)
    assert balances["findings"] == []
    assert sorted(row[2] for row in balances["balances"] if row[2] in (7200, 100)) == [100, 7200]
