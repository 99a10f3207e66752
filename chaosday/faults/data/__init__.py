"""Data that is damaged on purpose, where it is marked as scratch, and put back."""
