"""A kind of run answers four questions; nothing else is its business, so that none can forget a promise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from chaosday.errors import UsageError
from chaosday.judging.verdict import Verdict
from chaosday.model.base import Model
from chaosday.model.check import Check
from chaosday.model.experiment import Guard
from chaosday.model.intent import Intent
from chaosday.record.run_directory import RunDirectory
from chaosday.running.live import LiveRun


@dataclass(frozen=True)
class Judgement:
    """Which checks judge the evidence, and what they have to be able to see.

    ``bites`` is how many effects have to be measured. A kind that judges no data has no checks, and says in
    ``played`` what a pass of it means.
    """

    checks: Sequence[Check] = ()
    bites: int = 0
    must_see: Sequence[str] | None = None
    loss_rate_to_see: float | None = None
    sight_budget_s: float = 60
    played: str = ""


@dataclass(frozen=True)
class Table:
    """Something that a kind has to show beside its verdict: rows under a name, and what they are."""

    name: str
    rows: list[dict[str, Any]]
    words: str


class Kind(ABC):
    """One kind of run, made of the value in its file; an instance serves one run.

    What it resolves: ``intent``, ``gaps``, ``resolve``. What happens: ``baseline``, ``inject``, ``observe``,
    ``wind_down``. What evidence it keeps: ``collect``. What judges it: ``judgement``. The rest has defaults, and is
    about what people see. The engine asks in this order and only while nothing has fallen short; ``wind_down``,
    ``collect`` and ``judgement`` it asks always.
    """

    kind: ClassVar[str]
    """What files call it."""
    value_type: ClassVar[type[Model]]
    """What its files hold."""
    has_placebo: ClassVar[bool] = False
    """Whether it makes sense at zero dose."""
    sealed: ClassVar[bool] = False
    """Whether its plan is a secret until the end, so that none is written."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.placebo = False

    @abstractmethod
    def intent(self) -> Intent:
        """What it means to do, from its file alone."""

    def guards(self) -> Sequence[Guard]:
        """Probes that stop it."""
        return ()

    def gaps(self) -> list[str]:
        """What its file lacks, in words; empty where it may begin as far as paper goes."""
        return []

    def opened(self, run: LiveRun) -> None:
        """The run directory is there; nothing has been asked or reached."""

    def resolve(self, run: LiveRun) -> None:
        """Plan what will be hurt; touches nothing. Permission was given, and the targets were reached."""
        for fault in self.intent().faults:
            run.plan(fault)

    def holds(self, run: LiveRun) -> set[str]:
        """What nobody else may hurt meanwhile."""
        return run.fences()

    def acts(self, run: LiveRun) -> list[dict[str, Any]]:
        """What it does that is no fault, as faults stand in a plan."""
        return []

    def preflighted(self, run: LiveRun) -> None:
        """Preflight is over, whatever came of it."""

    @abstractmethod
    def baseline(self, run: LiveRun) -> None:
        """Everything before anything is hurt."""

    @abstractmethod
    def inject(self, run: LiveRun) -> None:
        """Hurt it."""

    def observe(self, run: LiveRun) -> None:
        """What happens while it is hurt."""

    def wind_down(self, run: LiveRun) -> None:
        """The faults have been undone: what brings everything back to where it was."""

    @abstractmethod
    def collect(self, run: LiveRun) -> None:
        """Write all evidence to disk; what was written before an error stays."""

    @abstractmethod
    def judgement(self) -> Judgement:
        """What judges the evidence."""

    def tables(self, verb: str, run: LiveRun) -> list[Table]:
        """What there is to show once a verb is over."""
        return []

    @classmethod
    def shown(cls, directory: RunDirectory) -> list[Table]:
        """What its evidence has to show above the verdict, at a terminal."""
        return []

    @abstractmethod
    def report(self, run: LiveRun, verdict: Verdict) -> None:
        """Write ``report.html`` and seal the evidence."""

    def narrowed(self, only: str = "", budget_minutes: float = 0) -> Self:
        """The same run of one of its points alone, or within another budget; ``UsageError`` where it has neither."""
        raise UsageError(f"--only and --budget are for pipeline drills; a run of kind {self.kind} has no points")

    def foreseen(self, run: LiveRun) -> list[Table]:
        """What a plan has to show that only a trial shows; asked after preflight, and nothing is hurt in it."""
        return []

    def clean_up(self, run: LiveRun) -> None:
        """Take away what was made in the target for people to look at."""

    def close(self) -> None:
        """Let go of whatever was made on this machine; any number of times."""

    def public(self) -> dict[str, Any]:
        """Its value as JSON without secrets, for journal and plan."""
        data: dict[str, Any] = self.value.model_dump(mode="json", exclude={"targets"})
        return data | {"checks": [check.model_dump(mode="json") for check in self.judgement().checks]}
