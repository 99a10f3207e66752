"""What an operator does to PostgreSQL."""
