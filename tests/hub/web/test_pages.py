"""The pages: who may open which, what they tell, and that every look at money is written down first."""

from __future__ import annotations

import re

import msgspec
import pytest
import sqlalchemy as sa

from kiosk.hub.findings import Finding, finding_id
from kiosk.hub.front.refusals import CODES as REFUSED
from kiosk.hub.ingest.known import CODES as INGEST
from kiosk.hub.posting.codes import CODES as POSTING
from kiosk.hub.revisions import current
from kiosk.hub.store import tables
from kiosk.hub.web.chart import Bar, bars, step_of
from kiosk.hub.web.meanings import _ADVICE, FRONT, meaning
from kiosk.hub.web.people import ROLES
from kiosk.model.instant import NS
from tests.hub.web.city import City, Till, healthy

#: Address -> roles that open it, one at a time.
OPENS = {
    "/fleet": set(ROLES), "/kiosks/K07": set(ROLES), "/findings": {"view", "count", "audit", "admin"},
    "/days": {"view", "count", "audit", "export"}, "/receipts": {"view", "count", "audit"},
    "/invoices": {"view", "count", "audit"}, "/cases": {"view", "count", "audit"}, "/enrolment": {"admin"},
    "/looks": {"audit"}, "/facts/K07/1/1": {"view", "count", "audit"},
}  # fmt: skip


