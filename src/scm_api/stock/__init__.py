"""Stock: the append-only ledger of movements, and what follows from it."""
