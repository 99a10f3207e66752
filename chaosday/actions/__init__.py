"""Actions: what an operator does to bring service back."""
