"""Organizations and the keys that open them."""
