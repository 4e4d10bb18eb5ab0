"""The independent verifier's checks of payouts, hoppers and slips that wait for change; see `independent_verifier`."""

from collections import Counter

from bench.independent_facts import Journal


class Change(Journal):
    """Coins: intended with their debt, let go once, ended once; floats; what a slip says of them."""

    def change(self):
        payouts, floats, values, waiting = {}, Counter(), {}, {}
        for commit in self.commits.values():
            settled = {fact.seq: fact for fact in commit if fact.kind == "settled"}
            planned = Counter()
            for fact in commit:
                kind, name, device = fact.kind, fact.get("payout"), fact.get("device")
                page = payouts.get(name)
                if kind == "payout_intended":
                    worth, coins = fact.get("value"), fact.get("coins")
                    busy = sum(p["coins"] for p in payouts.values() if p["device"] == device and p["phase"] in "is")
                    if page or fact.get("settled_seq") not in settled:
                        self.say(8, fact, f"payout {name} stands twice, or without its settlement")
                    if not 0 < coins <= floats[device] - busy or values.get(device) != worth:
                        self.say(5, fact, f"{coins} of {worth} intended, {device} holds {floats[device]}")
                    payouts[name] = {"device": device, "coins": coins, "worth": worth[0], "phase": "i", "starts": 0,
                                     "paid": 0, "doubt": 0, "of": (fact.epoch, fact.get("settled_seq"))}  # fmt: skip
                    planned[fact.get("settled_seq")] += coins * worth[0]
                elif kind.startswith("payout_"):
                    if page is None or page["device"] != device:
                        self.say(8, fact, f"payout {name} of {device} was never intended")
                        continue
                    self._payout(fact, page, floats)
                elif kind == "hopper_filled":
                    if fact.get("coins") <= 0 or (floats[device] and values[device] != fact.get("value")):
                        self.say(5, fact, f"{fact.get('coins')} of {fact.get('value')} put to {floats[device]} others")
                    self._moved(fact, fact.get("coins") * fact.get("value")[0])
                    floats[device] += fact.get("coins")
                    values[device] = fact.get("value")
                elif kind == "hopper_emptied":
                    if fact.get("expected") != floats[device]:
                        self.say(5, fact, f"expected {fact.get('expected')}, {device} holds {floats[device]}")
                    self._moved(fact, max(fact.get("expected"), fact.get("counted")) * fact.get("value")[0])
                    floats[device] = 0
                elif kind == "receipt_deferred":
                    waiting[fact.epoch, fact.get("settled_seq")] = settled.get(fact.get("settled_seq"))
                elif kind == "receipt_issued":
                    place = (fact.epoch, fact.get("about_seq"))
                    if waiting.pop(place, None) is not None:
                        self._slip(fact, self.at[place], [p for p in payouts.values() if p["of"] == place])
                elif kind == "tender_frozen" and waiting:
                    self.say(7, fact, f"a payment began before the slip of {list(waiting)}")
                    waiting = {}
                elif kind == "epoch_started":
                    waiting = {}
                if floats[device] < 0:
                    self.say(5, fact, f"{device} holds {floats[device]} coins")
            for seq, minor in planned.items():
                if minor > settled[seq].get("overpayment_minor"):
                    self.say(8, settled[seq], f"{minor} of change intended for less")
        for place in waiting:
            if not any(page["of"] == place and page["phase"] in "is" for page in payouts.values()):
                self.say(7, self.at[place], "a settlement without a slip, its change is over")
        self.floats = {device: coins for device, coins in floats.items() if device}

    def _payout(self, fact, page, floats):
        kind, was = fact.kind, page["phase"]
        if kind == "payout_started":
            page["starts"] += 1
            if was not in "is" or page["starts"] > page["coins"]:
                self.say(8, fact, "a payout was let go twice, or after its end")
            page["phase"] = "s"
            return
        if kind == "payout_resolved":
            if was != "d" or fact.get("paid") + fact.get("unpaid") != page["doubt"] or fact.get("paid") < 0:
                self.say(8, fact, f"{page['doubt']} coins were in doubt")
            self._moved(fact, page["doubt"] * page["worth"])
            page.update(phase="e", doubt=0, paid=page["paid"] + fact.get("paid"))
            floats[page["device"]] -= fact.get("paid")
            return
        if was not in "is":
            self.say(8, fact, "a payout ended twice")
            return
        if kind == "payout_ended":
            paid, doubt, rest = fact.get("paid"), 0, fact.get("unpaid")
        else:
            paid, doubt = fact.get("at_least"), fact.get("at_most") - fact.get("at_least")
            rest = page["coins"] - paid - doubt
        if min(paid, doubt, rest) < 0 or paid + doubt + rest != page["coins"] or (was == "i" and paid):
            self.say(8, fact, f"{paid} paid, {doubt} in doubt and {rest} not, of {page['coins']}")
        self._moved(fact, (paid + doubt) * page["worth"])
        page.update(phase="d" if doubt else "e", paid=paid, doubt=doubt)
        floats[page["device"]] -= paid

    def _moved(self, fact, minor):
        moved = sum(amount for _, amount in fact.entry[1] if amount > 0) if fact.entry else 0
        if moved != minor:
            self.say(1, fact, f"tells {minor}, its entry moves {moved}")

    def _slip(self, fact, settled, pages):
        want = {"change": 0, "change_disputed": 0, "change_pending": 0}
        for page in pages:
            want["change"] += page["paid"] * page["worth"]
            want["change_disputed"] += page["doubt"] * page["worth"]
            want["change_pending"] += page["coins"] * page["worth"] if page["phase"] in "is" else 0
        want["owed"] = settled.get("overpayment_minor") - sum(want.values())
        totals = dict(fact.get("totals"))
        if any(totals.get(name, 0) != minor for name, minor in want.items()):
            self.say(7, fact, f"the slip tells {totals}, the payouts {want}")
