"""Data: what was rated, by whom and when; what is known about items; and every way in."""
