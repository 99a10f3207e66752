"""File systems and block devices of ours: what storage faults are made of."""
