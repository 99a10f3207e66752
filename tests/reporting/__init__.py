"""The report and its pictures."""
