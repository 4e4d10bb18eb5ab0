"""The facts of a journal as the independent verifier reads them, by `docs/journal-format.md` alone."""

import datetime as dt
import json
import sqlite3
from collections import Counter, defaultdict


class Fact:
    """One row as the page describes it; `commit` counts commits, `session` is the box session it fell into."""

    def __init__(self, row, commit):
        self.epoch, self.seq, self.text, self.hash, self.signature = row
        told = json.loads(self.text)
        self.kiosk, self.realm, self.stamp, self.body = told["kiosk"], told["realm"], told["stamp"], told["body"]
        self.told = (told["epoch"], told["seq"])
        self.kind, self.commit, self.session = self.body["kind"], commit, 0
        self.date = dt.date.fromisoformat(self.stamp["business_date"])
        self.late = self.stamp.get("late")
        self.wall, _, self.mono, self.boot = self.stamp["at"]
        self.entry = self.body.get("entry")

    def get(self, name, default=None):
        """A member of the body; one that a later version added has its default in older rows."""
        return self.body.get(name, default)


def load(path):
    """Read all rows in order; a commit ends with its signature."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = database.execute("SELECT epoch, seq, row, hash, signature FROM facts ORDER BY place").fetchall()
    finally:
        database.close()
    facts, commit = [], 0
    for row in rows:
        facts.append(Fact(row, commit))
        commit += row[4] is not None
    return facts


class Journal:
    """A journal under examination; `findings` grows while the checks run."""

    def __init__(self, facts):
        self.facts, self.findings = facts, []
        self.at = {(fact.epoch, fact.seq): fact for fact in facts}
        self.commits = defaultdict(list)
        for fact in facts:
            self.commits[fact.commit].append(fact)
        self.content = defaultdict(Counter)
        self.unknown = Counter()
        self.ended, self.collectors = {}, {}
        self.closing_list, self.reversed = [], set()

    def say(self, invariant, fact, detail):
        place = f"{fact.epoch}/{fact.seq}" if fact else "journal"
        self.findings.append({"invariant": invariant, "fact": place, "detail": detail})

    def of(self, *kinds):
        return (fact for fact in self.facts if fact.kind in kinds)
