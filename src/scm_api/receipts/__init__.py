"""Receipts: goods that arrived, against purchase orders or without one."""