def words(page: str) -> str:
    """A page's text without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_each_role_opens_its_pages_and_no_other(city: City) -> None:
    city.kiosk("K07")
    till = Till(city, "K07")
    till.pay("water_bill", "1", 1000, 1000, account="F2140")
    till.send()
    for role in ROLES:
        browser = city.browser(city.person(f"o-{role}", role))
        opened = {path for path in OPENS if browser.get(path).status_code == 200}
        assert opened == {path for path, roles in OPENS.items() if role in roles}, role
        navigation = set(re.findall(r'<li><a href="(/[a-z]+)"', browser.page("/fleet")))
        assert navigation == {path for path in opened if path.count("/") == 1}, role


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
def test_only_who_administers_commands_a_kiosk_or_takes_one_in(city: City, role: str) -> None:
    city.kiosk("K07")
    browser = city.browser(city.person("o-other", role))
    once = "w" + "1" * 20
    assert browser.post("/kiosks/K07/command", command="shutter", argument="open", once=once).status_code == 403
    assert browser.post("/enrolment/approve", kiosk="K07", words="a b", compared="yes").status_code == 403
    assert browser.post("/enrolment/revoke", kiosk="K07", reason="because").status_code == 403
    assert city.rows(tables.command) == []


def test_a_look_that_the_roles_do_not_open_is_written_down(city: City) -> None:
    city.kiosk("K07")
    browser = city.browser(city.person("o-export", "export"))
    browser.page("/receipts?invoice=260009001", 403)
    refused = browser.post("/kiosks/K07/command", command="shutter", argument="open", once="w" + "1" * 20)
    assert refused.status_code == 403
    last = [(row.operator, row.act, row.subject) for row in city.rows(tables.access)][-2:]
    assert last == [("o-export", "refused", path) for path in ("/receipts?invoice=260009001", "/kiosks/K07/command")]


def test_dates_and_places_that_no_hub_has_are_answered_like_none(city: City) -> None:
    browser = city.browser(city.person("o-audit", "audit"))
    for date in ("0001-01-01", "9999-12-31"):
        assert browser.get(f"/days?from={date}&to={date}").status_code == 200
    assert browser.get(f"/looks?before={'9' * 19}").status_code == 200


def test_every_look_at_money_is_written_down_and_one_that_cannot_be_is_not_answered(
    town: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = town.browser("o-audit")
    receipt = town.rows(tables.receipt)[0].id
    looked = [f"/receipts/{receipt}", "/days?kiosk=K07", "/invoices/parking_citation/260009001", "/cases", "/looks"]
    for path in looked:
        browser.page(path)
    last = [(row.operator, row.act, row.subject) for row in town.rows(tables.access)][-len(looked) :]
    assert last == [("o-audit", "looked", path) for path in looked]

    def broken(*_: object) -> None:
        raise sa.exc.OperationalError("insert", {}, Exception("disk is full"))

    monkeypatch.setattr(town.desk, "record", broken)
    answer = browser.get(f"/receipts/{receipt}")
    assert answer.status_code == 503
    assert "$" not in answer.text
    assert "insert" not in answer.text


# --- the fleet ------------------------------------------------------------------------------------------------------


def test_the_worst_kiosk_stands_first_and_each_state_has_a_word_and_a_sign(town: City) -> None:
    page = town.browser("o-view").page("/fleet")
    assert re.findall(r'<th scope="row"><a href="/kiosks/(K\d+)"', page) == ["K09", "K10", "K12", "K08", "K11", "K07"]
    badges = re.findall(r'<span class="badge is-(\w+)">([^<]+)</span>', page)
    told = {"fault": "Fault", "unknown": "Unknown", "warn": "Warning", "ok": "In service"}
    assert ("fault", "Silent") in badges
    assert {pair for pair in badges if pair[1] in told.values()} == set(told.items())


def test_a_silent_kiosk_is_never_shown_as_it_was_last(city: City) -> None:
    city.person("o-view", "view")
    city.kiosk("K07", ago_s=44, stacker_permille=420)
    browser = city.browser("o-view")
    assert "In service" in browser.page("/kiosks/K07")
    assert "42 %" in browser.page("/fleet")
    city.now_ns += 2 * NS
    for path in ("/fleet", "/fleet/rows"):
        page = browser.page(path)
        assert "42 %" not in page
        assert "plenty" not in page
        assert words(page).count("unknown") >= 3
        assert "silent for 46 seconds" in page
    kiosk = browser.page("/kiosks/K07")
    assert "Silent" in kiosk
    assert "42 %" not in kiosk
    assert "was idle" in kiosk


@pytest.mark.parametrize(
    ("told", "severity", "reason"),
    [
        ({"paper": "out"}, "fault", "paper out"),
        ({"paper": "low"}, "warn", "paper low"),
        ({"paper": "unknown"}, "unknown", "paper unknown"),
        ({"paper": "gone fishing"}, "unknown", "paper unknown"),
        ({"stacker_permille": 1000}, "fault", "stacker full"),
        ({"stacker_permille": -1}, "unknown", "stacker fill unknown"),
        ({"state": "down"}, "fault", "its core does not answer"),
        ({"state": "closed", "reasons": ("note_in_doubt",)}, "fault", "out of service: note in doubt"),
        ({"state": "unknown"}, "unknown", "nobody knows whether it is in service"),
        ({"alarms": ("cashbox_removed",)}, "fault", "box removed without an exchange"),
        ({"trusted": False}, "warn", "does not trust its clock"),
        ({"offset_ms": 60_000}, "warn", "clock off by +60.0 s"),
        ({"status": b""}, "unknown", "has told no status yet"),
        ({"status": b"[1,2"}, "unknown", "its status cannot be read"),
    ],
)
def test_what_is_wrong_and_what_nobody_knows_is_never_in_service(
    city: City, told: dict[str, object], severity: str, reason: str
) -> None:
    city.person("o-view", "view")
    city.kiosk("K07")
    city.contact("K07", **told)  # type: ignore[arg-type]
    page = city.browser("o-view").page("/fleet")
    assert f'class="row-{severity}"' in page
    assert f"<li>{reason}</li>" in page


def test_a_device_severity_that_nobody_knows_is_unknown(city: City) -> None:
    city.person("o-view", "view")
    city.kiosk("K07", devices=[{**healthy()[0], "severity": "splendid"}])
    assert 'class="row-unknown"' in city.browser("o-view").page("/fleet")


def test_what_a_kiosk_says_of_itself_is_text_and_never_part_of_the_page(city: City) -> None:
    city.person("o-view", "view")
    bad = '<img src=x onerror="alert(1)">'
    city.kiosk("K07", bad, devices=[{**healthy()[0], "severity": "error", "detail": bad}], software=bad)
    for path in ("/fleet", "/kiosks/K07"):
        page = city.browser("o-view").page(path)
        assert "<img" not in page
        assert "&lt;img" in page


# --- commands -------------------------------------------------------------------------------------------------------


def test_a_counter_is_closed_with_words_for_the_citizen_and_pressing_twice_makes_one_command(city: City) -> None:
    city.kiosk("K07")
    browser = city.browser(city.person("o-admin", "admin"))
    once = re.findall(r'name="once" value="(w[0-9a-f]{20})"', browser.page("/kiosks/K07"))[0]
    order = {
        "command": "shutter", "argument": "closed", "once": once, "reason": "Closed for repair until 3 pm.",
        "elsewhere": "City Hall, 1 Example Plaza.",
    }  # fmt: skip
    for _ in range(2):
        assert browser.post("/kiosks/K07/command", **order).status_code == 303
    (row,) = city.rows(tables.command)
    assert (row.id, row.command, row.argument, row.state) == (once, "shutter", "closed", "waiting")
    assert row.asked_by == "o-admin"
    assert row.reason == "Closed for repair until 3 pm. City Hall, 1 Example Plaza."
    with city.stores.office.connect() as connection:
        assert current(connection, "commands") == 1
    assert "waiting until the kiosk is there" in browser.page("/kiosks/K07")
    assert ("command", "K07 shutter closed") in [(each.act, each.subject) for each in city.rows(tables.access)]


@pytest.mark.parametrize(
    "order",
    [
        {"command": "shutter", "argument": "closed", "reason": "", "elsewhere": ""},
        {"command": "shutter", "argument": "closed", "reason": "Closed for repair.", "elsewhere": ""},
        {"command": "shutter", "argument": "ajar"},
        {"command": "close", "argument": "2026-11-20"},
        {"command": "close", "argument": "yesterday"},
        {"command": "resend", "argument": "all"},
        {"command": "rm -rf", "argument": "/"},
        {"command": "rotate"},
    ],
)
def test_a_command_that_makes_no_sense_is_refused_with_a_reason(city: City, order: dict[str, str]) -> None:
    city.kiosk("K07")
    browser = city.browser(city.person("o-admin", "admin"))
    answer = browser.post("/kiosks/K07/command", once="w" + "2" * 20, **order)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert city.rows(tables.command) == []


def test_a_kiosk_that_is_not_taken_in_takes_no_command(city: City) -> None:
    city.kiosk("K07", state="revoked")
    browser = city.browser(city.person("o-admin", "admin"))
    order = {"command": "shutter", "argument": "open", "once": "w" + "3" * 20}
    assert browser.post("/kiosks/K07/command", **order).status_code == 409
    assert browser.post("/kiosks/K08/command", **order).status_code == 409
    assert browser.post("/kiosks/..%2Fetc/command", **order).status_code == 404


# --- enrolment ------------------------------------------------------------------------------------------------------


def test_a_kiosk_is_taken_in_under_the_words_that_were_compared_and_under_no_other(city: City) -> None:
    six = "amber canoe river planet violin seven"
    city.kiosk("K14", state="pending")
    for purpose, key in (("transport", "k" * 40), ("journal", "ab" * 32)):
        city.put(
            tables.kiosk_key,
            {
                "purpose": purpose, "key": key, "kiosk": "K14", "epoch": 1, "state": "pending", "since_ns": 1,
                "words": six,
            },
        )  # fmt: skip
    browser = city.browser(city.person("o-admin", "admin"))
    assert all(f"<span>{word}</span>" in browser.page("/enrolment") for word in six.split())
    assert browser.post("/enrolment/approve", kiosk="K14", words=six).status_code == 400
    assert browser.post("/enrolment/approve", kiosk="K14", words="other words", compared="yes").status_code == 409
    assert [row.state for row in city.rows(tables.kiosk)] == ["pending"]
    assert browser.post("/enrolment/approve", kiosk="K14", words=six, compared="yes").status_code == 303
    assert [(row.state, row.changed_by) for row in city.rows(tables.kiosk)] == [("approved", "o-admin")]
    assert browser.post("/enrolment/revoke", kiosk="K14", reason="stolen").status_code == 303
    assert [row.state for row in city.rows(tables.kiosk)] == ["revoked"]
    acts = [row.act for row in city.rows(tables.access)]
    assert acts[-2:] == ["approved", "revoked"]


# --- findings -------------------------------------------------------------------------------------------------------


def test_findings_of_all_three_sources_are_one_list_with_filters(town: City) -> None:
    browser = town.browser("o-audit")
    page = words(browser.page("/findings"))
    assert all(word in page for word in ("fork", "unknown key", "sum differs"))
    only = words(browser.page("/findings?severity=warning"))
    assert "unknown key" in only
    assert "sum differs" not in only
    assert "fork" in words(browser.page("/findings?kiosk=K11"))
    assert "Nothing was found for this filter" in browser.page("/findings?code=no_such")


def test_every_code_of_every_part_is_explained_with_what_to_do() -> None:
    for source, codes in (("ingest", INGEST), ("front", REFUSED), ("books", POSTING)):
        told = {code: meaning(source, code) for code in codes}
        assert [code for code, (what, todo) in told.items() if not what or not todo] == []
    assert set(FRONT) == set(REFUSED)
    assert all(code in {"ingest": INGEST, "front": REFUSED, "books": POSTING}[source] for source, code in _ADVICE)


def test_a_finding_that_was_acknowledged_stays_with_the_words(city: City) -> None:
    number = city.find(tables.ingest_finding, Finding("fork", "error", "K11", 1, 4102, "two rows"))
    browser = city.browser(city.person("o-audit", "audit"))
    assert "signed two different facts" in browser.page(f"/findings/{number}")
    assert browser.post(f"/findings/{number}", note="  ").status_code == 400
    assert browser.post(f"/findings/{number}", note="Card cloned by a technician; destroyed.").status_code == 303
    page = words(browser.page(f"/findings/{number}"))
    assert "Card cloned by a technician" in page
    assert "two rows" in page
    assert "Nothing was found" in browser.page("/findings?state=open")
    assert number in browser.page("/findings?state=seen")
    assert browser.get("/findings/" + finding_id("other", "")).status_code == 404


# --- receipts and facts ---------------------------------------------------------------------------------------------


def test_a_receipt_is_found_by_its_number_its_invoice_its_date_and_its_kiosk(town: City) -> None:
    browser = town.browser("o-audit")
    rows = [row for row in town.rows(tables.receipt) if row.kiosk == "K07"]
    wanted = rows[0]
    typed = wanted.id.lower()
    assert browser.get(f"/receipts?number={typed}").headers["location"] == f"/receipts/{wanted.id}"
    invoice = next(row.number for row in town.rows(tables.payment) if row.session == wanted.session)
    assert re.findall(r'href="/receipts/([^"]+)"', browser.page(f"/receipts?invoice={invoice}")) == [wanted.id]
    dated = re.findall(r'href="/receipts/([^"]+)"', browser.page(f"/receipts?date={wanted.business_date}&kiosk=k07"))
    assert set(dated) == {row.id for row in rows if row.business_date == wanted.business_date}
    assert len(re.findall(r'href="/receipts/([^"]+)"', browser.page("/receipts?number=K07-1-00000"))) == len(rows)


def test_a_receipt_leads_to_every_fact_of_its_session_with_hash_actor_time_and_entry(town: City) -> None:
    browser = town.browser("o-audit")
    row = town.rows(tables.receipt)[0]
    page = browser.page(f"/receipts/{row.id}")
    facts = [one for one in town.rows(tables.fact) if (one.kiosk, one.session) == (row.kiosk, row.session)]
    assert len(facts) > 10
    for one in facts:
        assert f'href="/facts/{one.kiosk}/{one.epoch}/{one.seq}"' in page
    told = words(page)
    for word in ("Price confirmed", "Note credited", "Settled", "Receipt issued", "device:acceptor", "A698", "$65.00"):
        assert word in told
    own = browser.page(f"/facts/{row.kiosk}/{row.epoch}/{row.seq}")
    digest = re.search(r'<code class="hash">([0-9a-f]{64})</code>', own)
    assert digest is not None
    assert row.id.endswith(digest[1][:4]), "the number on the paper ends with the hash of its own fact"


def test_a_number_that_ends_differently_is_not_found_and_the_page_says_what_is_there(town: City) -> None:
    row = town.rows(tables.receipt)[0]
    forged = row.id[:-4] + ("0000" if not row.id.endswith("0000") else "1111")
    answer = town.browser("o-audit").get(f"/receipts/{forged}")
    assert answer.status_code == 404
    assert f"ends differently: {row.id}" in answer.text


def test_a_segment_that_was_changed_on_the_disk_shows_itself(city: City) -> None:
    till = Till(city, "K07")
    till.pay("water_bill", "1", 1000, 1000, account="F2140")
    till.send()
    with city.stores.segments.begin() as connection:
        body = connection.execute(sa.select(tables.segment.c.body)).scalar_one()
        changed = body.replace(b'"value":[1000,', b'"value":[9000,', 1)
        assert changed != body
        connection.execute(sa.update(tables.segment).values(body=changed))
    page = city.browser(city.person("o-audit", "audit")).page("/facts/K07/1/1")
    assert "do not lead to the one that the kiosk signed" in page


def test_a_row_that_is_no_fact_is_shown_as_it_came(city: City) -> None:
    city.put(
        tables.segment,
        {
            "worker": 0, "number": 1, "kiosk": "K07", "epoch": 1, "first": 1, "last": 1, "previous": bytes(32),
            "hash": bytes(32), "signature": bytes(64), "received_ns": city.now_ns, "codec": 0,
            "body": msgspec.msgpack.encode([b"<script>not a fact</script>"]),
        },
    )  # fmt: skip
    city.put(
        tables.quarantine,
        {"kiosk": "K07", "epoch": 1, "seq": 1, "worker": 0, "segment": 1, "row": 0, "reason": "cannot be read"},
    )
    page = city.browser(city.person("o-audit", "audit")).page("/facts/K07/1/1")
    assert "&lt;script&gt;not a fact" in page
    assert "Not posted: cannot be read" in page
    assert city.browser("o-audit").get("/facts/K07/1/2").status_code == 404


# --- days, invoices, cases ------------------------------------------------------------------------------------------


def test_the_days_tell_what_was_applied_by_service_and_what_is_owed_back(city: City) -> None:
    till = Till(city, "K07")
    till.pay("parking_citation", "1", 6500, 5000, 2000)
    till.pay("water_bill", "2", 4321, 5000, account="F2140")
    till.send()
    page = city.browser(city.person("o-view", "view")).page("/days")
    row = re.search(r'<tr><th scope="row">Fri 2026-11-20</th>.*?</tr>', page, re.S)
    assert row is not None
    assert words(row[0]) == "Fri 2026-11-20 K07 $65.00 $43.21 $108.21 $11.79"


def test_an_invoice_that_was_paid_twice_shows_both_payments_and_the_case(town: City) -> None:
    browser = town.browser("o-view")
    assert browser.get("/invoices?number=260009001").headers["location"] == "/invoices/parking_citation/260009001"
    page = words(browser.page("/invoices/parking_citation/260009001"))
    for word in ("$617.00", "$378.00", "$995.00", "overpayment", "K07", "K08"):
        assert word in page
    assert browser.get("/invoices/parking_citation/no-such").status_code == 404


def test_the_chart_names_every_part_and_escapes_what_it_is_given() -> None:
    drawn = str(
        bars([Bar("2026-11-20", {"a<b": 12_000}, False), Bar("2026-11-21", {}, True)], ["a<b"], {"a<b": "A<B>"}, str)
    )
    assert "<title>2026-11-20, A&lt;B&gt;: 12000</title>" in drawn
    assert "sealed until its boxes are counted" in drawn
    assert "style=" not in drawn
    assert bars([], [], {}, str) == ""
    assert all(3 <= -(-top // step_of(top)) <= 5 for top in range(1000, 10_000_000, 7_919))
