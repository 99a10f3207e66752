"""Restore drills: a backup is a wish until it was restored and compared."""
