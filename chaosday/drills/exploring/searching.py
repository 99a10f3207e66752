"""The search: schedules are drawn until one violates, again and again; those that reached something new are varied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from chaosday.clock import Clock
from chaosday.drills.exploring.base import Allowed, Limits
from chaosday.drills.exploring.drawing import Schedule, drawn, in_words, mutated
from chaosday.drills.exploring.trials import Experiment, Trial, Trials
from chaosday.model.finding import Outcome

GIVEN_UP_AFTER = 2
"""A kind of fault that so often could not be planned is drawn no more."""
Tell = Callable[[str], None]


class Budget:
    """How long, and how many runs, an exploration may take; asked before each run begins."""

    def __init__(self, clock: Clock, seconds: float, runs: int) -> None:
        self._clock, self._runs = clock, runs
        self._until_ns = clock.monotonic_ns() + int(seconds * 1e9)

    def left(self, trials: Trials) -> bool:
        """Whether one more run as long as the longest so far still fits."""
        left_s = (self._until_ns - self._clock.monotonic_ns()) / 1e9
        return trials.count < self._runs and left_s > trials.longest_s


@dataclass
class Search:
    """Where a search stands; ``violating`` is the experiment that did, with the anomalies that it showed."""

    base: Experiment
    allowed: list[Allowed]
    limits: Limits
    trials: Trials
    budget: Budget
    rng: Random
    tell: Tell
    judged: int = 0
    """Schedules with faults that say something; those drawn afresh among them are ``drawn``."""
    drawn: int = 0
    drawn_violating: int = 0
    """And of these those that violated, if only once: what a share of the schedules is told from. The base has no
    fault, and what is varied was chosen for what it had reached."""
    states: set[str] = field(default_factory=set)
    corpus: list[Schedule] = field(default_factory=list)
    once_only: list[str] = field(default_factory=list)
    """Schedules that violated and would not again."""
    unusable: dict[str, str] = field(default_factory=dict)
    """Kinds of faults that are not drawn any more, with the reason."""
    violating: Experiment | None = None
    tried_again: bool = True
    """Whether ``violating`` was tried as often as asked for; not where the budget ended before."""
    anomalies: set[str] = field(default_factory=set)
    _refused: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        """Try the base without any fault, then drawn schedules, until one violates or the budget is spent."""
        schedule: Schedule = []
        vary = False
        while self.budget.left(self.trials):
            experiment = {**self.base, "faults": schedule}
            trial = self._tried(experiment, schedule, drawn=not vary)
            if trial.outcome == Outcome.VIOLATED.value:
                self.anomalies = set(trial.anomalies)
                repeated = self.again(experiment, already=1)
                if repeated is not False:
                    self.violating, self.tried_again = experiment, repeated is True
                    return
                self.once_only.append(in_words(schedule))
                self.tell(f"{in_words(schedule)}: it would not violate again")
            if not self.allowed:
                return
            vary = bool(self.corpus) and self.rng.random() < 0.5
            schedule = (
                mutated(self.rng.choice(self.corpus), self.allowed, self.limits, self.rng)
                if vary
                else drawn(self.allowed, self.limits, self.rng)
            )

    def again(self, experiment: Experiment, already: int = 0) -> bool | None:
        """Whether it violates ``least`` of ``of`` times, ``already`` seen included, with an anomaly of the first.

        None where the budget ends before that is known.
        """
        hits, misses = already, 0
        while hits < self.limits.least and misses <= self.limits.of - self.limits.least:
            if not self.budget.left(self.trials):
                return None
            trial = self.trials.run(experiment)
            hit = trial.outcome == Outcome.VIOLATED.value and bool(self.anomalies & set(trial.anomalies))
            hits, misses = hits + hit, misses + (not hit)
            if trial.refused:
                return False
        return hits >= self.limits.least

    def _tried(self, experiment: Experiment, schedule: Schedule, *, drawn: bool) -> Trial:
        trial = self.trials.run(experiment)
        violated = trial.outcome == Outcome.VIOLATED.value
        if schedule and (trial.judged or violated):
            self.judged += 1
            self.drawn += drawn
            self.drawn_violating += drawn and violated
        new = set(trial.states) - self.states
        self.states |= new
        if new and schedule and not trial.refused:
            self.corpus.append(schedule)
        said = f", {len(new)} new states" if new else ""
        why = f" ({trial.reasons[0]})" if trial.refused and trial.reasons else ""
        self.tell(f"run {self.trials.count}: {in_words(schedule)}: {outcome_words(trial)}{said}{why}")
        if trial.refused:
            self._give_up(schedule, trial)
        return trial

    def _give_up(self, schedule: Schedule, trial: Trial) -> None:
        """Only where one fault alone could not be: of several it is not known which."""
        if len(schedule) != 1:
            return
        kind = str(schedule[0]["fault"]["kind"])
        self._refused[kind] = self._refused.get(kind, 0) + 1
        if self._refused[kind] >= GIVEN_UP_AFTER:
            self.unusable[kind] = (trial.reasons or ["it could not be planned"])[0]
            self.allowed = [each for each in self.allowed if each.fault.get("kind") != kind]


def outcome_words(trial: Trial) -> str:
    """``violated: lost 12``, ``not permitted or not possible``, ``nothing found``, ``not judged``."""
    if trial.outcome == Outcome.VIOLATED.value:
        return f"violated: {', '.join(f'{name} {count:,}' for name, count in trial.anomalies.items())}"
    if trial.refused:
        return "not permitted or not possible"
    return "nothing found" if trial.judged else "not judged"
