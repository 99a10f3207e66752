"""The folder of a pipeline: what lives on between runs, what a run wrote, and whether somebody's own was left alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def digest(folder: Path, names: list[str]) -> str:
    """What is in these files and folders; empty where none is named."""
    if not names:
        return ""
    said = hashlib.sha256()
    for path in sorted(_files(folder, names)):
        said.update(str(path.relative_to(folder)).encode() + b"\0")
        with contextlib.suppress(OSError):
            said.update(hashlib.sha256(path.read_bytes()).digest())
    return said.hexdigest()


def stamps(folder: Path | None) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file: by these it is seen that somebody's folder was left alone."""
    if folder is None or not folder.is_dir():
        return {}
    found = {}
    for path in _below(folder):
        with contextlib.suppress(OSError):
            status = path.lstat()
            found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found


def stamps_of(file: Path) -> dict[str, tuple[int, int]]:
    """The same of one file; nothing where it is not there."""
    with contextlib.suppress(OSError):
        status = file.stat()
        return {str(file): (status.st_size, status.st_mtime_ns)}
    return {}


def written(work: Path, original: Path | None) -> list[str]:
    """What a run left in its folder that was not there, or is changed: as paths that ``state`` takes."""
    found = set()
    for path in sorted(each for each in _below(work) if each.is_file()):
        name = path.relative_to(work)
        before = original / name if original else None
        if "__pycache__" in name.parts or (before and before.is_file() and _same(before, path)):
            continue
        # A folder that is all new is named as one.
        whole = next((p for p in reversed(name.parents[:-1]) if original is None or not (original / p).exists()), None)
        found.add(f"{whole}/" if whole else str(name))
    return sorted(found)


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


def _files(folder: Path, names: list[str]) -> set[Path]:
    found: set[Path] = set()
    for name in names:
        path = folder / name
        found |= {path} if path.is_file() else {each for each in _below(path) if each.is_file()}
    return found


def _below(folder: Path) -> Iterator[Path]:
    """Everything in it that is no folder, links not followed; a folder that goes while we look is passed over."""
    for where, _, names in os.walk(folder):
        yield from (Path(where, name) for name in names)


def carry(source: Path, destination: Path, names: list[str]) -> None:
    """Make the named files and folders of one folder those of another: what is not there goes."""
    destination.mkdir(parents=True, exist_ok=True)
    for name in names:
        old, new = source / name, destination / name
        if new.is_dir() and not new.is_symlink():
            shutil.rmtree(new)
        else:
            new.unlink(missing_ok=True)
        new.parent.mkdir(parents=True, exist_ok=True)
        if old.is_dir() and not old.is_symlink():
            shutil.copytree(old, new, symlinks=True)
        elif old.is_symlink() or old.exists():
            shutil.copy2(old, new, follow_symlinks=False)
