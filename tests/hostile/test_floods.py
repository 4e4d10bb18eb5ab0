"""Too much of everything: intents, posts, tabs, streams.  All of it is bounded, none of it reaches the journal."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from kiosk.checkout.intents import AcceptConditions, Begin, Cancel, EnterNumber, Pay
from kiosk.core.inbox import INBOX_LIMIT
from kiosk.model import facts
from kiosk.screen.events import MOST_STREAMS
from kiosk.screen.guard import LARGEST
from kiosk.workbench.screen_hand import amount
from tests.app.live_kiosk import LiveKiosk, live_kiosk, until


def test_ten_thousand_stale_intents_are_bounded_and_leave_no_fact() -> None:
    with live_kiosk() as kiosk:
        shot = kiosk.to_accepting()
        until(lambda: len(kiosk.bodies(facts.DeviceIdentified)) == 2, "both devices have told who they are")
        before = len(kiosk.facts())
        taken = 0
        for at in range(10_000):
            intent = (Cancel(), Pay(), Begin(), EnterNumber("1"), AcceptConditions())[at % 5]
            taken += kiosk.core.post_intent(intent, session="s" if at % 2 else shot["session"], step=at % 7 - 3)
            assert kiosk.core._inbox.qsize() <= INBOX_LIMIT
        assert taken > 0
        until(lambda: kiosk.core._inbox.qsize() == 0, "the flood is worked off")
        assert len(kiosk.facts()) == before
        again = kiosk.shot()
        assert (again["screen"], again["session"], again["step"]) == ("accepting", shot["session"], shot["step"])
        kiosk.insert(10)
        kiosk.wait_inserted(1000)
        kiosk.insert(5)
        kiosk.stage.expect_receipt(True)
        assert kiosk.booked() == kiosk.in_box == 1500


def post(kiosk: LiveKiosk, fields: dict[str, object], times: int) -> set[int]:
    """Post the same intent many times over one connection; return the answers' codes."""
    parts = urlsplit(kiosk.address())
    kiosk.screen.look()
    link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    headers = {
        "cookie": kiosk.screen._cookie, "origin": f"http://{parts.netloc}", "accept": "application/json",
        "content-type": "application/json",
    }  # fmt: skip
    found = set()
    for _ in range(times):
        link.request("POST", "/intent", json.dumps(fields).encode(), headers)
        answer = link.getresponse()
        answer.read()
        found.add(answer.status)
    link.close()
    return found


def test_posts_from_many_hands_at_once_act_once() -> None:
    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        shot = kiosk.shot()
        fields = {"intent": "begin", "session": shot["session"], "step": shot["step"], "key": kiosk.screen._page_key()}
        with ThreadPoolExecutor(8) as hands:
            codes = list(hands.map(lambda _: post(kiosk, fields, 60), range(8)))
        assert set.union(*codes) <= {202, 409}
        assert kiosk.wait("entering")["step"] == shot["step"] + 1
        facts_before = len(kiosk.facts())
        assert post(kiosk, {**fields, "key": "0" * 32}, 50) == {403}
        assert post(kiosk, {**fields, "intent": "open_drawer"}, 50) == {400}
        assert post(kiosk, {**fields, "text": "9" * (LARGEST + 10)}, 5) == {413}
        assert kiosk.shot()["screen"] == "entering"
        assert len(kiosk.facts()) == facts_before


def test_streams_beyond_the_limit_are_refused_and_money_is_taken_all_the_same() -> None:
    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        kiosk.screen.look()
        parts = urlsplit(kiosk.address())
        headers = {"cookie": kiosk.screen._cookie}
        links, codes = [], []
        for _ in range(MOST_STREAMS + 6):
            link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
            link.request("GET", "/events", headers=headers)
            answer = link.getresponse()
            codes.append(answer.status)
            links.append((link, answer))
        assert codes == [200] * MOST_STREAMS + [503] * 6
        # Nobody reads these streams; a payment goes through, and a page without a stream still sees it.
        kiosk.pay_fifteen()
        assert amount(kiosk.shot()["inserted"]).minor == 1500
        for link, answer in links:
            answer.close()
            link.close()
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)

        def free() -> bool:
            link.request("GET", "/events", headers=headers)
            answer = link.getresponse()
            if answer.status == 503:
                answer.read()
            else:
                answer.close()
            link.close()
            return answer.status == 200

        until(free, "closed streams make room")
