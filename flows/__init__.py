"""Flows: pipelines that read aloud, and the commands that start them."""
