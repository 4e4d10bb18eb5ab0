"""JCM ID003 bill acceptors: frames, code tables, payloads and the device role (ID003 sheet)."""
