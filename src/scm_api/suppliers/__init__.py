"""Suppliers: what they sell us, at which price, how fast, and when they are closed."""
