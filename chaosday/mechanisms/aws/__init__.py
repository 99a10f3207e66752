"""What AWS targets and faults share: credentials, calls as data, selection, leases in the account."""
