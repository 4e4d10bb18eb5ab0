"""The projector: turns segments into facts, entries, balances, cases and findings, and can do it all again."""
