"""Repeatable benches and campaigns; each prints one JSON object as its last line."""
