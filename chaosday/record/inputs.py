"""Paths that a command reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import click

from chaosday.errors import UsageError

_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class InputPath(click.Path):
    """A file or folder that a command reads. One that would hold the reader for ever is refused."""

    def __init__(self, *, exists: bool = False, dir_okay: bool = True) -> None:
        super().__init__(exists=exists, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        refuse_special(path)
        return path


def refuse_special(path: Path) -> None:
    """``UsageError`` for what is neither file nor folder: opening a FIFO waits for somebody to write to it."""
    try:
        kind = _KINDS.get(stat.S_IFMT(path.stat().st_mode))
    except (OSError, ValueError):
        return
    if kind:
        raise UsageError(f"{path} is {kind}; give a regular file")
