"""Python children of ours: none of them looks for modules in the current folder.

``python -m`` and ``-c`` put it first, before the standard library: whoever owns the folder that somebody works in would
have an ``argparse.py`` of theirs run in our name.
"""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

HERE = Path(__file__).parents[2]
"""The folder that holds the package."""


def python() -> list[str]:
    """How a child begins: this interpreter, without the current folder."""
    return [sys.executable, "-P"]


def python_environment() -> dict[str, str]:
    """Our environment, with a checkout that is not installed on the path of modules, and nothing else added."""
    given = os.environ.get("PYTHONPATH", "")
    reached = {*site.getsitepackages(), site.getusersitepackages()}
    # An empty entry would be the current folder again.
    paths = [*([] if str(HERE) in reached else [str(HERE)]), *filter(None, given.split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
