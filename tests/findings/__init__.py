"""Published findings, found again."""
