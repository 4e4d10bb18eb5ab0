"""Labels from strangers: each is refused with words for the person, and nothing of it stays anywhere (SC3, SC4)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kiosk.model import facts
from kiosk.model.instant import NS
from kiosk.protocols.label import is_identity_document
from kiosk.protocols.label_reader import DOCUMENT_QUIET
from kiosk.workbench.screen_hand import amount
from tests.app.live_kiosk import FIFTEEN, TWENTY, LiveKiosk, live_kiosk, said, until

#: Stands in every hostile label, so that it can be looked for.
MARK = "QXZWVUJK"
LICENCE = (
    "@\n\x1e\rANSI 636000090002DL00410278ZV03190008DLDAQT" + MARK + "\nDCS" + MARK + "\nDDEN\nDACPAT\nDBB01011990\n"
    "DAG1 EXAMPLE ST\nDAIEXAMPLE CITY\nDAJVA\nDAK000000000  \r"
)
LABELS = {
    "4 kB": MARK + "A" * 4088,
    "16 kB": MARK * 2048,
    "NUL": f"260004355\x00{MARK}",
    "only NUL": "\x00" * 40 + MARK,
    "script": f"<script>document.title='{MARK}'</script>",
    "image": f'<img src=x onerror="{MARK}">',
    "SQL": f"' OR 1=1; DROP TABLE invoice; -- {MARK}",
    "template": "{{ 7 * 7 }}" + MARK,
    "GS1 FNC1": f"\x1d01095060001343528200{MARK}\x1d21{MARK}",
    "format string": f"%s%s%n{MARK}",
    "path": f"../../../../etc/passwd{MARK}",
    "control": f"\x1b[31m\x07{MARK}\x9b",
    "half an emoji": f"\udcf0{MARK}".encode("utf-8", "surrogateescape").decode("latin-1"),
    "licence": LICENCE,
}


@pytest.fixture(scope="module")
def kiosk() -> Iterator[LiveKiosk]:
    with live_kiosk() as found:
        found.wait("idle")
        until(lambda: len(found.bodies(facts.DeviceIdentified)) == 2, "both devices have told who they are")
        found.core.supervisor.record("scanner", True)
        yield found


def scan(kiosk: LiveKiosk, label: str) -> dict[str, Any]:
    """Scan at rest and return what the person sees; the screen is idle again afterwards."""
    kiosk.wait("idle")
    with kiosk.hardware.scanner.hands() as scanner:
        scanner.scan(label.encode("utf-8", "surrogatepass") if MARK in label else label)
    shot = kiosk.wait("notice")
    kiosk.fragment = kiosk.screen._ask("GET", "/fragment")[2]  # type: ignore[attr-defined]
    kiosk.stage.touch("dismiss", ())
    if is_identity_document(label):
        time.sleep(2 * DOCUMENT_QUIET / NS)  # what follows a licence without a pause is part of it
    return shot


@pytest.mark.parametrize("name", list(LABELS))
def test_a_hostile_label_is_refused_in_words_and_leaves_no_trace(kiosk: LiveKiosk, name: str) -> None:
    before = len(kiosk.facts())
    shot = scan(kiosk, LABELS[name])
    assert [each.partition(".")[0] for each in said(shot)] == ["notice"]
    told = [json.dumps(shot), kiosk.fragment, kiosk.ask("/health.json")[1], kiosk.ask("/health")[1]]  # type: ignore[attr-defined]
    told += [json.dumps(kiosk.status()), json.dumps(kiosk.shot())]
    assert not [each for each in told if MARK in each or "EXAMPLE ST" in each]
    assert MARK.encode() not in kiosk.everything_written()
    assert len(kiosk.facts()) == before
    came = [each for each in kiosk.core.supervisor.traffic("scanner") if each.way == "<"]
    assert came, "the recorder is on"
    assert not any(each.data for each in came)
    assert kiosk.status()["last_fault"] == ""


def test_a_licence_is_called_one_so_that_the_person_puts_it_away(kiosk: LiveKiosk) -> None:
    # As it stands, with its line ends, and as a scanner sends it that drops them.
    for licence in (LICENCE, "@ANSI 636000090002DL00410278ZV0319" + MARK):
        assert said(scan(kiosk, licence)) == ["notice.driving_licence"]


def test_a_wrong_check_digit_is_never_looked_up(kiosk: LiveKiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    source = kiosk.kernel.parts.source
    real = type(source).find
    monkeypatch.setattr(type(source), "find", lambda self, *what: asked.append(what) or real(self, *what))
    for place in range(len(FIFTEEN)):
        wrong = str((int(FIFTEEN[place]) + 1) % 10)
        shot = scan(kiosk, FIFTEEN[:place] + wrong + FIFTEEN[place + 1 :])
        assert said(shot)[0] in ("notice.wrong_check_digit", "notice.not_ours")
    assert asked == []
    scan(kiosk, "260004393")
    assert len(asked) == 1  # the trap works: a right one is looked up


def test_an_unknown_citation_is_told_with_the_date_of_the_data(kiosk: LiveKiosk) -> None:
    shot = scan(kiosk, "999999999")
    assert said(shot) == ["notice.not_found"]
    assert kiosk.shot()["data_as_of"][:10] in json.dumps(shot["messages"])


def test_one_already_paid_elsewhere_is_refused(kiosk: LiveKiosk) -> None:
    scan(kiosk, "no bill of ours")  # another one between: the same label twice within two seconds counts once
    assert said(scan(kiosk, "260004393")) == ["notice.already_paid"]


def test_a_thousand_labels_in_a_burst_change_nothing_and_the_kiosk_goes_on(kiosk: LiveKiosk) -> None:
    kiosk.wait("idle")
    before = len(kiosk.facts())
    with kiosk.hardware.scanner.hands() as scanner:
        for at in range(1000):
            scanner.scan(f"{MARK}{at}")
    kiosk.wait("notice")
    until(lambda: kiosk.core._inbox.qsize() == 0, "the burst was taken in")
    kiosk.stage.touch("dismiss", ())
    # What is refused in a state is a fact five times at most, without a word of its content.
    assert len(kiosk.facts()) - before <= 5
    assert MARK.encode() not in kiosk.everything_written()


def test_a_scan_during_payment_changes_neither_invoice_nor_sum() -> None:
    with live_kiosk() as kiosk:
        shot = kiosk.to_accepting()
        kiosk.insert(10)
        kiosk.wait_inserted(1000)
        for label in (TWENTY, FIFTEEN, LABELS["script"], LICENCE, *[TWENTY] * 20):
            kiosk.stage.scan(label)
        kiosk.insert(5)
        kiosk.stage.expect_receipt(True)
        (settled,) = kiosk.bodies(facts.Settled)
        assert [part.number for part in settled.allocations] == [FIFTEEN]
        assert [part.minor for part in settled.allocations] == [amount(shot["due"]).minor]
        refused = kiosk.bodies(facts.EventRefused)
        assert {each.event for each in refused} <= {"Scanned"}
        assert len(refused) <= 5
        assert MARK.encode() not in kiosk.everything_written()


def test_a_citation_paid_here_is_refused_the_second_time_also_after_a_restart() -> None:
    with live_kiosk() as kiosk:
        kiosk.pay_fifteen()
        kiosk.stage.touch("dismiss", ())
        assert said(scan(kiosk, FIFTEEN)) == ["notice.already_paid"]
        kiosk.stop()
        kiosk.start()
        assert said(scan(kiosk, FIFTEEN)) == ["notice.already_paid"]
        assert len(kiosk.bodies(facts.TenderFrozen)) == 1
