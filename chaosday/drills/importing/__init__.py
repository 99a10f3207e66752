"""Experiments of other tools, read and rewritten as ours; nothing of them is ever run."""
