"""Questions to a shell target."""
