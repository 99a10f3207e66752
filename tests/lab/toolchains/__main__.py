"""``python -m tests.lab.toolchains NAME``: makes it if need be, and prints the folder of its programs."""

import sys

from tests.lab.toolchains import names, toolchain

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in names():
        sys.exit(f"name one of {', '.join(names())}")
    print(toolchain(sys.argv[1]))
