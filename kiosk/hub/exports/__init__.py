"""Exports of a sealed business date, one format a file."""
