"""A command in a process forked from ours: what it imports is loaded once, where a program's start would cost seconds.

For commands of the kernel alone: Prefect reads its settings when it is loaded, which has happened by then.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from chaosday.cli import main


def chaosday(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Its exit code and what it printed."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        sys.stdout.flush()
        sys.stderr.flush()
        if (child := os.fork()) == 0:
            _act(words, cwd, out.fileno(), err.fileno())
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, os.waitstatus_to_exitcode(status), out.read(), err.read())


def _act(words: tuple[str, ...], cwd: Path, out: int, err: int) -> None:
    code = 70
    try:
        os.chdir(cwd)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        main(list(words))
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
