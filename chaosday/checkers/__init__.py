"""The algorithms behind the checks: pure functions from a history to a result map."""
