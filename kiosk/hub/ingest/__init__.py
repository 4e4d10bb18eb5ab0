"""Takes journals in: a pure decision for every message, a segment committed before it is acknowledged."""
