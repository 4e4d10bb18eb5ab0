"""The journal: the one place where truth is stored, an append-only chain of facts in one SQLite file."""
