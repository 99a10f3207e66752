"""The HTTP fault proxy: a process before any HTTP service or AWS-compatible endpoint that hurts chosen requests."""
