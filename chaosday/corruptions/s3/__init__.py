"""Known damage to objects that were read back from an object store, or to what was said about them."""
