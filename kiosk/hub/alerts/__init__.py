"""Tells people at once: by webhook or mail, within a minute, again until it arrived."""
