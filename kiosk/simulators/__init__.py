"""Simulated devices: the device roles of `kiosk.protocols` on real ports, driven by hands and plain-text scenarios."""
