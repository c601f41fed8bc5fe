"""The audit trail: who changed what, sealed against tampering."""
