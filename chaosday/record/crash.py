"""What is kept of a defect of ours: its traceback without secrets, in the run directory or in the state folder."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
import re
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

from chaosday import __version__
from chaosday.errors import ChaosdayError
from chaosday.processes.login import state_folder
from chaosday.record.run_directory import RunDirectory

STARS = "***"
_NAMED = (
    r"pass(?:word|wd|phrase)?|pwd|secret\w*|token|api[_-]?key|access[_-]?key\w*|private[_-]?key|credentials?|cookie"
)
_PATTERNS = (
    (re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"), STARS),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s/@:'\"]*):[^\s/'\"]*@"), rf"\1:{STARS}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{4,}"), rf"\1 {STARS}"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), STARS),
    (
        re.compile(rf"(?i)((?:{_NAMED})['\"]?\s*[=:]\s*)(?:'[^'\n]*'|\"[^\"\n]*\"|[^\s,;)}}\]&'\"]+)"),
        rf"\g<1>{STARS}",
    ),
)  # fmt: skip
_NAMES = re.compile(rf"(?i)(?:^|_)(?:{_NAMED}|key)$")
_SHORTEST = 4
"""A value shorter than this is in too many words to be taken out of them."""


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without what looks like a secret, and without ``secrets``."""
    for secret in sorted({each for each in secrets if len(each) >= _SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, STARS)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def known_secrets() -> Iterator[str]:
    """Every secret that this process knows to be one: values of secret types that are alive, and of the environment."""
    from pydantic import SecretBytes, SecretStr

    for each in gc.get_objects():
        if isinstance(each, SecretStr):
            yield each.get_secret_value()
        elif isinstance(each, SecretBytes):
            yield each.get_secret_value().decode(errors="replace")
    # PWD is where we are, and no password.
    yield from (value for name, value in os.environ.items() if _NAMES.search(name) and not name.endswith("PWD"))


def run_of(error: BaseException) -> Path | None:
    """The directory of the run that the error came out of, as the frames on its way know it."""
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for value in list(frame.f_locals.values()):
            directory = value if isinstance(value, RunDirectory) else getattr(value, "__dict__", {}).get("directory")
            if isinstance(directory, RunDirectory) and directory.path.is_dir():
                found = directory.path
    return found


def place_of(error: BaseException) -> str:
    """The innermost place in the code, ``file.py:12``; empty where the error carries none."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{'/'.join(Path(frames[-1].filename).parts[-2:])}:{frames[-1].lineno}" if frames else ""


def keep(error: BaseException) -> Path | None:
    """Write the traceback to the run's ``crash.txt``, else to the state folder, else to a temporary file.

    None where no place takes it.
    """
    head = f"chaosday {__version__}, Python {platform.python_version()}, {platform.platform()}, {sys.argv!r}"
    text = redacted("\n".join((head, "", *traceback.format_exception(error))), known_secrets())
    run = run_of(error)
    if run is not None:
        for name in ("crash.txt", f"crash-{os.getpid()}.txt"):
            with contextlib.suppress(OSError):
                return _written(run / name, text)
    with contextlib.suppress(OSError, ChaosdayError):
        folder = state_folder() / "crashes"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _temporary(folder, text)
    with contextlib.suppress(OSError):
        return _temporary(Path(tempfile.gettempdir()), text)
    return None


def _written(path: Path, text: str) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    return _filled(descriptor, path, text)


def _temporary(folder: Path, text: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="crash-", suffix=".txt", dir=folder)
    return _filled(descriptor, Path(name), text)


def _filled(descriptor: int, path: Path, text: str) -> Path:
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return path
