"""The decision about every message of a journal: pure, a table of cases."""
