"""The placebo arm."""
