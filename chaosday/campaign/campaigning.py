"""A campaign: many runs of the same experiments, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from chaosday.campaign.catalogue import catalogue_of
from chaosday.campaign.summary import RunSummary, name_and_version
from chaosday.model.base import Model
from chaosday.statistics import CONFIDENCE, fisher_exact, holm, loss_upper_bound, rate_in_words

SIGNIFICANT = 1 - CONFIDENCE


class Part(Model):
    """The runs of a series that share a version of their system, or a month."""

    name: str
    passes: int
    violations: int
    lost: int
    of: int
    loss_upper_bound_95: float | None

    @property
    def bound(self) -> str:
        """The bound in words; empty where nothing was looked at."""
        return bound_in_words(self.loss_upper_bound_95)


class Change(Model):
    """The last version tested beside the one before it.

    Whole runs are compared, violated ones of those with a proven verdict: rows of a run are lost together, so that each
    is no trial of its own, while runs are. ``p`` is Fisher's, corrected by Holm for the number of series looked at.
    """

    before: str
    after: str
    violated_before: int
    of_before: int
    violated_after: int
    of_after: int
    p: float

    @property
    def significant(self) -> bool:
        """Whether luck is no explanation."""
        return self.p < SIGNIFICANT

    @property
    def words(self) -> str:
        """In a line."""
        rates = f"{self.violated_before} of {self.of_before} runs violated with {self.before}, "
        rates += f"{self.violated_after} of {self.of_after} with {self.after}"
        return f"{'changed' if self.significant else 'no change shown'}: {rates} (p {self.p:.2g})"


class Series(Model):
    """The runs of one experiment, by its title; placebo runs are apart, they say nothing about the system.

    ``loss_upper_bound_95`` pools the rows that runs with a proven verdict looked at (pass or violated): one
    experiment repeated is one long experiment. None where nothing was looked at.
    """

    title: str
    runs: list[RunSummary]
    """Oldest first."""
    faults: list[str]
    checks: list[str]
    passes: int
    violations: int
    inconclusive: int
    revert_failed: int
    placebo_runs: int
    placebo_alarms: int
    lost: int
    of: int
    loss_upper_bound_95: float | None
    by_version: list[Part] = []
    """Oldest first, by when each was first tested."""
    by_month: list[Part] = []
    change: Change | None = None
    """None where one version alone was tested."""

    @property
    def bound(self) -> str:
        """The pooled bound in words; empty where nothing was looked at."""
        return bound_in_words(self.loss_upper_bound_95)


def bound_in_words(bound: float | None) -> str:
    """``at most 3 of 10,000,000 (95 %)``; empty for none."""
    return "" if bound is None else f"at most {rate_in_words(bound)} (95 %)"


def runs_under(folders: Iterable[Path]) -> list[RunSummary]:
    """Every finished run of the folders, once, oldest first; see ``catalogue_of``."""
    return catalogue_of(folders).runs


def series_of(runs: Iterable[RunSummary]) -> list[Series]:
    """The runs by their experiment's title."""
    found: dict[str, list[RunSummary]] = {}
    for run in runs:
        found.setdefault(run.title, []).append(run)
    each = [_series(title, listed) for title, listed in sorted(found.items())]
    changes = [one.change for one in each]
    corrected = iter(holm([change.p for change in changes if change]))
    return [
        one if one.change is None else one.model_copy(
            update={"change": one.change.model_copy(update={"p": next(corrected)})}
        )
        for one in each
    ]  # fmt: skip


def series_under(folders: Iterable[Path]) -> list[Series]:
    """Every finished run below the folders, by title."""
    return series_of(runs_under(folders))


def version_of(run: RunSummary) -> str:
    """The versions of the systems that it judged, in words: ``18.6``, or ``etcd 3.5, PostgreSQL 18.6``."""
    return _versions(tuple(run.systems))


@lru_cache(maxsize=4096)
def _versions(systems: tuple[str, ...]) -> str:
    known = [(name, version) for name, version in map(name_and_version, systems) if version]
    if not known:
        return "no version told"
    return known[0][1] if len(known) == 1 else ", ".join(f"{name} {version}" for name, version in known)


def _series(title: str, runs: Sequence[RunSummary]) -> Series:
    real, placebo = [run for run in runs if not run.placebo], [run for run in runs if run.placebo]
    proven = [run for run in real if run.counts]
    whole = _part("", proven)

    def count(outcome: str) -> int:
        return sum(run.outcome == outcome for run in real)

    versions = _parts(proven, version_of)
    return Series(
        title=title,
        runs=list(runs),
        faults=runs[-1].faults,
        checks=runs[-1].checks,
        passes=count("pass"),
        violations=count("violated"),
        inconclusive=count("inconclusive"),
        revert_failed=count("revert_failed"),
        placebo_runs=len(placebo),
        placebo_alarms=sum(run.outcome == "violated" for run in placebo),
        lost=whole.lost,
        of=whole.of,
        loss_upper_bound_95=whole.loss_upper_bound_95,
        by_version=versions,
        by_month=_parts(proven, lambda run: run.began[:7]),
        change=_change(proven),
    )


def _parts(runs: Sequence[RunSummary], named: Callable[[RunSummary], str]) -> list[Part]:
    found: dict[str, list[RunSummary]] = {}
    for run in runs:
        found.setdefault(named(run), []).append(run)
    return [_part(name, listed) for name, listed in found.items()]


def _part(name: str, runs: Sequence[RunSummary]) -> Part:
    lost, of = sum(run.lost for run in runs), sum(run.of for run in runs)
    violations = sum(run.outcome == "violated" for run in runs)
    bound = loss_upper_bound(lost, of, CONFIDENCE) if of else None
    return Part(
        name=name, passes=len(runs) - violations, violations=violations, lost=lost, of=of, loss_upper_bound_95=bound
    )


def _change(runs: Sequence[RunSummary]) -> Change | None:
    """The version that the newest run met, and the last other one before it: a downgrade is a change as well."""
    versions = [version_of(run) for run in runs]
    before = next((version for version in reversed(versions) if version != versions[-1]), None)
    if before is None:
        return None

    def of(version: str) -> tuple[int, int]:
        outcomes = [run.outcome for run, each in zip(runs, versions, strict=True) if each == version]
        return outcomes.count("violated"), len(outcomes)

    old, new = of(before), of(versions[-1])
    return Change(
        before=before, after=versions[-1], violated_before=old[0], of_before=old[1], violated_after=new[0],
        of_after=new[1], p=fisher_exact(old, new),
    )  # fmt: skip
