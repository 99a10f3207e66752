"""Faults of cloud dependencies: in the HTTP proxy before them, or in the account itself."""
