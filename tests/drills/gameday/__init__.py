"""Game days, sealed flags and the outage ledger."""
