"""Alerts: what alarms now (watching), who has to be told (shelf), how (channels), the threads of it all (service)."""
