"""Replenishment: what to order, when, how much, and why."""
