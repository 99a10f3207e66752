"""Questions to any SQL database."""
