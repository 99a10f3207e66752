"""Tasks: one module a verb; thin, they call the kernel and show progress."""
