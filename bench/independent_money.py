"""The independent verifier's checks of evidence, notes, settlements and slips; see `independent_verifier`."""

import hashlib
from collections import Counter

from bench.independent_facts import Journal

JUMP_NS = 2_000_000_000
BLIND = ("box_exchange", "x", "z", "test")
ABOUT = {"receipt": "settled", "credit": "settled", "disputed": "note_disputed", "suspense": "note_suspended",
         "pending": "session_closed", "box_exchange": "box_exchanged", "z": "day_closed", "x": "operator_acted",
         "test": "operator_acted"}  # fmt: skip


class Money(Journal):
    """Chain, clocks, entries, notes, settlements, slips."""

    # --- evidence ------------------------------------------------------------------------------------------

    def chain(self):
        before, last = bytes(32), None
        for fact in self.facts:
            if hashlib.sha256(before + fact.text).digest() != fact.hash:
                self.say(3, fact, "the hash does not cover the one before and this row")
            if fact.told != (fact.epoch, fact.seq):
                self.say(3, fact, f"the row says {fact.told}")
            if last is None:
                good = (fact.epoch, fact.seq, fact.kind) == (1, 1, "genesis")
            elif fact.epoch == last.epoch:
                good = fact.seq == last.seq + 1 and fact.kind not in ("genesis", "epoch_started")
            else:
                named = [fact.get("previous_" + each) for each in ("epoch", "seq", "hash")]
                good = fact.epoch > last.epoch and fact.seq == 1 and fact.kind == "epoch_started"
                if named != [last.epoch, last.seq, last.hash.hex()]:
                    self.say(36, fact, f"the new epoch names {named[:2]} as the end of the old one")
            if not good:
                self.say(3, fact, "facts are missing before this one, or an epoch begins wrongly")
            if fact.realm != self.facts[0].realm or fact.kiosk != self.facts[0].kiosk:
                self.say(30, fact, f"{fact.kiosk} ({fact.realm}) among facts of another kiosk or realm")
            before, last = fact.hash, fact
        if last is None or last.signature is None:
            self.say(3, last, "the end is not signed")

    def clocks(self):
        last, date, believed, closed_wall = None, None, False, 0
        for fact in self.facts:
            if last is not None and fact.boot == last.boot:
                if fact.mono < last.mono:
                    self.say(29, fact, "the monotonic clock fell within a boot")
                if last.wall - fact.wall >= JUMP_NS and fact.kind != "clock_jumped":
                    self.say(29, fact, "the wall clock fell and no clock_jumped tells of it")
            if fact.wall < closed_wall - JUMP_NS:
                self.say(29, fact, "the wall clock stands before a closing that was made")
                closed_wall = 0
            if fact.late is None:
                fell = last is not None and fact.wall < last.wall
                if date is not None and fact.date < date and not fell and not believed:
                    self.say(4, fact, f"dated {fact.date} after {date}")
                date = fact.date
            if fact.kind == "day_closed" and fact.get("closes_through"):
                closed_wall = fact.wall
            believed, last = fact.kind == "clock_trusted", fact

    def configuration(self):
        known, running = None, False
        for commit in self.commits.values():
            digests = commit[0].stamp["digests"][:3]
            kinds = {fact.kind for fact in commit}
            # Between two runs of the kiosk somebody else stamps: a restore, the commissioning act.
            running = running or "started" in kinds
            if not running:
                continue
            if known is not None and digests != known and "configuration_changed" not in kinds:
                self.say(35, commit[0], "software, configuration or data changed and no fact tells of it")
            known, running = digests, "stopped" not in kinds

    # --- money ---------------------------------------------------------------------------------------------

    def entries(self):
        for fact in self.facts:
            if fact.entry:
                postings = fact.entry[1]
                if not postings or sum(minor for _, minor in postings) or any(minor == 0 for _, minor in postings):
                    self.say(1, fact, f"the entry does not balance: {postings}")

    def reversals(self):
        for fact in self.of("reversed"):
            place = (fact.get("original_epoch"), fact.get("original_seq"))
            original = self.at.get(place)
            if original is None or not original.entry or place >= (fact.epoch, fact.seq):
                self.say(3, fact, f"undoes {place}, which is no earlier fact with an entry")
                continue
            both = Counter()
            for account, minor in original.entry[1] + fact.entry[1]:
                both[account] += minor
            if any(both.values()) or original.entry[0] != fact.entry[0] or place in self.reversed:
                self.say(3, fact, f"does not undo {place} exactly and once")
            if original.kind in ("settled", "note_credited", "count_closed"):
                self.say(14, fact, f"a kiosk never undoes what was {original.kind}")
            self.reversed.add(place)

    def notes(self):
        intended, booked, back = {}, {}, set()
        for fact in self.facts:
            note = tuple(fact.get("note") or ())
            value = fact.get("value")
            if fact.kind in ("stack_intended", "return_intended"):
                intended[note] = value
            elif fact.kind == "reversed":
                place = (fact.get("original_epoch"), fact.get("original_seq"))
                booked = {each: at for each, at in booked.items() if at != place}
            elif fact.kind == "note_returned" and note:
                if note in booked:
                    self.say(6, fact, f"note {note} went back and is booked")
                back.add(note)
            elif fact.kind in ("note_credited", "note_suspended", "note_disputed"):
                if note and note in booked:
                    self.say(6, fact, f"note {note} is booked twice")
                if note in back and fact.kind != "note_suspended":
                    self.say(6, fact, f"note {note} had gone back")
                if note:
                    booked[note] = (fact.epoch, fact.seq)
                moved = sum(minor for _, minor in fact.entry[1] if minor > 0) if fact.entry else None
                if moved != (value[0] if value else None) or (value and value[1] != fact.entry[0]):
                    self.say(6, fact, f"the note is {value}, its entry moves {moved}")
                unannounced = fact.get("recovered") or fact.get("means", "note") == "coin"
                if fact.kind == "note_credited" and intended.get(note, None if unannounced else 0) not in (
                    value, None):  # fmt: skip
                    self.say(6, fact, f"note {note} was credited without the intent to stack it at this value")

    def settlements(self):
        credited, quotes, frozen_held = Counter(), {}, {}
        applied, held, prices = Counter(), Counter(), {}
        for fact in self.facts:
            name = fact.stamp["session"]
            if fact.kind == "note_credited":
                credited[name] += fact.get("value")[0]
            elif fact.kind == "tender_frozen":
                quotes[name] = {(q["service"], q["number"]): q for q in fact.get("quotes")}
                frozen_held[name] = fact.get("held", [])
                for place, quote in quotes[name].items():
                    total = sum(line["minor"] for line in quote["lines"])
                    # The same invoice on the same day under the same rules and data has one price.
                    key = (place, quote["priced_on"], fact.stamp["digests"][2])
                    if prices.setdefault(key, total) != total:
                        self.say(12, fact, f"{place} cost {prices[key]} on that day, now {total}")
                    if quote["paid_minor"] < applied[place]:
                        self.say(
                            9, fact, f"{place} was paid {applied[place]}, the quote knows of {quote['paid_minor']}"
                        )
                if any(held[service, number] != minor for service, number, minor in frozen_held[name]):
                    self.say(8, fact, f"says that {frozen_held[name]} is held")
            elif fact.kind == "settled":
                parts = fact.get("allocations")
                tender, over = fact.get("tender_minor"), fact.get("overpayment_minor")
                used, kept = fact.get("used", []), fact.get("held", [])
                paid = sum(part["minor"] for part in parts)
                if credited.pop(name, 0) != tender:
                    self.say(7, fact, f"tender {tender} is not what was credited in the session")
                if tender + sum(each[2] for each in used) != paid + over + sum(each[2] for each in kept) or over < 0:
                    self.say(7, fact, "tender and what was used are not what was applied, overpaid and held")
                for service, number, minor in used:
                    held[service, number] -= minor
                for service, number, minor in kept:
                    held[service, number] += minor
                if min(held.values(), default=0) < 0:
                    self.say(8, fact, "more held money was used than there is")
                self._applied(fact, parts, quotes.get(name), applied)
            elif fact.kind == "session_closed" and credited.get(name):
                self.say(7, fact, f"{credited[name]} of tender was never settled")

    def _applied(self, fact, parts, quotes, applied):
        for part in parts:
            place = (part["service"], part["number"])
            applied[place] += part["minor"]
            quote = (quotes or {}).get(place)
            if quote is None:
                self.say(9, fact, f"{place} was not in the frozen cart")
                continue
            due = max(0, sum(line["minor"] for line in quote["lines"]) - quote["paid_minor"])
            if part["remaining_minor"] < 0 or part["minor"] + part["remaining_minor"] != due:
                self.say(
                    9, fact, f"{place} owed {due}, got {part['minor']}, {part['remaining_minor']} is said to remain"
                )

    # --- slips ---------------------------------------------------------------------------------------------

    def slips(self):
        epoch, number, kinds, numbered, copies, shown = 0, 0, Counter(), False, {}, {}
        settled = {(fact.epoch, fact.seq): fact for fact in self.of("settled") if fact.get("tender_minor")}
        for fact in self.of("receipt_issued", "print_started", "slip_presented"):
            if fact.epoch != epoch:
                epoch, number, kinds, copies, shown = fact.epoch, 0, Counter(), {}, {}
            if fact.kind == "slip_presented":
                slip, copy = fact.get("number"), fact.get("copy")
                if not shown.get(slip, -1) < copy <= copies.get(slip, -1):
                    self.say(28, fact, f"copy {copy} of slip {slip} left a mouth that it was not in")
                shown[slip] = max(shown.get(slip, -1), copy)
                continue
            if fact.kind == "print_started":
                last = copies.get(fact.get("number"), -1)
                if fact.get("copy") != last + 1 and (last, fact.get("copy")) != (-1, 1):
                    self.say(28, fact, f"copy {fact.get('copy')} of slip {fact.get('number')} after copy {last}")
                copies[fact.get("number")] = max(last, fact.get("copy"))
                continue
            number, kind, own = number + 1, fact.get("slip"), fact.get("of_kind", 0)
            if fact.get("number") != number:
                self.say(2, fact, f"slip {fact.get('number')} where {number} comes next")
            numbered, kinds[kind] = numbered or own > 0, kinds[kind] + 1
            if numbered and own != kinds[kind]:
                self.say(2, fact, f"{kind} slip {own} where {kinds[kind]} comes next")
            about = self.at.get((fact.epoch, fact.get("about_seq")))
            if about is None or about.kind != ABOUT.get(kind):
                self.say(7, fact, f"a {kind} slip about no such fact")
                continue
            if kind in BLIND and (fact.get("totals") or fact.get("lines")):
                self.say(18, fact, f"a {kind} slip tells sums")
            if about.kind == "settled":
                settled.pop((about.epoch, about.seq), None)
                totals = dict(fact.get("totals"))
                paid = sum(part["minor"] for part in about.get("allocations"))
                want = {
                    "tender": about.get("tender_minor"),
                    "applied": paid,
                    "overpayment": about.get("overpayment_minor"),
                }
                if any(totals.get(name, 0) != minor for name, minor in want.items()):
                    self.say(7, fact, f"the slip tells {totals}, the settlement {want}")
                if fact.get("lines") and sum(line["minor"] for line in fact.get("lines")) != paid:
                    self.say(13, fact, "the lines of the slip are not what was applied")
        waits = {(fact.epoch, fact.get("settled_seq")) for fact in self.of("receipt_deferred")}
        for place, fact in settled.items():
            if place not in waits:  # one that waits for its change is looked at with that
                self.say(7, fact, "a settlement without a slip")
