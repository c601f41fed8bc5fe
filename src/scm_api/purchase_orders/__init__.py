"""Purchase orders: what was ordered, confirmed and changed, and what is still to come."""
