"""The independent verifier's checks of boxes, closings, counts and people; see `independent_verifier`."""

import datetime as dt
from collections import Counter, defaultdict

from bench.independent_facts import Journal

DESK_NS = 900_000_000_000
NEEDS = {"exchange_authorised": "collect", "box_exchanged": "collect", "exchange_abandoned": "collect",
         "box_received": "count", "box_counted": "count", "count_closed": "count", "commissioned": "admin",
         "hopper_filled": "collect", "hopper_emptied": "collect", "payout_resolved": "collect",
         "alarm_acknowledged": "operate", "shutter_changed": "operate", "slip_acknowledged": "operate",
         "operator_acted": "operate"}  # fmt: skip


class Custody(Journal):
    """Box sessions, closings, reports, counts, people, the commissioning act."""

    # --- boxes and days ------------------------------------------------------------------------------------

    def boxes(self):
        session, present, exchange = 1, True, None
        for commit in self.commits.values():
            begun, closed = session, None
            alarm = any(fact.kind == "alarm_raised" for fact in commit)
            for fact in commit:
                fact.session = session
                if fact.stamp["box_session"] != begun and fact.kind != "epoch_started":
                    self.say(5, fact, f"stamped {fact.stamp['box_session']}, the box session is {begun}")
                following = None
                if fact.kind in ("note_credited", "note_suspended"):
                    if fact.get("value"):
                        self.content[session][fact.get("value")[1], fact.get("value")[0]] += 1
                    else:
                        self.unknown[session] += 1
                elif fact.kind == "day_closed":
                    closed = fact
                elif fact.kind == "exchange_authorised":
                    exchange = fact
                    if not fact.get("first") or fact.get("first") == fact.get("second"):
                        self.say(17, fact, "an exchange is signed by two people")
                elif fact.kind == "cashbox_changed":
                    if fact.get("removed") != present:
                        self.say(27, fact, "the box went twice the same way")
                    present, authority = not fact.get("removed"), fact.get("authority", "")
                    if authority == "exchange" and exchange is None:
                        self.say(27, fact, "moved within an exchange that nobody signed for")
                    if (authority == "none" and fact.get("removed")) or (not authority and not fact.get("removed")):
                        following = fact
                        if authority and not alarm:
                            self.say(27, fact, "a removal without authority has no alarm")
                elif fact.kind == "box_exchanged":
                    names = ("old_box", "new_box", "seal", "first", "second")
                    if exchange is None or any(exchange.get(name) != fact.get(name) for name in names):
                        self.say(27, fact, "the exchange is not the one that was authorised")
                    self.collectors[session] = {fact.get("first"), fact.get("second")}
                    following, exchange = fact, None
                elif fact.kind == "exchange_abandoned":
                    following, exchange = (fact if fact.get("was_removed") else None), None
                    if following and not alarm:
                        self.say(27, fact, "the box had been out and there is no alarm")
                if following is not None:
                    if following.get("box_session") != session + 1:
                        self.say(5, fact, f"box session {following.get('box_session')} after {session}")
                    if fact.get("authority", "-") and (closed is None or closed.get("box_session") != session):
                        self.say(22, fact, "a box session ended without a Z in the same commit")
                    self.ended[session] = fact
                    session, closed = session + 1, None

    def closings(self):
        number = total = 0
        period, before, dates = [], None, []
        for commit in self.commits.values():
            closed = list(dates)
            for fact in commit:
                by = next((z for through, z in closed if through >= fact.date), 0)
                want = [str(closed[-1][0] + dt.timedelta(1)), by] if by else None
                if fact.late != want and fact.kind != "epoch_started":
                    self.say(4, fact, f"dated {fact.date}, closed by Z {by}: late is {fact.late}, not {want}")
                if fact.kind == "day_closed":
                    number += 1
                    total += self._closing(fact, number, period, before)
                    if fact.get("grand_total_minor") != total:
                        self.say(23, fact, f"grand total {fact.get('grand_total_minor')}, the closings sum to {total}")
                    through = fact.get("closes_through")
                    if (through is None) != (fact.get("cause") in ("exchange", "removal")):
                        self.say(4, fact, f"a closing by {fact.get('cause')} closes {through}")
                    if through and (date := dt.date.fromisoformat(through)):
                        if (dates and date <= dates[-1][0]) or date > fact.date:
                            self.say(4, fact, f"closes {date} after {dates[-1][0] if dates else 'nothing'}")
                        dates.append((date, fact.get("number")))
                    period = []
                period.append(fact)
                before = fact
        self.grand_total = total

    def _closing(self, fact, number, period, before):
        """Rebuild a period from its facts; return what it took."""
        told = fact.get("period")
        if fact.get("number") != number:
            self.say(23, fact, f"Z {fact.get('number')} where {number} comes next")
        if [fact.get("through_" + each) for each in ("epoch", "seq", "hash")] != [
            before.epoch, before.seq, before.hash.hex()]:  # fmt: skip
            self.say(23, fact, "does not name the fact right before it")
        notes, unknown, accounts, slips, sessions = Counter(), 0, Counter(), {}, set()
        for each in period:
            if each.kind in ("note_credited", "note_suspended"):
                sessions.add(each.session)
                if each.get("value"):
                    notes[each.get("value")[1], each.get("value")[0]] += 1
                else:
                    unknown += 1
            for account, minor in each.entry[1] if each.entry else ():
                accounts[each.entry[0], account] += minor
            if each.kind == "receipt_issued" and each.get("of_kind", 0) and each.epoch == fact.epoch:
                slips.setdefault(each.get("slip"), []).append(each.get("of_kind"))
        kinds = Counter(each.kind for each in period)
        copies = sum(each.kind == "print_started" and each.get("copy") > 0 for each in period)
        taken = sum(value * count for (code, value), count in notes.items() if code == fact.get("currency"))
        rebuilt = {
            "notes": sorted([code, value, count] for (code, value), count in notes.items()), "unknown_notes": unknown,
            "taken_minor": taken, "payments": kinds["settled"], "reprints": copies,
            "accounts": sorted([code, account, minor] for (code, account), minor in accounts.items() if minor),
            "slips": sorted([kind, min(numbers), max(numbers)] for kind, numbers in slips.items()),
        }  # fmt: skip
        for name, value in rebuilt.items():
            said = sorted(told[name]) if isinstance(told[name], list) else told[name]
            if said != value:
                self.say(28 if name == "reprints" else 23, fact, f"{name}: told {said}, rebuilt {value}"[:300])
        if sessions - {fact.get("box_session")} or fact.get("box_session") != fact.session:
            self.say(22, fact, f"Z {number} is said to lie in box {fact.get('box_session')}, its notes in {sessions}")
        self.closing_list.append({"number": number, "box_session": fact.session, "cause": fact.get("cause"),
                                  "taken_minor": taken, "closes_through": fact.get("closes_through")})  # fmt: skip
        return taken

    def reports(self):
        for fact in self.of("operator_acted"):
            around = sorted(each.kind for each in self.commits[fact.commit])
            if fact.get("act") == "report_x" and around != ["operator_acted", "receipt_issued"]:
                self.say(24, fact, f"an X report came with {around}")

    def counts(self):
        received, attempts, done = set(), defaultdict(list), set()
        cash = {fact.entry[0]: account for fact in self.of("note_credited", "note_suspended") if fact.entry
                for account, minor in fact.entry[1] if minor > 0}  # fmt: skip
        for fact in self.of("box_received", "box_counted", "count_closed"):
            session, code = fact.get("box_session"), fact.get("currency")
            ended = self.ended.get(session)
            if ended is None or (ended.epoch, ended.seq) > (fact.epoch, fact.seq) or session in done:
                self.say(18, fact, f"box session {session} cannot be counted now")
            if fact.kind == "box_received":
                received.add(session)
                continue
            tries = attempts[session]
            if fact.kind == "box_counted":
                early = session not in received or (tries and tries[-1].get("final"))
                if fact.get("attempt") != len(tries) + 1 or early:
                    self.say(18, fact, f"attempt {fact.get('attempt')} after {len(tries)}")
                if sum(n * v for c, v, n in fact.get("notes") if c == code) != fact.get("total_minor"):
                    self.say(18, fact, "the notes are not the sum")
                tries.append(fact)
                continue
            done.add(session)
            final = tries[-1] if tries and tries[-1].get("final") else None
            want, got, off = (fact.get(name) for name in ("expected_minor", "counted_minor", "over_short_minor"))
            if final is None or (final.get("attempt"), final.get("total_minor")) != (fact.get("attempt"), got):
                self.say(18, fact, "does not compare the final attempt")
            content = sum(value * count for (c, value), count in self.content[session].items() if c == code)
            if want != content or off != got - want:
                self.say(5, fact, f"expected {want}, the notes sum to {content}; counted {got}, over/short {off}")
            self._booked(fact, cash.get(code, ""), want, got, off)
            by, second = fact.get("by"), fact.get("second")
            if (abs(off) > 500 or abs(off) * 1000 > want * 5) and not second:
                self.say(19, fact, f"a difference of {off} at {want} has one signature")
            counters = {by, *(each.get("by") for each in tries)}
            held = {"collector_counted": self.collectors.get(session, set()) & counters,
                    "collector_signed": {second} & self.collectors.get(session, set()),
                    "counter_signed": {second} & (counters - {by})}  # fmt: skip
            missing = [name for name, people in held.items() if people and name not in fact.get("separation")]
            if missing or (second and second == by):
                self.say(20, fact, f"duties held together and not told: {missing}")

    def _booked(self, fact, box, want, got, off):
        out = Counter(account for account, _ in fact.entry[1]) if fact.entry else Counter()
        moved = dict(fact.entry[1]) if fact.entry else {}
        rest = sorted(minor for account, minor in moved.items() if account != box or not want)
        right = sorted(minor for minor in (got, -off) if minor)
        if (want and moved.get(box) != -want) or rest != right or any(count > 1 for count in out.values()):
            self.say(19, fact, f"expected {want}, counted {got}: booked {moved}")

    # --- people --------------------------------------------------------------------------------------------

    def people(self):
        menu, roles, desk, seconds = "", set(), {}, {}
        for fact in self.facts:
            body, actor = fact.body, fact.stamp["actor"]
            if fact.kind in ("started", "genesis", "epoch_started"):
                menu, roles, desk, seconds = "", set(), {}, {}
                continue
            if fact.kind == "operator_signed_out":
                desk.pop(body["person"], None)
                if body["person"] == menu:
                    menu, roles, seconds = "", set(), {}
                continue
            if fact.kind == "operator_signed_in":
                held = set(body["roles"]) | ({"operate"} if "admin" in body["roles"] else set())
                if body["purpose"] == "menu":
                    menu, roles, seconds = body["person"], held, {}
                elif body["purpose"] == "second":
                    seconds[body["person"]] = held
                else:
                    desk[body["person"]] = (held, fact.mono)
                continue
            who, _, person = actor.partition(":")
            known = who in ("kiosk", "citizen", "device", "operator", "admin", "hub")
            if not known or (who in ("operator", "hub") and not person):
                self.say(35, fact, f"nobody is called {actor!r}")
            need = NEEDS.get(fact.kind, "")
            if fact.kind == "operator_acted":
                need = {"realm": "admin", "saw_expected": "audit"}.get(body["act"], "operate")
            if fact.kind == "day_closed" and body["cause"] == "operator":
                need = "close"
                if who != "operator":
                    self.say(20, fact, "a closing by an operator has none")
            if who != "operator" or fact.kind == "operator_refused":
                continue
            held = roles if person == menu else None
            if held is None and person in desk and fact.mono - desk[person][1] <= DESK_NS:
                held = desk[person][0]
            if held is None or (need and need not in held):
                self.say(20, fact, f"{person} acted without having signed in for {need or 'it'}")
            if fact.kind == "exchange_authorised" and "collect" not in seconds.get(body["second"], ()):
                self.say(20, fact, f"{body['second']} did not sign")

    def hub(self):
        """A hub acts by its commands alone, in its own name, and each of them comes to one end."""
        ended = {}
        for commit in self.commits.values():
            orders = [fact for fact in commit if fact.kind == "hub_commanded"]
            for fact in commit:
                actor = fact.stamp["actor"]
                if fact.kind == "hub_commanded":
                    told = {name: value for name, value in fact.body.items() if name not in ("outcome", "detail")}
                    before = ended.get(fact.get("id"))
                    if actor != "hub:" + fact.get("hub"):
                        self.say(35, fact, f"{actor} commanded for {fact.get('hub')}")
                    if before and (before[0] != "waiting" or fact.get("outcome") == "waiting" or before[1] != told):
                        self.say(35, fact, f"command {fact.get('id')} came to an end twice")
                    ended[fact.get("id")] = (fact.get("outcome"), told)
                elif fact.kind == "shutter_changed" and fact.get("by").startswith("hub:"):
                    want = ("shutter", "closed" if fact.get("closed") else "open", "done", fact.get("by"))
                    asked = [(each.get("command"), each.get("argument"), each.get("outcome"), "hub:" + each.get("hub"))
                             for each in orders]  # fmt: skip
                    if want not in asked or actor != fact.get("by"):
                        self.say(35, fact, "the shutter moved in a hub's name and nobody there asked for it")
                elif actor.startswith("hub:") or (fact.kind in ("people_adopted", "pack_adopted") and actor != "kiosk"):
                    self.say(35, fact, f"{actor} cannot have done this")

    def commissioning(self):
        if not self.facts or self.facts[0].realm != "live":
            return
        for fact in self.facts:
            if fact.kind == "commissioned":
                return
            if fact.kind in ("note_credited", "note_suspended", "note_disputed"):
                self.say(30, fact, "a live journal took money before it was put into service")
                return
