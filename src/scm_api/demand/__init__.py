"""Demand: what was asked for by item, warehouse and day, and what sales already plan."""
