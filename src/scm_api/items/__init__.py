"""Items: what is bought, stored and sold."""
