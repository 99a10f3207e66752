"""A store of our own that is broken on purpose, one switch for each way."""
