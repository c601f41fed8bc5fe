"""Warehouses and the locations in them, the places stock can be."""
