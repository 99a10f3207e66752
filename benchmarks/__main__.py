"""``python -m benchmarks NAME [--quick] [--json]``: run one benchmark and print its figures."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path


def main() -> int:
    """``--quick`` takes a smaller sample; ``--json`` prints one object on standard output and nothing else there."""
    here = Path(__file__).parent
    names = sorted(path.stem for path in here.glob("*.py") if "\ndef run(" in path.read_text())
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", choices=names)
    parser.add_argument("--quick", action="store_true", help="a smaller sample, in a minute or two")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    chosen = parser.parse_args()
    figures = importlib.import_module(f"benchmarks.{chosen.name}").run(quick=chosen.quick)
    if chosen.json:
        print(json.dumps(figures))
    else:
        width = max(len(key) for key in figures)
        for key, value in figures.items():
            print(f"{key:{width}}  {value if not isinstance(value, (dict, list)) else json.dumps(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
