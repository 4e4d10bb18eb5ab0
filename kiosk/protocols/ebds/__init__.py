"""MEI / CPI EBDS bill acceptors: frames, code tables, payloads, the host's line and the device role (EBDS sheet)."""
