"""Alerts: what is alarming now (watching), who has to be told (shelf), how (channels), and the threads of it all (service)."""
