"""The kernel: transactions, the wire contract, events and jobs. It knows no business domain."""
