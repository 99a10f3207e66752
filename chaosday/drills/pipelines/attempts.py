"""One point: run until there, kill, run again as the scheduler would, compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chaosday.drills.pipelines.bench import Bench, Ran
from chaosday.drills.pipelines.comparing import Comparator
from chaosday.drills.pipelines.differences import ROWS, TABLE, Difference
from chaosday.drills.pipelines.drill import Day
from chaosday.drills.pipelines.golden import BASE, Golden
from chaosday.drills.pipelines.points import Aim, Left, Point
from chaosday.drills.pipelines.sighting import GOLDEN
from chaosday.mechanisms.wire.conversation import Gate, Leave

KILL, END, CUT, LATE, ZOMBIE = "kill", "end", "cut", "late", "zombie"
NEVER_RECOVERS, STUCK = "never recovers", "stuck"
WELL = "exit 0"
TRIES = 3


@dataclass
class Attempt:
    """What became of one point: whether it was hit where we say, the re-runs, and what is wrong with the output.

    ``point`` is how it is asked for again: ``17.after`` for a kill, ``17.after.cut`` for another way.
    """

    point: str
    way: str
    state: int
    text: str = ""
    last_commit: str = ""
    audit: bool = False
    of_files: bool = False
    """Whether it is where a file was changed, and not where a store was asked."""
    hit: bool = False
    why: str = ""
    ended: str = ""
    """How the disturbed run itself ended, where it was not killed."""
    reruns: list[str] = field(default_factory=list)
    in_the_way: bool = False
    """Whether what was held went on while the re-run waited for its locks, and not after it."""
    output: str = ""
    """The last words of the last re-run, where it did not end well."""
    differences: list[Difference] = field(default_factory=list)
    uncovered: dict[str, int] = field(default_factory=dict)

    @property
    def place(self) -> object:
        """What counts as one: a crash state, or a point of another way."""
        return self.state if self.way in (KILL, END) else self.point

    @property
    def classes(self) -> list[tuple[str, str]]:
        """What is wrong, as (output, kind), sorted; empty where it is exactly once."""
        return sorted((each.output, each.kind) for each in self.differences)

    def to_dict(self) -> dict[str, Any]:
        """As evidence."""
        return vars(self) | {"differences": [each.to_dict() for each in self.differences]}


class Attempts:
    """Makes attempts on a bench whose golden run is known; ``over`` cuts one short, and None comes of it."""

    def __init__(self, bench: Bench, golden: Golden, over: Callable[[], bool]) -> None:
        self.bench = bench
        self.golden = golden
        self.comparator = Comparator(bench.copies, bench.value, bench.scratch)
        self.doubts: list[str] = []
        self._over = over
        self._last: Ran | None = None
        self._asked_again: set[tuple[str, bool]] = set()
        self._states = {point.left: number for number, point in enumerate(golden.states, start=1)}

    def kill(self, point: Point, *, audit: bool = False) -> Attempt | None:
        """SIGKILL at a point; several tries where threads make another state of it, then it is not hit."""
        attempt = self._at(point, KILL, audit)
        for _ in range(TRIES):
            aim = Aim(point)
            ran, left = self._run(aim, aim.reached.is_set)
            if self._over():
                return None
            attempt.uncovered = dict(ran.uncovered)
            attempt.hit, attempt.why = _hit(aim, ran, left, point.left)
            if attempt.hit:
                self._again(attempt)
                return self._judged(attempt)
        return attempt

    def cut(self, point: Point) -> Attempt | None:
        """The connection ends at a point, and the process lives on; whatever it makes of it is its own."""
        attempt = self._at(point, CUT)
        for _ in range(TRIES):
            self._begin_anew()
            aim = Aim(point, Leave.CUT, self.bench.watch())
            ran = self.bench.run(aim, self._day, over=self._over)
            if self._over():
                return None
            attempt.uncovered, attempt.ended = dict(ran.uncovered), ran.words
            attempt.hit, attempt.why = _hit(aim, None, aim.left, point.left)
            if attempt.hit:
                self._again(attempt, ran)
                return self._judged(attempt)
        return attempt

    def late(self, point: Point) -> Attempt | None:
        """The process is killed while what it asked is on its way, which arrives when it has been run again."""
        return self._held(self._at(point, LATE), point)

    def zombie(self, point: Point) -> Attempt | None:
        """The run stands still at a point, is taken for dead and run again beside, and goes on afterwards."""
        return self._held(self._at(point, ZOMBIE), point)

    def by(self, way: str, point: Point | None, *, audit: bool = False) -> Attempt | None:
        """The attempt at a point in one of the ways; the end has no point."""
        if point is None or way == END:
            return self.end()
        if way == KILL:
            return self.kill(point, audit=audit)
        return {CUT: self.cut, LATE: self.late, ZOMBIE: self.zombie}[way](point)

    def end(self) -> Attempt | None:
        """The run ends well, and its scheduler never hears of it."""
        last = self.golden.points[-1]
        state = self._states.get(self.golden.end, len(self._states) + 1)
        attempt = Attempt(END, END, state, "the end", last.last_commit)
        ran, left = self._run(Gate(), lambda: False)
        if self._over():
            return None
        attempt.uncovered = dict(ran.uncovered)
        attempt.hit = ran.well and left.commits == self.golden.end.commits
        attempt.why = f"it ended with {ran.words}, {left.commits} transactions committed"
        if not attempt.hit:
            return attempt
        self._again(attempt)
        return self._judged(attempt)

    @property
    def _day(self) -> Day:
        return self.bench.value.days[-1]

    def _at(self, point: Point, way: str, audit: bool = False) -> Attempt:
        name = point.name if way == KILL else f"{point.name}.{way}"
        return Attempt(name, way, self._states[point.left], point.text, point.last_commit, audit,
                       point.of_files)  # fmt: skip

    def _begin_anew(self) -> None:
        self.comparator.close()
        self.bench.restore(BASE)

    def _run(self, gate: Gate, reached: Callable[[], bool]) -> tuple[Ran, Left]:
        self._begin_anew()
        look = self.bench.watch()
        left: list[Left] = []
        ran = self.bench.run(gate, self._day, reached=reached, over=self._over, settled=lambda: left.append(look()))
        return ran, left[0]

    def _held(self, attempt: Attempt, point: Point) -> Attempt | None:
        for _ in range(TRIES):
            self._begin_anew()
            aim = Aim(point, Leave.HOLD, self.bench.watch())
            with self.bench.held(aim, self._day, dead=attempt.way == LATE, over=self._over) as held:
                attempt.hit, attempt.why = _hit(aim, held.ran if attempt.way == LATE else None, aim.left, point.left)
                if attempt.hit and not self._over():
                    # A scheduler that tries twice tries the second time when the first has come back.
                    self._again(attempt, reruns=1)
                    ended = held.go_on()
                    attempt.in_the_way, attempt.ended = held.in_the_way, "" if held.dead else ended.words
                    # A run that lives may have been fenced off meanwhile: it ends, and what it asked comes nowhere.
                    if ended.in_flight or (not aim.done and (attempt.way == LATE or ended.code is None)):
                        said = [*ended.in_flight, "it never reached the server"][0]
                        attempt.hit, attempt.why = False, f"what was held did not come to its end: {said}"
                        return attempt
                    if not ended.well:
                        self._again(attempt, self._last)
            if self._over():
                return None
            attempt.uncovered |= dict(held.ran.uncovered)
            if attempt.hit:
                return self._judged(attempt)
        return attempt

    def _again(self, attempt: Attempt, last: Ran | None = None, reruns: int = 0) -> None:
        """Run it as its scheduler would after ``last``, which it heard of; None is a run that did not come back."""
        schedule = self.bench.value.schedule
        self._last = last
        while len(attempt.reruns) < (reruns or schedule.reruns) and not self._over():
            if last is not None and (last.well or _how(last) not in schedule.on_exit):
                break
            self._last = last = self.bench.run(Gate(), self._day, over=self._over)
            attempt.reruns.append(last.words)
            attempt.uncovered |= dict(last.uncovered)

    def _judged(self, attempt: Attempt) -> Attempt | None:
        import psycopg

        if self._over():
            return None
        try:
            attempt.differences = self.comparator.compare(GOLDEN)
        except psycopg.errors.LockNotAvailable:
            # Whoever reads the output waits for ever: of what the dead left only a prepared transaction does that.
            self.comparator.close()
            attempt.differences = [Difference("the output", STUCK, 1)]
            return attempt
        ran = self._last
        if ran is not None and not ran.well and attempt.ended != WELL:
            attempt.output = ran.output
            kind = STUCK if ran.timed_out else NEVER_RECOVERS
            attempt.differences.insert(0, Difference("the re-run", kind, len(attempt.reruns) or 1))
        self._ask_again(attempt)
        return attempt

    def _ask_again(self, attempt: Attempt) -> None:
        """The first time that an output is found right, and the first time that it is found wrong, ``reconcile`` is
        asked as well: two programs that share no code have to agree."""
        wrong = {each.output for each in attempt.differences if each.kind in ROWS and each.sample != TABLE}
        otherwise = {each.output for each in attempt.differences} - wrong
        for name, table in self.comparator.outputs(GOLDEN).items():
            if (name, name in wrong) in self._asked_again or name in otherwise:
                continue
            self._asked_again.add((name, name in wrong))
            equal = self.comparator.by_reconcile(GOLDEN, table)
            if equal is not (name not in wrong):
                said = {True: "equal", False: "different", None: "not to be compared"}[equal]
                found = "different" if name in wrong else "equal"
                self.doubts.append(f"{name} at point {attempt.point}: we find it {found}, reconcile finds it {said}")
        self.comparator.close()


def _how(ran: Ran) -> str:
    return "nonzero" if (ran.code or 0) > 0 else "killed"


def _hit(aim: Aim, ran: Ran | None, left: Left | None, expected: Left) -> tuple[bool, str]:
    """Whether the run was disturbed where we say: what is left is asked of the server, and not of the proxy.

    ``ran`` is how it ended, where it is to have been killed there.
    """
    if not aim.reached.is_set() or left is None:
        return False, "not reached: the run ended before it came there" + (f" ({ran.words})" if ran else "")
    if ran is not None and ran.code is not None and ran.code >= 0:
        return False, f"it ended by itself at that point ({ran.words})"
    if ran is not None and ran.in_flight:
        return False, f"the server was still at it long after: {ran.in_flight[0]}"
    if aim.how is Leave.CUT and aim.went_on:
        return False, "more was asked in the connection that was to be cut"
    counted = f"{left.commits} transactions committed, {expected.commits} were expected there"
    if (left.commits, len(left.prepared)) != (expected.commits, len(expected.prepared)):
        return False, f"another state than in the undisturbed run: {counted}"
    return True, f"it was there; {counted}"
