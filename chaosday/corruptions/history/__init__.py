"""Damage to the record of reads and writes: what a store that breaks its promises would have shown."""
