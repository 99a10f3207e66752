"""A project of a user's own, as ``chaosday init`` lays it down: what the wheel carries beside the kernel.

``flows``, ``tasks`` and ``blocks`` are names too common for anybody's site-packages, so that the wheel has them inside
the package, as files to copy; a checkout has them beside it.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

from chaosday import __version__
from chaosday.errors import EvidenceMissing, UsageError
from chaosday.record.outputs import unwritable

PARTS = ("flows", "tasks", "blocks", "deployments", "notebooks")
SUFFIXES = (".py", ".yaml", ".yml", ".json", ".ipynb", ".md", ".j2", ".toml", ".sh")
PYPROJECT = f"""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "my-chaos"
version = "0.1.0"
requires-python = ">=3.11,<3.14"
dependencies = ["chaosday[flows]=={__version__}"]

[project.optional-dependencies]
test = ["pytest>=8"]

[tool.hatch.build.targets.wheel]
packages = ["flows", "tasks", "blocks"]

[tool.hatch.build]
dev-mode-dirs = ["."]

[tool.prefect.server.ephemeral]
startup_timeout_seconds = 120

[tool.pytest.ini_options]
testpaths = ["tests"]
"""
TEST = '''\
"""Every file under deployments/ that describes a run is one that chaosday takes: nothing is reached or touched."""

from pathlib import Path

import pytest

from chaosday.drills.kinds import load_run

FOLDERS = ("experiments", "drills", "gameday")
FILES = [path for folder in FOLDERS for path in sorted((Path("deployments") / folder).glob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_file_is_a_run(path: Path) -> None:
    """A misspelt field, an unknown kind or a target that is not there is found here, before anything is hurt."""
    assert load_run(path).intent().title
'''
IGNORED = ".venv/\n__pycache__/\nchaosday-runs/\n"


def contents() -> dict[str, bytes]:
    """Every file of a new project by its path in it, sorted."""
    found = {"pyproject.toml": PYPROJECT.encode(), ".gitignore": IGNORED.encode(), "tests/test_files.py": TEST.encode()}
    root = _root()
    for part in PARTS:
        for path in sorted((root / part).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES:
                found[path.relative_to(root).as_posix()] = path.read_bytes()
    return dict(sorted(found.items()))


def laid_down(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files to ``folder``, which has to be new or empty: no file of anybody's is written over."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and not empty; name a new folder, or see: chaosday upgrade {folder}")
    written = []
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Whatever came to be there meanwhile is somebody's.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb") as file:
                file.write(content)
        except FileExistsError:
            raise UsageError(f"{path} came to be there meanwhile; it is left alone") from None
        except OSError as error:
            raise unwritable(path, error) from None
        written.append(path)
    return written


def differences(folder: Path) -> Iterator[str]:
    """Patches that would make ``folder`` what is laid down today, file by file; files of the user's own are no part."""
    if not (folder / "pyproject.toml").is_file():
        raise UsageError(f"{folder} is no project of chaosday init: it has no pyproject.toml")
    for name, content in contents().items():
        path = folder / name
        try:
            had = path.read_bytes() if path.is_file() else b""
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        if had != content:
            named = (f"a/{name}" if had else "/dev/null", f"b/{name}")
            yield from difflib.unified_diff(_lines(had), _lines(content), *named)


def _lines(content: bytes) -> list[str]:
    """As a patch counts them, at line feeds alone; a last one without its feed is marked as ``patch`` reads it."""
    *whole, last = content.decode(errors="replace").split("\n")
    return [f"{line}\n" for line in whole] + ([f"{last}\n\\ No newline at end of file\n"] if last else [])


def _root() -> Path:
    """Where the parts are: inside the package that a wheel installed, or beside the package of a checkout."""
    package = Path(str(resources.files("chaosday")))
    for root in (package / "project", package.parent):
        if all((root / part).is_dir() for part in PARTS):
            return root
    raise EvidenceMissing(f"{package} carries no project: install chaosday from its wheel, or in a checkout")
