"""Toolchains of data teams, each in an environment of its own: what they need does not go together with ours.

``NAME.txt`` beside this file pins all of an environment, dependencies included. It is made once for each content of
that file and kept in the user's cache; ``python -m tests.lab.toolchains dbt`` prints the folder of its programs.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """Those there are."""
    return sorted(file.stem for file in HERE.glob("*.txt"))


def toolchain(name: str) -> Path:
    """The folder of its programs; made where it is not there yet, which takes half a minute."""
    pins = HERE / f"{name}.txt"
    digest = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = cache() / f"{name}-{digest}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        # Two workers of a test run want the same one.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, "--no-deps", "-r", str(pins)], check=True)
            (place / "complete").touch()
    return place / "bin"


def cache() -> Path:
    """Where they are kept, over many test runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chaosday" / "toolchains"
