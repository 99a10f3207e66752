"""The worker's key, by which it knows again what it wrote: journals, and undos that are kept with a target.

It lies in the state folder, made at first use, readable by its owner alone, and never leaves the machine by itself.
Workers that are to recover for each other are given the same one with ``$CHAOSDAY_KEY_FILE``.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from functools import cache
from pathlib import Path

from chaosday.errors import AccessDenied, Refused
from chaosday.processes.login import state_folder

KEY_VARIABLE = "CHAOSDAY_KEY_FILE"
KEY_BYTES = 32
_TRIES = 20


def mac(purpose: str, *parts: bytes) -> str:
    """HMAC-SHA256 over ``parts`` with the worker's key, in hexadecimal; one made for another ``purpose`` differs."""
    made = hmac.new(_key(_place()), digestmod=hashlib.sha256)
    for part in (purpose.encode(), *parts):
        made.update(len(part).to_bytes(8, "big") + part)
    return made.hexdigest()


def is_mac(given: str, purpose: str, *parts: bytes) -> bool:
    """Whether this worker made ``given`` over the same; compared in a time that tells nothing."""
    return hmac.compare_digest(given.encode(), mac(purpose, *parts).encode())


def run_mark(run: str) -> str:
    """What the processes of a run carry in their environment: nobody else can name it beforehand."""
    return mac("process of a run", run.encode())[:32]


def _place() -> Path:
    if given := os.environ.get(KEY_VARIABLE):
        return Path(given)
    return (Path("/var/lib/chaosday") if os.geteuid() == 0 else state_folder()) / "worker.key"


@cache
def _key(path: Path) -> bytes:
    if KEY_VARIABLE not in os.environ:
        _made(path)
    try:
        with path.open("rb") as file:
            found, content = os.fstat(file.fileno()), file.read()
    except OSError as error:
        raise AccessDenied(f"the worker's key {path} cannot be read: {error.strerror}") from None
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Refused(f"the worker's key {path} is not ours alone; see: chown {os.geteuid()} {path}; chmod 600 {path}")
    if len(content) < KEY_BYTES:
        raise Refused(
            f"the worker's key {path} holds {len(content)} bytes and needs {KEY_BYTES}; remove it for a new one"
        )
    return content


def _made(path: Path) -> None:
    """Make the key where there is none; of several that do so at once the first one wins."""
    for tried in range(_TRIES):
        try:
            # The end of this machine's last lease takes an empty state folder away, perhaps at this moment.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists():
                return
            fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            handle = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            try:
                os.write(handle, secrets.token_bytes(KEY_BYTES))
                os.fsync(handle)
                with contextlib.suppress(FileExistsError):
                    os.link(fresh, path)
            finally:
                os.close(handle)
                fresh.unlink()
            return
        except OSError as error:
            if not isinstance(error, FileNotFoundError) or tried == _TRIES - 1:
                raise AccessDenied(
                    f"the worker's key cannot be kept in {path.parent}: {error.strerror}; "
                    f"make it writable, or name a file of {KEY_BYTES} random bytes by ${KEY_VARIABLE}"
                ) from None
