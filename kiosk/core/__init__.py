"""The running kiosk: the only threads, the kernel that owns all state, and what it lends to devices and screens."""
