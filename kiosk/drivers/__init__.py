"""Device drivers, one device family a file, sans-I/O.  Each sees only `kiosk.api` and `kiosk.protocols`."""
