"""The undisturbed run, twice: what the output should be, where the points are, and what differs by itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaosday.drills.pipelines.bench import Bench, Ran
from chaosday.drills.pipelines.comparing import Comparator
from chaosday.drills.pipelines.filed import Content
from chaosday.drills.pipelines.points import Left, Point, Recorder, states
from chaosday.drills.pipelines.sighting import GOLDEN, Planted, look
from chaosday.drills.pipelines.windows import Windows
from chaosday.processes.connect_gate import UNREADABLE

BASE, AGAIN, DAY_BEFORE = "base", "again", "before"
Say = Callable[[str], None]


@dataclass
class Golden:
    """What the undisturbed run showed. ``shortfalls`` are reasons, in words, why no drill can follow."""

    points: list[Point] = field(default_factory=list)
    outputs: dict[str, int] = field(default_factory=dict)
    """Rows of each output."""
    seconds: float = 0
    """How long the drilled run took."""
    restore_s: float = 0
    torn: dict[str, list[str]] = field(default_factory=dict)
    """By output, the asks after which a reader found it neither as before nor as in the end."""
    windows_left_out: int = 0
    end: Left = field(default_factory=Left)
    planted: list[Planted] = field(default_factory=list)
    uncovered: Counter[str] = field(default_factory=Counter)
    unseen: int = 0
    acts: int = 0
    """What was done to files that live on, of the asks; ``folded`` of them are no points."""
    folded: int = 0
    files_unseen: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    shortfalls: list[str] = field(default_factory=list)

    @property
    def states(self) -> list[Point]:
        return states(self.points)

    @property
    def asks(self) -> int:
        return max((point.number for point in self.points), default=0)

    def estimate_s(self, attempts: int) -> float:
        """How long so many attempts may take: half a run until it is killed, a whole one after it, and the copies."""
        return attempts * (1.5 * self.seconds + 1.5 * self.restore_s + 0.1)

    def to_dict(self) -> dict[str, Any]:
        """For the evidence, points apart."""
        return {
            "outputs": self.outputs,
            "seconds": round(self.seconds, 3),
            "asks": self.asks,
            "connections": self.connections,
            "uncovered": dict(self.uncovered),
            "unseen": self.unseen,
            "acts": self.acts,
            "folded": self.folded,
            "torn": self.torn,
        }


class Undisturbed:
    """Makes the golden run on a bench; ``over`` cuts it short."""

    def __init__(self, bench: Bench, say: Say, over: Callable[[], bool]) -> None:
        self.bench = bench
        self.comparator = Comparator(bench.copies, bench.value, bench.scratch)
        self.golden = Golden()
        self._say = say
        self._over = over

    def take(self) -> Golden:
        """The days before, the drilled day twice, and the planted damage; stops at the first shortfall."""
        for step in (self._days_before, self._drilled, self._again, self._sight):
            if self.golden.shortfalls or self._over():
                break
            step()
        self.comparator.close()
        return self.golden

    def _days_before(self) -> None:
        days = self.bench.value.days
        for number, day in enumerate(days[:-1], start=1):
            self._say(f"day {number}, undisturbed")
            self.bench.arrive(day)
            gate = Recorder(Left)
            self._judge(f"on day {number}", self.bench.run(gate, day, over=self._over), gate.asks)
            if self.golden.shortfalls or self._over():
                return
        self.bench.keep(DAY_BEFORE)
        self.bench.arrive(days[-1])
        self.bench.keep(BASE)

    def _drilled(self) -> None:
        value, golden = self.bench.value, self.golden
        self._say(f"day {len(value.days)}, undisturbed, and every ask of it noted")
        began = time.monotonic()
        self.bench.restore(BASE)
        golden.restore_s = time.monotonic() - began
        windows = Windows(self.bench.copies, value)
        recorder = Recorder(self.bench.watch(), windows.committed)
        ends: list[Left] = []
        ran = self.bench.run(recorder, value.days[-1], over=self._over, settled=lambda: ends.append(recorder.look()))
        golden.points, golden.seconds, golden.end = recorder.points, ran.seconds, ends[0]
        golden.uncovered, golden.unseen = ran.uncovered, recorder.unseen
        golden.connections, golden.files_unseen = len(recorder.connections), ran.unseen
        golden.acts, golden.folded = recorder.acts, recorder.folded
        self._judge("undisturbed", ran, recorder.asks)
        if golden.shortfalls or self._over():
            return
        self.bench.keep(GOLDEN)
        digests = {
            name: self.comparator.digest(GOLDEN, table) for name, table in self.comparator.outputs(GOLDEN).items()
        }
        golden.outputs = {name: rows for name, (rows, _) in digests.items()}
        files = self.comparator.files(GOLDEN)
        golden.outputs |= {name: content.rows.total() for name, content in files.items()}
        if (said := self._no_file(files)) is not None:
            golden.shortfalls.append(said)
            return
        golden.torn, golden.windows_left_out = windows.torn(digests), windows.left_out
        if not any(golden.outputs.values()):
            named = ", ".join(value.outputs)
            golden.shortfalls.append(
                f"outputs: after an undisturbed run there is nothing in {named} that could be lost"
            )
        elif not self.comparator.compare(GOLDEN, DAY_BEFORE):
            golden.shortfalls.append(
                "a vacuous start: the drilled run leaves its outputs as the day before left them, so that nothing could"
                " be lost or doubled; give 'days' something new to load on the last one"
            )

    def _no_file(self, files: Mapping[str, Content]) -> str | None:
        """Why an output that is a file can be compared with nothing; None where all can."""
        for name in self.bench.value.files:
            if not (self.bench.work / name).exists():
                return f"outputs: after an undisturbed run there is no {name} in the pipeline's folder"
        for name, path in self.bench.value.embedded.items():
            if not (self.bench.work / path).exists():
                return f"stores.{name}: after an undisturbed run there is no {path} in the pipeline's folder"
        for name, content in files.items():
            if content.unreadable:
                return f"outputs: {name} cannot be read after an undisturbed run: {content.unreadable}"
        return None

    def _again(self) -> None:
        """The same once more, with sequences moved on as lost transactions move them: what differs, does by itself."""
        self._say("the same once more: what differs by itself?")
        self.comparator.close()
        self.bench.restore(BASE)
        self.bench.let_sequences_go_on()
        gate = Recorder(Left)
        ran = self.bench.run(gate, self.bench.value.days[-1], over=self._over)
        # Nobody read the outputs in between: this is how long it takes by itself.
        self.golden.seconds = ran.seconds
        self._judge("undisturbed, the second time", ran, gate.asks)
        if self.golden.shortfalls or self._over():
            return
        self.bench.keep(AGAIN)
        for output, columns in self.comparator.randomness(GOLDEN, AGAIN).items():
            where = f"in {', '.join(columns)}" if columns else "in which rows or tables there are"
            self.golden.shortfalls.append(
                f"undeclared randomness: two undisturbed runs differ in {output}, {where}; name what differs by itself"
                f" under 'ignore', or make it the same"
            )

    def _sight(self) -> None:
        self._say("planting known damage into copies of the output")
        self.comparator.close()
        self.bench.restore(GOLDEN)
        self.golden.planted = look(self.comparator, self._over)

    def _judge(self, when: str, ran: Ran, asks: int) -> None:
        """Whether a run that nobody disturbed is one that can be drilled."""
        if self._over():
            return
        if unread := [address for address in ran.kept_off if address.startswith(UNREADABLE)]:
            self.golden.shortfalls.append(
                f"the command was kept off {unread[0]}, which may be any database: a process whose parent has ended"
                " cannot be looked into by this account; run the drill as root, or have the command wait for what it"
                " starts"
            )
        elif ran.kept_off:
            self.golden.shortfalls.append(
                f"the command was kept off {', '.join(sorted(ran.kept_off))}: that is a database, and no copy of the"
                " drill's; it has to take its address from the variables or the words in braces"
            )
        elif not ran.well:
            how = f"the command fails {when} ({ran.words})"
            self.golden.shortfalls.append(f"{how}, and nothing was drilled: {ran.said}")
        elif not asks:
            self.golden.shortfalls.append(
                f"the command asked nothing of any store {when}, and changed no file that lives on: it has to take its"
                " database's address from the variables or the words in braces"
            )
        elif prepared := self.bench.copies.prepared():
            self.golden.shortfalls.append(
                f"the command leaves transactions prepared {when} ({', '.join(prepared)}), and a copy cannot hold them:"
                " it has to commit or roll back what it prepares before it ends"
            )
        elif ran.daemons:
            self.golden.shortfalls.append(
                f"the command left {ran.daemons} processes running {when}: what they do is not part of the drill"
            )
