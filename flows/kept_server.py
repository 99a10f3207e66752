"""One embedded Prefect server for each user: the first command starts it, the next one finds it, and it ends when idle.

A server takes ten seconds of processor to start, which is more than most experiments. What says where it listens lies
beside Prefect's database, in files for its owner alone, one for each version and database:

``kept-KEY.lock``   held by whoever looks for the server, starts it, or takes it away
``kept-KEY.users``  held, shared, by every command that uses it: the kernel lets go for those that were killed
``kept-KEY.json``   its process, port and login; believed while that very process lives
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chaosday import __version__
from chaosday.errors import EvidenceMissing, ForeignState, Refused, Unavailable, UsageError
from chaosday.model.target import ProcessIdentity
from chaosday.processes.process_table import is_running
from chaosday.processes.turns import taken_in_turn
from chaosday.processes.umask import OURS_ALONE
from chaosday.record.owned import read_owned

IDLE = "CHAOSDAY_SERVER_IDLE_S"
IDLE_S = 600.0
TURN_S = 300.0
"""How long the start of a server by another command is waited for; Prefect's own patience is less."""
SILENT_S = 2.0
ENVIRONMENT = ("PREFECT_", "PYTHON", "LC_", "XDG_", "SSL_")
NAMES = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "USER", "LOGNAME", "DO_NOT_TRACK", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
"""What a server is told of the environment in which it happens to be started: it outlives that command."""


def idle_s() -> float:
    """How long the server stays without anybody who uses it; 0: each command has one of its own."""
    given = os.environ.get(IDLE, "")
    try:
        found = float(given) if given else IDLE_S
    except ValueError:
        found = -1
    if not 0 <= found <= 86_400:
        raise UsageError(f"{IDLE} is {given!r}: say in seconds how long a server without use stays, at most a day")
    return found


@dataclass(frozen=True)
class Kept:
    """A server that runs: its process, where it listens, and what it asks of whoever comes."""

    pid: int
    started: str
    port: int
    words: str = field(repr=False)

    @property
    def process(self) -> ProcessIdentity:
        """That very process, and no later one with its number."""
        return ProcessIdentity(pid=self.pid, started=self.started)


@dataclass(frozen=True)
class Place:
    """Where the server of one version, database and home is written down."""

    folder: Path
    key: str

    @classmethod
    def of(cls, home: Path, *more: str) -> Place:
        """The one of this Prefect, this chaosday and this interpreter."""
        from prefect import __version__ as prefect

        told = json.dumps([prefect, __version__, sys.executable, str(Path(__file__).parent), str(home), *more])
        folder = home / "chaosday"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(folder, hashlib.sha256(told.encode()).hexdigest()[:12])

    def path(self, suffix: str) -> Path:
        return self.folder / f"kept-{self.key}.{suffix}"

    def opened(self, suffix: str) -> int:
        """A descriptor for a lock; whoever has it open has the file, whatever becomes of its name."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.path(suffix), flags, 0o600)

    @contextmanager
    def locked(self, suffix: str = "lock", how: int = fcntl.LOCK_EX) -> Iterator[None]:
        """Hold a lock; ``BlockingIOError`` where it is not to be waited for and somebody has it."""
        handle = self.opened(suffix)
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def locked_in_turn(self) -> Iterator[None]:
        """Hold the lock of whoever looks for the server or starts it; who has to wait for long is told for whom.

        ``Unavailable`` where the one before us, stopped perhaps, does not let go.
        """
        handle = self.opened("lock")
        words = "waiting for another command that starts the shared Prefect server"
        try:
            if not taken_in_turn(handle, TURN_S, lambda: print(words, file=sys.stderr), silent_s=SILENT_S):
                raise Unavailable(
                    f"another command has held {self.path('lock')} for {TURN_S:.0f} s; end it, or have a server of "
                    f"your own with {IDLE}=0"
                )
            yield
        finally:
            os.close(handle)

    def read(self) -> Kept | None:
        """The server that is written down, where that very process lives; else there is none."""
        try:
            found = Kept(**json.loads(read_owned(self.path("json"))))
            return found if is_running(found.process) else None
        except (EvidenceMissing, Refused, ForeignState, ValueError, TypeError, OSError):
            return None

    def write(self, kept: Kept) -> None:
        partial = self.path("new")
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(json.dumps(asdict(kept)))
        partial.replace(self.path("json"))


def environment_of_a_server(environment: dict[str, str]) -> dict[str, str]:
    """No secret of one command's stays in a process that serves others: only what a server needs to know."""
    return {name: each for name, each in environment.items() if name in NAMES or name.startswith(ENVIRONMENT)}


def started(place: Place, words: list[str], environment: dict[str, str], told: bytes) -> subprocess.Popen[bytes]:
    """A server that outlives us, in a session of its own, with nothing of ours open."""
    said = os.open(place.path("log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            words,
            env=environment_of_a_server(environment),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            start_new_session=True,
            umask=OURS_ALONE,
        )
    finally:
        os.close(said)
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin:
        order = {"folder": str(place.folder), "key": place.key, "idle_s": idle_s()}
        process.stdin.write(told + json.dumps(order).encode() + b"\n")
    return process


def app() -> Any:
    """Prefect's server behind our door, which ends when nobody has used it for long enough."""
    from flows import door

    made = door.app()
    told = json.loads(sys.stdin.readline())
    place = Place(Path(told["folder"]), told["key"])
    threading.Thread(target=_end_when_idle, args=(place, float(told["idle_s"])), daemon=True).start()
    return made


def _end_when_idle(place: Place, idle_s: float) -> None:
    began = since = time.monotonic()
    while True:
        time.sleep(min(5.0, max(0.1, idle_s / 4)))
        known = place.read()
        ours = known is not None and known.pid == os.getpid()
        # Whoever started us writes us down once we answer, or dies before that.
        if not ours and time.monotonic() - began > max(idle_s, IDLE_S):
            break
        try:
            with place.locked("users", fcntl.LOCK_EX | fcntl.LOCK_NB):
                pass
        except BlockingIOError:
            since = time.monotonic()
        except OSError:
            break  # the folder has gone, and with it the database
        if time.monotonic() - since >= idle_s and _taken_off(place):
            break
    os.kill(os.getpid(), signal.SIGTERM)


def _taken_off(place: Place) -> bool:
    """Whether we are written down no more, and nobody uses us: from then on nobody finds us."""
    with suppress(BlockingIOError), place.locked(), place.locked("users", fcntl.LOCK_EX | fcntl.LOCK_NB):
        known = place.read()
        if known is not None and known.pid == os.getpid():
            place.path("json").unlink(missing_ok=True)
        return True
    return False


def end(process: ProcessIdentity, timeout_s: float = 10) -> None:
    """End a server of ours that does not answer."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + timeout_s
        with suppress(ProcessLookupError):
            if is_running(process):
                os.kill(process.pid, number)
        while is_running(process) and time.monotonic() < until:
            time.sleep(0.1)
