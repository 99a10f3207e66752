"""Everything that has to be green, in one command; ``./run test`` calls it, and so does CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parent.parent
PACKAGES_S = 1800
"""How long the distribution's packages are waited for."""


def shell_scripts() -> list[str]:
    """Every tracked shell script."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    names = tracked or ["run", "scripts/constraints", ".ci/run"]
    return [name for name in names if (ROOT / name).is_file() and (ROOT / name).read_bytes()[:9] == b"#!/bin/sh"]


def step(name: str, command: list[str | Path], *, quiet: bool) -> int:
    """Run one step, and say how it went; its exit code."""
    began = time.monotonic()
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=quiet, text=True, check=False)
    if done.returncode != 0:
        print(f"{name} failed:\n{done.stdout}{done.stderr}" if quiet else f"{name} failed", flush=True)
    else:
        print(f"{name}: ok, {time.monotonic() - began:.1f} s", flush=True)
    return done.returncode


def packages() -> int:
    """Wait for what installs the distribution's packages that the tests need, where ``.ci/run`` does; its exit code."""
    if not (named := os.environ.pop("CHAOSDAY_PACKAGES_ENDED", "")):
        return 0
    began = time.monotonic()
    while not (ended := Path(named)).exists():
        if time.monotonic() - began > PACKAGES_S:
            print(f"packages: failed, apt-get has not ended within {PACKAGES_S} s", flush=True)
            return 1
        time.sleep(0.2)
    code = int(ended.read_text())
    shutil.rmtree(ended.parent)
    print(f"packages: {'failed' if code else 'ok'}, waited {time.monotonic() - began:.1f} s", flush=True)
    return code


def main() -> int:
    """Run what only reads, two at a time, and then the tests; stop where one fails. Arguments go to pytest."""
    reading: dict[str, list[str | Path]] = {
        "mypy": [HERE / "mypy"],
        "ruff check": [HERE / "ruff", "check", "."],
        "ruff format": [HERE / "ruff", "format", "--check", "."],
        "import-linter": [HERE / "lint-imports"],
        "shellcheck": [HERE / "shellcheck", *shell_scripts()],
        # The tests start the program hundreds of times, and where no byte code may be written each start would compile
        # it anew, which costs a core a second.
        "byte code": [sys.executable, "-m", "compileall", "-q", "chaosday", "flows", "tasks", "blocks", "tests"],
    }
    with ThreadPoolExecutor(2) as together:
        ends = list(together.map(lambda name: step(name, reading[name], quiet=True), reading))
    if failed := [end for end in (*ends, packages()) if end]:
        return failed[0]
    # Two cores are enough for three workers: a test that waits for a server leaves its core to another.
    return step("pytest", [sys.executable, "-m", "pytest", "-n", "3", *sys.argv[1:]], quiet=False)


if __name__ == "__main__":
    sys.exit(main())
