"""Systems that the lab starts for a finding: one module each, with ``stand(folder, **options)``.

A stand is a context manager that yields facts: plain data which the finding's experiment is filled with.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import UnknownName, UsageError


def names() -> list[str]:
    """Every stand there is."""
    return sorted(info.name for info in pkgutil.iter_modules(__path__))


def stand(name: str, folder: Path, options: dict[str, Any]) -> AbstractContextManager[dict[str, Any]]:
    """Start a system; ``CapabilityMissing`` says what has to be installed."""
    if name not in names():
        raise UnknownName(f"no lab is called {name!r}; there are {', '.join(names())}")
    start = importlib.import_module(f"{__name__}.{name}").stand
    unknown = set(options) - set(inspect.signature(start).parameters)
    if unknown:
        raise UsageError(f"lab {name} has no option {', '.join(sorted(unknown))}")
    started: AbstractContextManager[dict[str, Any]] = start(folder, **options)
    return started


@contextmanager
def fresh(name: str, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A stand in a temporary folder of its own, which goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="chaosday-stand-"))
    # A server's own account has to get through to its data.
    folder.chmod(0o711)
    try:
        with stand(name, folder, options) as facts:
            yield facts
    finally:
        shutil.rmtree(folder, ignore_errors=True)
