"""What an operator of Redis does."""
