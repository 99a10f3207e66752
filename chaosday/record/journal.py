"""The Journal: what *we* did, written down before it is done.

One JSON object a line, each holding the hash of the one before, each on disk before ``append`` returns.
A write that was cut short leaves a last line without its end: nothing was done on the strength of it,
so it is dropped (and said). Any other damage is ``MalformedJournal``. A journal cannot tell that whole
records are missing from its end; the hashes of a finished run directory can.

Each record also carries a MAC with the worker's key: hashes tell what was changed by accident, the
MAC who wrote it. Reading needs no key; what a journal holds is *run* (an undo) only where it is ``authentic``.

Several processes may append, one after the other (the run, its watchdog, ``chaosday recover``): each
append takes the file's lock, and reads on from where it last was.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from chaosday.clock import Clock, SystemClock
from chaosday.errors import MalformedJournal
from chaosday.model.fault import FaultPlan
from chaosday.model.lease import Lease
from chaosday.processes.process_table import boot, identity
from chaosday.record.key import is_mac, mac
from chaosday.record.owned import open_owned

_PURPOSE = "record of a journal"
GENESIS = "0" * 64
_CANONICAL = orjson.OPT_SORT_KEYS


@dataclass(frozen=True)
class Record:
    """One act: its place in the chain, when, what, and the particulars."""

    seq: int
    wall_ns: int
    monotonic_ns: int
    event: str
    data: dict[str, Any]
    prev: str
    hash: str
    mac: str = ""
    """Of ``signed``, with the key of whoever wrote it; empty in the journals of versions that had none."""

    def line(self) -> bytes:
        """The record as it stands on disk, newline included."""
        return orjson.dumps({**self._body(), "hash": self.hash}, option=_CANONICAL) + b"\n"

    def _body(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "wall_ns": self.wall_ns,
            "monotonic_ns": self.monotonic_ns,
            "event": self.event,
            "data": self.data,
            "prev": self.prev,
            **({"mac": self.mac} if self.mac else {}),
        }

    def signed(self) -> bytes:
        """What the MAC is over: everything but itself, the hash of the record before included."""
        return orjson.dumps({name: each for name, each in self._body().items() if name != "mac"}, option=_CANONICAL)

    def digest(self) -> str:
        """SHA-256 of everything but the hash itself."""
        return hashlib.sha256(orjson.dumps(self._body(), option=_CANONICAL)).hexdigest()


@dataclass(frozen=True)
class JournalReading:
    """What a journal holds; ``torn_bytes`` were at its end, cut off in the middle of a write."""

    records: list[Record]
    torn_bytes: int = 0
    whole_bytes: int = 0

    @property
    def torn(self) -> str:
        """In words, or empty."""
        if not self.torn_bytes:
            return ""
        return f"the last {self.torn_bytes} bytes were cut off in the middle of a write and are left out"

    @property
    def run(self) -> str:
        """The run that it belongs to, or empty while it holds nothing."""
        return str(self.records[0].data.get("run", "")) if self.records else ""

    def authentic(self) -> bool:
        """Whether every record was written by this worker, for this run; the hash of each holds all before it."""
        return bool(self.records) and all(is_mac(each.mac, _PURPOSE, each.signed()) for each in self.records)


@dataclass(frozen=True)
class OpenFault:
    """A fault that was armed and not yet observed clean; enough to end it from anywhere."""

    run: str
    fault: dict[str, Any]
    target_name: str
    target: dict[str, Any]
    plan: FaultPlan
    stage: str
    """The last event of its life: ``arming``, ``armed``, ``injecting``, ``injected``, ``healing`` ..."""

    @property
    def lease(self) -> Lease:
        """The undo."""
        return self.plan.lease


class Journal:
    """Append-only; use ``Journal.create`` for a new run and ``Journal.resume`` to add to an old one."""

    def __init__(self, path: Path, clock: Clock, descriptor: int) -> None:
        self.path = path
        self._clock = clock
        self._descriptor = descriptor
        self._lock = threading.RLock()
        self._end = 0
        self._seq = 0
        self._prev = GENESIS
        self.torn = ""

    @classmethod
    def create(cls, path: Path, run: str, *, clock: Clock | None = None) -> Journal:
        """Start the journal of ``run`` at ``path``, which must not exist; durable before it returns."""
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        journal = cls(path, clock or SystemClock(), descriptor)
        # Without this a power cut can take the name away and leave the records nowhere to be found.
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        owner, here = identity(os.getpid()), {"host": socket.gethostname(), "boot": boot()}
        journal.append("opened", run=run, **here, pid=owner.pid, started=owner.started)
        return journal

    @classmethod
    def resume(cls, path: Path, *, clock: Clock | None = None, shared: bool = False) -> Journal:
        """Go on with an existing journal of ours (``open_owned``); ``MalformedJournal`` if its chain is broken.

        A ``shared`` one is written by a group (the board of a game day), and nothing that it says is ever run.
        """
        flags = os.O_RDWR | os.O_APPEND
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC) if shared else open_owned(path, flags)
        journal = cls(path, clock or SystemClock(), descriptor)
        try:
            with journal._exclusive():
                journal._catch_up()
        except MalformedJournal:
            journal.close()
            raise
        return journal

    def append(self, event: str, **data: Any) -> Record:
        """Write one record and return when it is on disk; only then may the act itself be done."""
        with self._lock, self._exclusive():
            self._catch_up()
            unsigned = Record(
                self._seq, self._clock.wall_ns(), self._clock.monotonic_ns(), event, _plain(data), self._prev, ""
            )
            signed = replace(unsigned, mac=mac(_PURPOSE, unsigned.signed()))
            record = replace(signed, hash=signed.digest())
            line = record.line()
            written = 0
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
            os.fsync(self._descriptor)
            self._end, self._seq, self._prev = self._end + len(line), record.seq + 1, record.hash
            return record

    def reading(self) -> JournalReading:
        """Everything so far, from the very file that is open."""
        return parse(os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0), name=self.path.name)

    def close(self) -> None:
        """Let go of the file; any number of times."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _catch_up(self) -> None:
        """Read what others appended since; take away a line that somebody's death cut short."""
        size = os.fstat(self._descriptor).st_size
        if size == self._end:
            return
        raw = os.pread(self._descriptor, size - self._end, self._end)
        reading = parse(raw, seq=self._seq, prev=self._prev, name=self.path.name)
        self._end += reading.whole_bytes
        if reading.records:
            self._seq, self._prev = reading.records[-1].seq + 1, reading.records[-1].hash
        if reading.torn_bytes:
            self.torn = reading.torn
            os.ftruncate(self._descriptor, self._end)
            os.fsync(self._descriptor)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        # flock and not lockf: a POSIX lock is lost as soon as anybody in this process reads the file and closes it.
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def read(path: Path) -> JournalReading:
    """Every record of the journal at ``path``; needs nothing of the process that wrote it."""
    return parse(path.read_bytes(), name=path.name)


