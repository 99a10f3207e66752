"""Physical checks: the real tools on real damage, and golden twins for every check."""
