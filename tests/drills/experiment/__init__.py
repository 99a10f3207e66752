"""The experiment as a kind of run."""
