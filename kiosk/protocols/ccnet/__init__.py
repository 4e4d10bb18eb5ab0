"""Bill validators that speak CCNET (CashCode, CPI): frames, code tables, payloads, the device role (CCNET sheet)."""
