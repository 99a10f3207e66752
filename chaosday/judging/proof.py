"""Sight: plant known damage in copies of a run's own evidence and see which checks notice.

Mutation testing (DeMillo, Lipton and Sayward, "Hints on test data selection", IEEE Computer 11,
1978), turned from programs to data: corruptions are the mutants, a finding that changes kills one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from chaosday.clients.ledger import is_ledger
from chaosday.clock import Clock, SystemClock
from chaosday.errors import ChaosdayError
from chaosday.judging.sight import Cell, Class, Control, KillMatrix, Sight, SizeRecall, sight_of
from chaosday.judging.sound import sound_copy
from chaosday.judging.verdict import judge_checks
from chaosday.model.check import Check
from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Finding, Outcome
from chaosday.registry import members

__all__ = ["KillMatrix", "Sight", "all_corruptions", "prove", "sight_of"]

SIZES = (1, 10, 100)
REPETITIONS = 3
# A check whose judgement is not cheap may use this share of the budget, and no more than so many seconds; beyond
# that, it is asked only about classes that nobody else has seen: one slow check is not to make every proof long.
CHEAP_S = 0.005
SLOW_CHECK_SHARE = 0.025
SLOW_CHECK_AT_MOST_S = 0.25


def all_corruptions() -> list[Corruption]:
    """One of each class there is, with its defaults."""
    return [kind.model_validate({}) for kind in members("corruptions").values() if issubclass(kind, Corruption)]


def prove(
    evidence: Evidence,
    checks: Sequence[Check],
    *,
    corruptions: Sequence[Corruption] | None = None,
    sizes: Sequence[int] = SIZES,
    repetitions: int = REPETITIONS,
    budget_s: float = 20,
    seed: int = 1,
    clock: Clock | None = None,
) -> KillMatrix:
    """Plant every corruption that applies, at every size, over seeded repetitions, and judge each
    damaged copy with these very checks; stop when ``budget_s`` is used up and say what was left out.

    Small sizes and first repetitions come first for all classes, so that a short budget thins the
    repetitions out before it leaves out a class. ``evidence`` itself is never changed.
    """
    clock = clock or SystemClock()
    began_ns = clock.monotonic_ns()
    deadline_ns = began_ns + int(budget_s * 1e9)
    subjects = [
        _Subject.of(name, check, evidence, clock, budget_s) for name, check in zip(_names(checks), checks, strict=True)
    ]
    evidence = _ground(evidence, subjects)
    classes = [_Planter(c, seed) for c in (all_corruptions() if corruptions is None else corruptions)]
    classes = _for_stores(classes, evidence, subjects)
    for size, repetition in ((size, n) for n in range(repetitions) for size in sizes):
        for planter in classes:
            if clock.monotonic_ns() >= deadline_ns:
                planter.left_out += not planter.finished
                continue
            planter.plant(evidence, subjects, size, repetition)
    return KillMatrix(
        seed=seed,
        checks=[subject.name for subject in subjects],
        sizes=list(sizes),
        classes=[planter.as_class() for planter in classes],
        cells=[cell for planter in classes for cell in planter.as_cells(subjects)],
        controls=[subject.control for subject in subjects],
        left_out=_left_out(classes, subjects, budget_s),
        blind_spots=list(dict.fromkeys(spot for subject in subjects for spot in subject.blind_spots)),
        seconds=(clock.monotonic_ns() - began_ns) / 1e9,
        budget_s=budget_s,
    )


@dataclass
class _Subject:
    """A check under test, with its answer about the evidence as it is."""

    name: str
    check: Check
    baseline: Finding
    reads: set[str]
    control: Control
    clock: Clock
    allowance_s: float
    spent_s: float = 0
    asked: int = 0
    skipped: int = 0
    has_caught: bool = False

    @classmethod
    def of(cls, name: str, check: Check, evidence: Evidence, clock: Clock, budget_s: float) -> _Subject:
        watched, reads = evidence.watched()
        baseline = judge_checks([check], watched)[0]
        again = judge_checks([check], _shuffled(evidence, reads))[0]
        same = _answer(again) == _answer(baseline)
        silent, why = _on_sound_evidence(check, evidence, baseline, reads)
        if not same:
            why = f"{_said(baseline)}, then {_said(again)}"
        control = Control(
            check=name,
            examined=baseline.examined,
            reads=sorted(reads),
            same_on_copy=same,
            silent=silent,
            why=why,
            blind_to=baseline.blind_to,
        )
        allowance_s = min(budget_s * SLOW_CHECK_SHARE, SLOW_CHECK_AT_MOST_S)
        return cls(name, check, baseline, set(reads), control, clock, allowance_s)

    @property
    def blind_spots(self) -> list[str]:
        return [f"{self.name}: {spot}" for spot in self.baseline.blind_to or self.check.blind_to]

    @property
    def cost_s(self) -> float:
        """What a judgement costs on average, in seconds."""
        return self.spent_s / self.asked if self.asked else 0.0

    def judge(self, damaged: Evidence, needed: bool) -> tuple[Finding, float] | None:
        """The finding on damaged evidence and what it cost in seconds; None where the check has had its
        share of the budget and is not ``needed``."""
        if not needed and self.spent_s > self.allowance_s and self.cost_s > CHEAP_S:
            self.skipped += 1
            return None
        began_ns = self.clock.monotonic_ns()
        finding = judge_checks([self.check], damaged)[0]
        cost_s = (self.clock.monotonic_ns() - began_ns) / 1e9
        self.spent_s += cost_s
        self.asked += 1
        return finding, cost_s


@dataclass
class _Tally:
    """What one check saw of one class so far."""

    judged: list[tuple[int, int, bool, bool]] = field(default_factory=list)
    """Size asked for, items damaged, noticed, and whether a damaged item was named."""
    seconds: float = 0
    missed: str = ""


class _Planter:
    """One class of damage, planted over and over."""

    def __init__(self, corruption: Corruption, seed: int) -> None:
        self.corruption = corruption
        self.seed = seed
        self.planted = self.caught = self.equivalent = self.left_out = 0
        self.why = ""
        self.finished = False
        self.tallies: dict[str, _Tally] = {}

    def plant(self, evidence: Evidence, subjects: Sequence[_Subject], size: int, repetition: int) -> None:
        if self.finished:
            return
        try:
            planted = self.corruption.plant(evidence, size, self._rng(size, repetition))
        except (NotApplicable, ChaosdayError) as reason:
            # What does not go at the smallest size does not go at all; a larger one may ask for too much.
            self.finished = not self.planted and not self.equivalent
            self.why = self.why or str(reason)
            return
        if not planted.keys:
            self.equivalent += 1
            return
        damaged = evidence.differing(planted.evidence)
        readers = [subject for subject in subjects if subject.reads & damaged]
        if not readers:
            self.finished, self.why = True, "no check reads what it damages"
            return
        answers: list[bool | None] = []
        for subject in sorted(readers, key=lambda each: each.cost_s):
            answers.append(self._ask(subject, planted, size, seen=any(answers) or self.caught > 0))
        # Where the one check that could have seen it was too slow to be asked, nobody missed it.
        if any(answers) or None not in answers:
            self.planted += 1
            self.caught += any(answers)

    def _ask(self, subject: _Subject, planted: Planted, size: int, *, seen: bool) -> bool | None:
        tally = self.tallies.setdefault(subject.name, _Tally())
        # A slow check is still asked about a class that nobody else saw, and until it has seen anything.
        needed = not tally.judged and not (seen and subject.has_caught)
        answer = subject.judge(planted.evidence, needed)
        if answer is None:
            return None
        finding, cost_s = answer
        tally.seconds += cost_s
        baseline = subject.baseline
        noticed = _noticed(finding, baseline)
        new = _named(finding) - _named(baseline)
        localised = noticed and bool(new & _words(planted.keys))
        subject.has_caught |= noticed
        tally.judged.append((size, len(planted.keys), noticed, localised))
        if not noticed:
            tally.missed = f"missed {len(planted.keys)} damaged: it said {_said(finding)}"
        return noticed

    def _rng(self, size: int, repetition: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(self.corruption.kind.encode()), size, repetition])

    def as_class(self) -> Class:
        return Class(
            corruption=self.corruption.kind,
            promised=self.corruption.promised,
            planted=self.planted,
            caught=self.caught,
            equivalent=self.equivalent,
            left_out=self.left_out,
            why="" if self.planted else self.why,
        )

    def as_cells(self, subjects: Sequence[_Subject]) -> Iterator[Cell]:
        for subject in subjects:
            tally = self.tallies.get(subject.name)
            if tally is None or not tally.judged:
                why = self.why if not self.planted else "it reads nothing that was damaged"
                if tally is not None:
                    why = "not asked: others saw it, and a judgement is slow"
                yield Cell(check=subject.name, corruption=self.corruption.kind, why=why)
                continue
            sizes = sorted({size for size, *_ in tally.judged})
            yield Cell(
                check=subject.name,
                corruption=self.corruption.kind,
                planted=len(tally.judged),
                caught=sum(noticed for _, _, noticed, _ in tally.judged),
                localised=sum(localised for *_, localised in tally.judged),
                by_size=[_recall(tally, size) for size in sizes],
                smallest_caught=min((items for _, items, noticed, _ in tally.judged if noticed), default=None),
                seconds=tally.seconds,
                why=tally.missed,
            )


def _ground(evidence: Evidence, subjects: Sequence[_Subject]) -> Evidence:
    """What damage is planted in: the run's evidence, or, where that is damaged already, a sound copy of it.

    Damage that is planted where real damage is can hide behind it (a row that is lost cannot become
    stale), which would say something about the run and nothing about the check.
    """
    if all(subject.baseline.outcome is not Outcome.VIOLATED for subject in subjects):
        return evidence
    try:
        ground, _ = sound_copy(evidence, set().union(*(subject.reads for subject in subjects)))
    except ChaosdayError:
        return evidence
    for subject in subjects:
        subject.baseline = judge_checks([subject.check], ground)[0]
    return ground


def _recall(tally: _Tally, size: int) -> SizeRecall:
    seen = [noticed for asked, _, noticed, _ in tally.judged if asked == size]
    return SizeRecall(size=size, planted=len(seen), caught=sum(seen))


def _names(checks: Sequence[Check]) -> list[str]:
    """Each check's kind, numbered where one kind is used more than once."""
    kinds = [check.kind for check in checks]
    return [kind if kinds.count(kind) == 1 else f"{kind} {kinds[:n].count(kind) + 1}" for n, kind in enumerate(kinds)]


