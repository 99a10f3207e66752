"""Read-only questions to PostgreSQL."""
