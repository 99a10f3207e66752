"""Who runs this process, and where things of theirs are kept; also for a uid that no passwd entry knows.

A container's random uid, or ``setpriv --reuid 12345``, has neither a name nor a home: ``getpass.getuser`` and
``Path.home`` raise there, which must not be what keeps somebody from throwing the halt switch.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from chaosday.errors import CapabilityMissing


def user_name() -> str:
    """The account's name, else its number: ``uid 12345``."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return f"uid {os.getuid()}"


def home() -> Path:
    """The home folder; ``CapabilityMissing`` where the account has none."""
    try:
        return Path.home()
    except (KeyError, RuntimeError):
        raise CapabilityMissing(
            f"uid {os.getuid()} has no home folder; name one with HOME=/a/folder/of/its/own"
        ) from None


def expanded(path: str) -> Path:
    """``path`` with its leading ``~`` replaced by a home folder; ``CapabilityMissing`` where there is none."""
    try:
        return Path(path).expanduser()
    except (KeyError, RuntimeError):
        raise CapabilityMissing(f"{path}: there is no such home folder; give the path in full") from None


def state_folder() -> Path:
    """``$XDG_STATE_HOME/chaosday``, else ``~/.local/state/chaosday``; not made here."""
    named = os.environ.get("XDG_STATE_HOME", "")
    return (Path(named) if named else home() / ".local" / "state") / "chaosday"


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/chaosday``, else ``~/.cache/chaosday``; not made here."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if named else home() / ".cache") / "chaosday"
