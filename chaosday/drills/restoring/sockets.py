"""A folder for the socket of a copy, which only its account may enter, and whose path is short enough."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from chaosday.servers.account import Account

LONGEST_FOLDER = 80
"""Bytes: the path of a socket has 107 at most, unix(7), and ends in /.s.PGSQL.12345.lock."""


def socket_folder(below: Path, account: Account) -> Path:
    """A new folder, ``below`` where that is not too long, else among the temporary files."""
    folder = below / "sockets"
    if len(os.fsencode(folder)) <= LONGEST_FOLDER:
        folder.mkdir(mode=0o700)
    else:
        folder = Path(tempfile.mkdtemp(prefix="chaosday-"))
    account.own(folder)
    return folder
