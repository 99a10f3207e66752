"""Where a pipeline runs: this interpreter, or an environment with the toolchain that it is written for."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing


@contextmanager
def stand(folder: Path, *, toolchain: str = "") -> Iterator[dict[str, Any]]:
    """Facts: ``python`` and ``bin``, the folder of its programs. ``toolchain`` is a program that lies in the
    environment's folder of programs, which is on the PATH; empty is the environment of chaosday itself."""
    found = shutil.which(toolchain) if toolchain else sys.executable
    if found is None:
        raise CapabilityMissing(
            f"no {toolchain} on the PATH; put an environment there that has it:"
            f' PATH="$(python -m tests.lab.toolchains {toolchain}):$PATH"'
        )
    place = Path(os.path.abspath(found)).parent  # noqa: PTH100 - a link into another environment is not followed
    python = place / "python" if toolchain else Path(found)
    if not python.exists():
        raise CapabilityMissing(f"{found} lies in no environment of Python's: there is no {python}")
    yield {"python": str(python), "bin": str(place)}
