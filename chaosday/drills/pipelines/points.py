"""The points of a run: every ask, before and after the server has done it, and what would be left of it there."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from chaosday.mechanisms.wire.conversation import IDLE, Ask, Gate, Leave
from chaosday.mechanisms.wire.messages import kin

Side = Literal["before", "after"]
BEFORE: Side = "before"
AFTER: Side = "after"
WRITE = "write "
FILES = "files"
"""The channel of what is done to files that live on."""
_RANDOM = re.compile(
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?<=tmp)[a-z0-9_]{8}\b|\b(?=[a-f]*\d)[0-9a-f]{6,}\b", re.IGNORECASE
)
"""Of a file's name, what is drawn anew in each run."""
_ENDS = "; \t\r\n"
_BEGIN = re.compile(r"\s*(begin|start\s+transaction)\b[^;]*;?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Left:
    """What a crash would leave: transactions committed so far, prepared ones, and the files that live on."""

    commits: int = 0
    prepared: tuple[str, ...] = ()
    files: str = ""


@dataclass(frozen=True)
class Point:
    """One side of an ask. Its number is its place in the undisturbed run; it is found again by what it says.

    ``occurrence`` counts the asks that say the same but for literals: with threads the order of all is not the same
    twice.
    """

    number: int
    side: Side
    text: str
    occurrence: int
    left: Left
    transaction: str = "I"
    last_commit: str = ""
    """The last ask before it that left anything; where that ended a transaction, behind the last statement in it."""
    channel: str = ""
    """By what it was asked: ``connection 2``."""

    @property
    def name(self) -> str:
        return f"{self.number}.{self.side}"

    @property
    def of_files(self) -> bool:
        """Whether it is something that was done to a file, and not asked of a store."""
        return self.channel == FILES

    @property
    def kin(self) -> str:
        """What it is found again by."""
        return _kin(self.text, of_files=self.of_files)


def file_act(text: str, thread: int) -> Ask:
    """What a thread does to a file, as an ask: its connection is no connection's number."""
    return Ask(-thread, text)


def _kin(text: str, *, of_files: bool) -> str:
    return kin(_RANDOM.sub("?", text) if of_files else text)


def _kin_of(ask: Ask) -> str:
    return _kin(ask.text, of_files=ask.connection < 0)


@dataclass
class Recorder(Gate):
    """Lets all pass, asks ``look`` at every point what would be left, and tells ``committed`` of each ask that left
    anything in a store.

    Of writes to one file, one after the other with nothing in between, the first and the last are points: a long file
    is thousands. ``folded`` counts those between.
    """

    hears_of_all = True
    look: Callable[[], Left]
    committed: Callable[[str], None] = lambda text: None
    points: list[Point] = field(default_factory=list)
    unseen: int = 0
    connections: set[int] = field(default_factory=set)
    asks: int = 0
    acts: int = 0
    """What was done to files, of the asks."""
    folded: int = 0
    _counts: Counter[str] = field(default_factory=Counter)
    _open: dict[int, Point] = field(default_factory=dict)
    _last_commit: str = ""
    _in_a_row: int = 0
    _said: dict[int, str] = field(default_factory=dict)
    """What each connection has asked last within its transaction."""

    def arrived(self, ask: Ask) -> Leave:
        self.asks += 1
        of_files = ask.connection < 0
        if of_files:
            self.acts += 1
        else:
            self.connections.add(ask.connection)
        same = _kin_of(ask)
        self._counts[same] += 1
        if of_files:
            self._fold(ask)
        point = Point(self.asks, BEFORE, ask.text, self._counts[same], self.look(), ask.transaction,
                      self._last_commit, FILES if of_files else f"connection {ask.connection}")  # fmt: skip
        self._open[ask.connection] = point
        self.points.append(point)
        return Leave.GO

    def _fold(self, ask: Ask) -> None:
        """Leave out the write before, if that was one of many to the same file."""
        last = self.points[-2:]
        run = ask.text.startswith(WRITE) and len(last) == 2 and all(p.text == ask.text and p.of_files for p in last)
        self._in_a_row = self._in_a_row + 1 if run else 0
        if self._in_a_row > 1 and last[0].number == last[1].number:
            self.folded += 1
            del self.points[-2:]

    def answered(self, ask: Ask) -> Leave:
        before = self._open.pop(ask.connection)
        left = self.look()
        if left != before.left:
            # COMMIT alone is the same word for every transaction there is.
            within = self._said.get(ask.connection, "") if ask.transaction != IDLE else ""
            self._last_commit = f"{within.rstrip(_ENDS)}; {ask.text}" if within else ask.text
            if left.commits != before.left.commits or left.prepared != before.left.prepared:
                self.committed(ask.text)
        self._said[ask.connection] = ask.text
        self.points.append(replace(before, side=AFTER, left=left, last_commit=self._last_commit))
        return Leave.GO

    def passed_unseen(self, connection: int) -> None:
        self.unseen += 1


@dataclass
class Aim(Gate):
    """Stops the run at one point, cuts the connection there, or holds it; ``look`` is asked what is left then."""

    point: Point
    how: Leave = Leave.STOP
    look: Callable[[], Left] = Left
    left: Left | None = None
    went_on: bool = False
    """Whether more was asked in the connection that was disturbed."""
    done: bool = False
    """Whether the server has answered what was aimed at."""
    reached: threading.Event = field(default_factory=threading.Event)
    _counts: Counter[str] = field(default_factory=Counter)
    _aimed: Ask | None = None
    _connection: int = 0
    _kin: str = field(init=False)

    def __post_init__(self) -> None:
        self._kin = self.point.kin

    def arrived(self, ask: Ask) -> Leave:
        same = _kin_of(ask)
        self._counts[same] += 1
        if same != self._kin or self._counts[same] != self.point.occurrence:
            self.went_on = self.went_on or (self.left is not None and ask.connection == self._connection)
            return Leave.GO
        self._aimed, self._connection = ask, ask.connection
        return self._hit() if self.point.side == BEFORE else Leave.WITHHOLD

    def answered(self, ask: Ask) -> Leave:
        if ask is not self._aimed:
            return Leave.GO
        self.done = True
        return self._hit() if self.left is None else Leave.GO

    def _hit(self) -> Leave:
        self.left = self.look()
        self.reached.set()
        return self.how


def states(points: Sequence[Point]) -> list[Point]:
    """The first point of each distinct state, in order: to a process that is dead all others of it are the same."""
    first: dict[Left, Point] = {}
    for point in points:
        first.setdefault(point.left, point)
    return list(first.values())


def loose(points: Sequence[Point]) -> list[Point]:
    """The arrivals of asks that could be seen to come late: those in no transaction, and those that leave something.

    In no transaction also those that left nothing: a delete that found no row finds those of the re-run. What stands in
    one and does not end it goes with its connection.
    """
    after = {point.number: point.left for point in points if point.side == AFTER}
    return [
        point
        for point in points
        if point.side == BEFORE
        and not point.of_files
        and (after.get(point.number, point.left) != point.left or point.transaction == IDLE)
        and not _BEGIN.match(point.text)
    ]


def audited(points: Sequence[Point], count: int, seed: int) -> list[Point]:
    """A seeded sample of the points that ``states`` leaves out, in order."""
    chosen = {point.name for point in states(points)}
    rest = [point for point in points if point.name not in chosen]
    sample = random.Random(seed).sample(rest, min(count, len(rest)))
    return sorted(sample, key=lambda point: (point.number, point.side == AFTER))
