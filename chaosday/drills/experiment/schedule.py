"""The schedule of a run: each fault at its time, or when what it waits for has come; ended, and begun again."""

from __future__ import annotations

from collections.abc import Iterator

from chaosday.errors import Refused
from chaosday.model.experiment import FaultAt
from chaosday.model.fault import FaultPlan
from chaosday.running.conditions import Condition
from chaosday.running.live import LiveRun, Planned


class Turn:
    """One fault of the schedule: waiting, on, or over; as often as it has to be."""

    def __init__(self, asked: FaultAt, planned: Planned, began_ns: int) -> None:
        self.asked, self.plan = asked, planned.plan
        self.left = asked.times
        self.on = self.due = self.over = False
        self.hits_seen = 0
        """How many hits there were when it last ended: a fault that waits for one, again, waits for a later one."""
        self.condition: Condition | None = None
        self.since_ns = began_ns
        """From when its seconds count: the baseline's end, its condition, its beginning, its end."""

    @property
    def begun(self) -> bool:
        """Whether no time of it is still to begin."""
        return self.left == 0

    @property
    def again(self) -> bool:
        """Whether it has begun before."""
        return self.left < self.asked.times

    @property
    def ends(self) -> bool:
        """Whether it is on and ends before the others are undone."""
        return self.on and (self.asked.for_s is not None or self.asked.until is not None)


class Schedule:
    """Stepped through, in small steps, while the run waits. A placebo does all of it but the injection."""

    def __init__(self, run: LiveRun, asked: list[FaultAt], *, placebo: bool) -> None:
        self._run, self._placebo = run, placebo
        now_ns = run.clock.monotonic_ns()
        self._turns = [Turn(each, planned, now_ns) for each, planned in zip(asked, list(run.plans), strict=True)]
        for turn in self._turns:
            # From now on: what a log gets while another fault begins counts as well.
            turn.condition = Condition(turn.asked.when, run) if turn.asked.when else None

    def inject(self) -> None:
        """Until every fault has begun as often as it has to, or can no longer."""
        longest_s = max((turn.asked.longest_s for turn in self._turns), default=0) + 1
        last_s = max((turn.asked.at_s for turn in self._turns), default=0)
        while self._run.ready and not self._step():
            names = ", ".join(sorted({turn.plan.lease.fault for turn in self._turns if not turn.begun}))
            self._run.wait("inject", max(last_s, longest_s), f"waiting for {names}", self._due)

    def over(self) -> bool:
        """One step of what has begun, for whoever waits; False, as a reason to stop waiting."""
        self._step()
        return False

    def _due(self) -> bool:
        """Whether a step would do something, or the run has fallen short and will inject no more."""
        return not self._run.ready or any(map(self._ends, self._going())) or any(map(self._begins, self._going()))

    def _step(self) -> bool:
        # Ends first: what is on does not stay on because something else is still waited for.
        for turn in self._going():
            if self._ends(turn):
                self._end(turn)
        # Then what was planned before anything was hurt: what is planned anew sees what others do to its target.
        for again in (False, True):
            for turn in self._going():
                if turn.again is again and self._run.ready and self._begins(turn):
                    self._begin(turn)
        return all(turn.begun for turn in self._turns)

    def _going(self) -> Iterator[Turn]:
        """The turns, as long as the run has not to end: to ask what one of them waits for takes time."""
        for turn in self._turns:
            if self._run.over():
                return
            yield turn

    def _gone_s(self, turn: Turn) -> float:
        return (self._run.clock.monotonic_ns() - turn.since_ns) / 1e9

    def _begins(self, turn: Turn) -> bool:
        if turn.begun or turn.on:
            return False
        when = turn.asked.when
        if when is not None and not turn.due:
            paused = turn.again and self._gone_s(turn) < turn.asked.pause_s
            if paused:
                return False
            turn.condition = turn.condition or Condition(when, self._run, turn.hits_seen)
            if not self._came(turn, turn.condition):
                return False
            turn.due, turn.since_ns = True, self._run.clock.monotonic_ns()
        pause_s = turn.asked.pause_s if when is None and turn.again else turn.asked.at_s
        return self._gone_s(turn) >= pause_s

    def _came(self, turn: Turn, condition: Condition) -> bool:
        if condition.late():
            self._run.fall_short(f"{turn.plan.lease.fault}: {condition.missed()}")
            turn.left = 0
        elif condition.holds():
            self._run.journal.append("came_true", fault=turn.plan.lease.fault, what=condition.when.words)
            return True
        return False

    def _begin(self, turn: Turn) -> None:
        run = self._run
        if turn.again and not self._planned_anew(turn):
            return
        # Made before it is injected: what the fault itself brings about comes after that.
        until = Condition(turn.asked.until, run, turn.hits_seen) if turn.asked.until is not None else None
        turn.left -= 1
        turn.on, turn.due, turn.condition = True, False, until
        marked = " (placebo)" if self._placebo else ""
        run.say("inject", f"{turn.asked.fault.kind} on {turn.asked.fault.target}{marked}")
        if self._placebo:
            self._abstain(turn.plan)
        else:
            run.strike(turn.plan)
        turn.since_ns = run.clock.monotonic_ns()
        if until is not None:
            until.begin()

    def _planned_anew(self, turn: Turn) -> bool:
        """Plan it once more, and hold what that will hurt; whether it may be."""
        try:
            turn.plan = self._run.plan(turn.asked.fault)
            if not self._placebo:
                self._run.hold(self._run.fences(), more=True)
        except Refused as error:
            self._run.fall_short(f"{turn.asked.fault.kind}: not begun again: {error}")
            turn.left = 0
            return False
        return True

    def _ends(self, turn: Turn) -> bool:
        if turn.ends and not turn.over:
            until, for_s = turn.condition, turn.asked.for_s
            turn.over = for_s is not None and self._gone_s(turn) >= for_s
            turn.over = turn.over or (until is not None and (self._came(turn, until) or until.late()))
        return turn.ends and turn.over

    def _end(self, turn: Turn) -> None:
        turn.on, turn.over, turn.condition = False, False, None
        if not self._placebo:
            self._run.last_look(turn.plan)
        seen = self._run.lifecycle.heal(turn.plan)
        mine = turn.plan.lease
        others = any(
            each.lease.id != mine.id and each.lease.target == mine.target for each in self._run.lifecycle.open_plans()
        )
        # While others hurt the same target nobody can see that it is as it was: it is looked at again at the end.
        if not seen.undone or not (seen.clean or others):
            self._run.fall_short(f"{seen.words}; it is not begun again, and nothing else is")
        turn.since_ns, turn.hits_seen = self._run.clock.monotonic_ns(), len(self._run.hits)

    def _abstain(self, plan: FaultPlan) -> None:
        run = self._run
        run.require_leave(plan)
        run.injected = True
        run.lifecycle.arm(plan)
        run.keep_alive()
        bite = run.lifecycle.abstain(plan)
        run.abstained.append(bite)
        if bite.bit:
            run.fall_short(f"placebo: {bite.fault} was measured though nothing was injected: {bite.why}")
