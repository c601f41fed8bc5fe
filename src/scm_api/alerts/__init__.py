"""Alerts: what needs somebody's attention, on which numbers, and what could be done about it."""
