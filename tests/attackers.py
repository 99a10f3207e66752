"""The people beside us: somebody with an account on the same machine, and no more than that."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

STRANGER = 65534
BECOME = ("setpriv", "--reuid", str(STRANGER), "--regid", str(STRANGER), "--clear-groups", "--")
NEIGHBOUR = 65533
"""Somebody else, where servers of ours run under the stranger's own account."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="an attack by another user takes root to become that user")


def stranger(script: str, *words: object, uid: int = STRANGER) -> subprocess.CompletedProcess[str]:
    """Run shell text as somebody else, ``words`` as its arguments."""
    become = ("setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--")
    command = [*become, "sh", "-c", script, "sh", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", timeout=60)


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder that everybody may enter and write, as /tmp is; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="shared-"))
    folder.chmod(0o1777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
