"""Documentation that is run: commands, code, generated pages."""
