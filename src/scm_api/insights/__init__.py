"""Insights: key figures computed from the ledger, each with its formula and what went into it."""
