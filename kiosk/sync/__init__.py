"""Reference data on its way to the kiosk: the local replica, and the import from files."""
