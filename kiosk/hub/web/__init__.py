"""The operators' pages: fleet, findings, receipts, counted days."""
