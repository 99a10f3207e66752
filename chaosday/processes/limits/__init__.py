"""Limits: how long an act may take and how much an answer may hold, whatever the library in between does."""