def _for_stores(planters: Sequence[_Planter], evidence: Evidence, subjects: Sequence[_Subject]) -> list[_Planter]:
    """Aim a corruption at the rows that the checks read, where its default names rows they do not."""
    read = sorted(piece[5:] for subject in subjects for piece in subject.reads if piece.startswith("rows/"))
    for planter in planters:
        store = getattr(planter.corruption, "store", None)
        if store is None or store in read or "ledger" not in planter.corruption.stores:
            continue
        ledgers = [name for name in read if is_ledger(evidence.rows(name))]
        if ledgers:
            planter.corruption = planter.corruption.model_copy(update={"store": ledgers[0]})
    return list(planters)


def _shuffled(evidence: Evidence, pieces: set[str]) -> Evidence:
    """An undamaged copy, the rows of ledgers in another order: rows come in no order of their own."""
    rows = {}
    for name in sorted(piece[5:] for piece in pieces if piece.startswith("rows/")):
        table = evidence.rows(name)
        order = np.random.default_rng(len(table)).permutation(len(table)) if is_ledger(table) else np.arange(len(table))
        rows[name] = table.take(order)
    return evidence.replaced(rows=rows)


def _on_sound_evidence(check: Check, evidence: Evidence, baseline: Finding, reads: set[str]) -> tuple[bool | None, str]:
    """Whether the check is silent about evidence known to be sound, None where none can be had, and why not."""
    if baseline.outcome is not Outcome.VIOLATED:
        return True, ""
    try:
        copy, unknown = sound_copy(evidence, reads)
    except ChaosdayError as error:
        return None, str(error)
    if unknown:
        return None, f"no sound copy can be made of {', '.join(unknown)}"
    if not copy.differing(evidence):
        return None, "it reads only the history, from which everything else is rebuilt"
    finding = judge_checks([check], copy)[0]
    return (False, _said(finding)) if finding.outcome is Outcome.VIOLATED else (True, "")


