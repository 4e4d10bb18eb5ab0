"""Exports of a business date to a city's accounting: each entry once for each target, a date sealed by its export."""