def sound_part(path: Path) -> list[Record]:
    """The records before the first one that was changed or does not follow: what a page can still be made from."""
    raw = path.read_bytes()
    lines = raw.splitlines(keepends=True)
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        try:
            parse(b"".join(lines[:middle]), name=path.name)
            low = middle
        except MalformedJournal:
            high = middle - 1
    return parse(b"".join(lines[:low]), name=path.name).records


def parse(raw: bytes, *, seq: int = 0, prev: str = GENESIS, name: str = "journal") -> JournalReading:
    """Records from bytes, the first being number ``seq`` after the hash ``prev``."""
    *lines, tail = raw.split(b"\n")
    records = []
    for line in lines:
        record = _record(line, f"{name}, record {seq}")
        if record.seq != seq or record.prev != prev:
            raise MalformedJournal(f"{name}, record {seq}: it does not follow the one before; records are missing")
        records.append(record)
        seq, prev = seq + 1, record.hash
    # A write cut short is a beginning of a line. A whole object with something behind it is a changed line end.
    if tail.rfind(b"}") not in (-1, len(tail) - 1) and _is_json(tail[: tail.rfind(b"}") + 1]):
        raise MalformedJournal(f"{name}, record {seq}: the end of its line was changed")
    return JournalReading(records, torn_bytes=len(tail), whole_bytes=len(raw) - len(tail))


@dataclass
class _Life:
    planned: dict[str, Any] = field(default_factory=dict)
    stage: str = ""


def open_faults(reading: JournalReading) -> list[OpenFault]:
    """Every fault that was armed (or was about to be) and not observed clean, in the order of arming."""
    lives: dict[str, _Life] = {}
    armed: list[str] = []
    for record in reading.records:
        lease_id = record.data.get("lease_id")
        if not isinstance(lease_id, str):
            continue
        life = lives.setdefault(lease_id, _Life())
        if record.event == "planned":
            life.planned = record.data
        if record.event == "arming" and lease_id not in armed:
            armed.append(lease_id)
        life.stage = record.event
    return [
        OpenFault(
            run=reading.run,
            fault=lives[lease_id].planned["fault"],
            target_name=lives[lease_id].planned["target_name"],
            target=lives[lease_id].planned["target"],
            plan=FaultPlan.model_validate(lives[lease_id].planned["plan"]),
            stage=lives[lease_id].stage,
        )
        for lease_id in armed
        if lives[lease_id].stage != "clean"
    ]


def _record(line: bytes, where: str) -> Record:
    try:
        said = orjson.loads(line)
        record = Record(**said)
    except (orjson.JSONDecodeError, TypeError):
        raise MalformedJournal(f"{where}: it is not a journal record") from None
    # Comparing bytes as well: a change that JSON reads the same way is still a change.
    if record.digest() != record.hash or record.line() != line + b"\n":
        raise MalformedJournal(f"{where}: its content does not match its hash; it was changed after it was written")
    return record


def _is_json(raw: bytes) -> bool:
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    """``data`` as JSON gives it back, so that what is hashed is what will be read."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS))
    return plain
