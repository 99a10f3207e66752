"""Everything that has to be green, in one command; ``./run test`` calls it, and so does CI."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parent.parent


def shell_scripts() -> list[str]:
    """Every tracked shell script."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    names = tracked or ["run", "scripts/constraints", ".ci/run"]
    return [name for name in names if (ROOT / name).is_file() and (ROOT / name).read_bytes()[:9] == b"#!/bin/sh"]


def main() -> int:
    """Run each step, stop at the first that fails; arguments go to pytest."""
    steps = [
        ("ruff check", [HERE / "ruff", "check", "."]),
        ("ruff format", [HERE / "ruff", "format", "--check", "."]),
        ("mypy", [HERE / "mypy"]),
        ("import-linter", [HERE / "lint-imports"]),
        ("shellcheck", [HERE / "shellcheck", *shell_scripts()]),
        # The tests start the program hundreds of times, and where no byte code may be written each start would compile
        # it anew, which costs a core a second.
        ("byte code", [sys.executable, "-m", "compileall", "-q", "chaosday", "flows", "tasks", "blocks", "tests"]),
        ("pytest", [sys.executable, "-m", "pytest", "-n", "2", *sys.argv[1:]]),
    ]
    for name, command in steps:
        began = time.monotonic()
        quiet = name != "pytest"
        done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=quiet, text=True, check=False)
        if done.returncode != 0:
            print(f"{name} failed:\n{(done.stdout or '') + (done.stderr or '')}" if quiet else f"{name} failed")
            return done.returncode
        print(f"{name}: ok, {time.monotonic() - began:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
