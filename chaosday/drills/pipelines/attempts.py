"""One point: run until there, kill, run again as the scheduler would, compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chaosday.drills.pipelines.bench import Bench, Ran
from chaosday.drills.pipelines.comparing import ROWS, TABLE, Comparator, Difference
from chaosday.drills.pipelines.golden import BASE, Golden
from chaosday.drills.pipelines.points import Aim, Left, Point
from chaosday.drills.pipelines.sighting import GOLDEN
from chaosday.mechanisms.wire.conversation import Gate

END = "end"
NEVER_RECOVERS, STUCK = "never recovers", "stuck"
TRIES = 3


@dataclass
class Attempt:
    """What became of one point: whether it was hit where we say, the re-runs, and what is wrong with the output."""

    point: str
    way: str
    state: int
    text: str = ""
    last_commit: str = ""
    audit: bool = False
    hit: bool = False
    why: str = ""
    reruns: list[str] = field(default_factory=list)
    output: str = ""
    """The last words of the last re-run, where it did not end well."""
    differences: list[Difference] = field(default_factory=list)
    uncovered: dict[str, int] = field(default_factory=dict)

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
        self.comparator = Comparator(bench.copies, bench.value)
        self.doubts: list[str] = []
        self._over = over
        self._asked_again: set[tuple[str, bool]] = set()
        self._states = {point.left: number for number, point in enumerate(golden.states, start=1)}

    def kill(self, point: Point, *, audit: bool = False) -> Attempt | None:
        """SIGKILL at a point; several tries where threads make another state of it, then it is not hit."""
        attempt = Attempt(point.name, "kill", self._states[point.left], point.text, point.last_commit, audit)
        for _ in range(TRIES):
            aim = Aim(point)
            ran, left = self._run(aim, aim.reached.is_set)
            if self._over():
                return None
            attempt.uncovered = dict(ran.uncovered)
            attempt.hit, attempt.why = _hit(aim, ran, left, point.left)
            if attempt.hit:
                break
        return self._go_on(attempt) if attempt.hit else attempt

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
        return self._go_on(attempt) if attempt.hit else attempt

    def _run(self, gate: Gate, reached: Callable[[], bool]) -> tuple[Ran, Left]:
        self.comparator.close()
        self.bench.restore(BASE)
        look = self.bench.watch()
        left: list[Left] = []
        ran = self.bench.run(
            gate, self.bench.value.days[-1], reached=reached, over=self._over, settled=lambda: left.append(look())
        )
        return ran, left[0]

    def _go_on(self, attempt: Attempt) -> Attempt | None:
        schedule = self.bench.value.schedule
        ran: Ran | None = None
        for _ in range(schedule.reruns):
            ran = self.bench.run(Gate(), self.bench.value.days[-1], over=self._over)
            if self._over():
                return None
            attempt.reruns.append(ran.words)
            attempt.uncovered |= dict(ran.uncovered)
            if ran.well or ("nonzero" if (ran.code or 0) > 0 else "killed") not in schedule.on_exit:
                break
        attempt.differences = self.comparator.compare(GOLDEN)
        if ran is not None and not ran.well:
            attempt.output = ran.output
            kind = STUCK if ran.timed_out else NEVER_RECOVERS
            attempt.differences.insert(0, Difference("the re-run", kind, len(attempt.reruns)))
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


def _hit(aim: Aim, ran: Ran, left: Left, expected: Left) -> tuple[bool, str]:
    """Whether the run was killed where we say: what is left is asked of the server, and not of the proxy."""
    if not aim.reached.is_set():
        return False, f"not reached: the run ended before it came there ({ran.words})"
    if ran.code is not None and ran.code >= 0:
        return False, f"it ended by itself at that point ({ran.words})"
    if ran.in_flight:
        return False, f"the server was still at it long after: {ran.in_flight[0]}"
    counted = f"{left.commits} transactions committed, {expected.commits} were expected there"
    if (left.commits, len(left.prepared)) != (expected.commits, len(expected.prepared)):
        return False, f"another state than in the undisturbed run: {counted}"
    return True, f"killed there; {counted}"