def _noticed(finding: Finding, baseline: Finding) -> bool:
    """Whether a finding shows damage that the baseline did not: a higher count or a new key."""
    if finding.outcome is not Outcome.VIOLATED:
        return False
    for anomaly in finding.anomalies:
        before = baseline.anomaly(anomaly.name)
        if before is None or anomaly.count > before.count:
            return True
        complete = len(before.keys) == before.count
        if complete and not _words(anomaly.keys) <= _words(before.keys):
            return True
    return not finding.anomalies and baseline.outcome is not Outcome.VIOLATED


def _answer(finding: Finding) -> tuple[object, ...]:
    """What two findings about the same evidence must have in common."""
    found = {
        (a.name, a.count, frozenset(_words(a.keys)) if len(a.keys) == a.count else None) for a in finding.anomalies
    }
    return finding.outcome, finding.examined, frozenset(found)


def _said(finding: Finding) -> str:
    kinds = ", ".join(f"{anomaly.count} {anomaly.name}" for anomaly in finding.anomalies)
    return kinds or "; ".join([finding.outcome.value, *finding.reasons[:1]])


def _named(finding: Finding) -> set[str]:
    """Every key that a finding names, and the operations that its explanations point at."""
    pointed = (one for a in finding.anomalies for case in a.detail for one in case.get("operations") or [])
    return _words(finding.damaged_keys()) | _words(pointed)


def _words(keys: object) -> set[str]:
    return {str(key) for key in keys}  # type: ignore[attr-defined]


def _left_out(planters: Sequence[_Planter], subjects: Sequence[_Subject], budget_s: float) -> list[str]:
    lines = [
        f"{p.corruption.kind}: {p.left_out} plantings left out, the budget of {budget_s:g} s was used up"
        for p in planters
        if p.left_out
    ]
    for subject in subjects:
        if subject.skipped:
            lines.append(f"{subject.name}: not asked about {subject.skipped} plantings, a judgement is slow")
    return lines
