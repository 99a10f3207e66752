# The recipes of a day's work; `just --list` shows them.

# Set up (once) and see a real data loss found and a real durability shown
demo:
    ./run demo

# Everything that has to be green: lint, types, layers, tests
test:
    ./run test

# Only the kernel's tests: seconds
kernel:
    .venv/bin/python -m pytest -m kernel

# Format, and mend what can be mended by itself
format:
    .venv/bin/ruff format . && .venv/bin/ruff check --fix .

# Resolve the exact versions anew, in an environment of its own
constraints:
    scripts/constraints

# Print a benchmark's figures: just figures demo --quick
figures *arguments:
    .venv/bin/python -m benchmarks {{arguments}}
