"""``python -m benchmarks NAME [--quick] [--json]``: run ``benchmarks.NAME.run`` and print what it measured."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    """Run one benchmark; ``--json`` prints one object on stdout and nothing else."""
    here = Path(__file__).parent
    names = sorted(path.stem for path in here.glob("*.py") if re.search(r"^def run\(", path.read_text(), re.MULTILINE))
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("name", choices=names)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer repetitions")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    asked = parser.parse_args()
    measured: dict[str, Any] = importlib.import_module(f"benchmarks.{asked.name}").run(asked.quick)
    if asked.json:
        print(json.dumps(measured))
        return 0
    for name, value in measured.items():
        shown = ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value
        print(f"{name:28} {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
