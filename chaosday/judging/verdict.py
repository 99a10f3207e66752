"""The Verdict: the one place where findings and the three proofs become an outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chaosday.errors import ChaosdayError, EvidenceMissing
from chaosday.judging.sight import KillMatrix, Sight, sight_of
from chaosday.model.base import Model
from chaosday.model.check import Check
from chaosday.model.clean import Clean
from chaosday.model.evidence import Evidence
from chaosday.model.fault import Bite
from chaosday.model.finding import Finding, Outcome
from chaosday.statistics import CONFIDENCE, operations_needed

SEVERITY = (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.VIOLATED, Outcome.REVERT_FAILED)
STARTS = {
    Outcome.PASS: "No damage found, and it would have been seen",
    Outcome.INCONCLUSIVE: "Nothing can be concluded",
    Outcome.VIOLATED: "Damage was found",
    Outcome.REVERT_FAILED: "The faults were not fully undone",
}
PLACEBO_STARTS = STARTS | {
    Outcome.PASS: "A placebo run, and no false alarm",
    Outcome.VIOLATED: "Damage was found though nothing was injected, which convicts the tool itself "
    "(workload, read-back or check) or a system that damages data by itself",
}
EXIT_CODES = {Outcome.PASS: 0, Outcome.VIOLATED: 1, Outcome.INCONCLUSIVE: 2, Outcome.REVERT_FAILED: 3}


class Proof(Model):
    """One of the three proofs: whether it holds, and what it rests on, line by line."""

    held: bool
    lines: list[str] = []


class Verdict(Model):
    """What a run says in the end, with every reason for not saying something better."""

    outcome: Outcome
    words: str
    reasons: list[str] = []
    proofs: dict[str, Proof] = {}
    """``bite``, ``sight`` and ``clean``."""
    bites: list[Bite] = []
    cleans: list[Clean] = []
    placebo: bool = False
    """Whether nothing was injected, on purpose."""

    @property
    def exit_code(self) -> int:
        """What a process that reports this verdict ends with."""
        return EXIT_CODES[self.outcome]


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The merge rule, written once: revert_failed > violated > inconclusive > pass; of nothing, inconclusive."""
    return max(outcomes, key=SEVERITY.index, default=Outcome.INCONCLUSIVE)


def judge_checks(checks: Sequence[Check], evidence: Evidence) -> list[Finding]:
    """Let every check judge; what a check cannot judge, or crashes on, is an inconclusive finding that says so."""
    return [_judge(check, evidence) for check in checks]


def _judge(check: Check, evidence: Evidence) -> Finding:
    try:
        finding = check.judge(evidence)
    except EvidenceMissing as error:
        return _unjudged(check, f"evidence is missing: {error}")
    except ChaosdayError as error:
        return _unjudged(check, f"the evidence cannot be judged: {error}")
    except Exception as error:  # noqa: BLE001 - a check that crashes has said nothing, and the others must be heard
        return _unjudged(check, f"the check crashed: {type(error).__name__}: {_line(error)}")
    if finding.outcome is Outcome.PASS and not finding.examined:
        return _unjudged(check, f"nothing was examined: 0 {finding.examined_unit}")
    return finding


def conclude(
    *,
    findings: Sequence[Finding],
    bites: Sequence[Bite],
    faults: int,
    cleans: Sequence[Clean],
    matrix: KillMatrix | None = None,
    must_see: Sequence[str] | None = None,
    loss_rate_to_see: float | None = None,
    shortfalls: Sequence[str] = (),
) -> Verdict:
    """Merge everything into a verdict; every way to fall short is a reason of its own.

    ``faults`` is how many were planned: each needs a bite, except in a placebo run, which plans none.
    ``cleans`` holds one observation for each fault that was injected. ``loss_rate_to_see`` asks
    whether enough was acknowledged to have seen such a loss. ``shortfalls`` are what the run itself
    noticed: an unhealthy baseline, an abort by a guard, a late start.
    """
    sight = sight_of(matrix, must_see)
    proofs = {"bite": _bite(bites, faults), "sight": _sight(sight), "clean": _clean(cleans, bites)}
    doubts = [*shortfalls, *_bite_doubts(bites, faults)]
    doubts += [*sight.reasons, *_unexamined(findings), *_too_few(findings, loss_rate_to_see)]
    outcome, reasons = _merged(_unclean(cleans, bites), findings, doubts)
    return Verdict(
        outcome=outcome,
        words=_words(outcome, reasons, findings, sight.unseen),
        reasons=reasons,
        proofs=proofs,
        bites=list(bites),
        cleans=list(cleans),
    )


def conclude_played(
    words: str, bites: Sequence[Bite], faults: int, cleans: Sequence[Clean], shortfalls: Sequence[str]
) -> Verdict:
    """The verdict of a run that judges no data, by the same rule; ``words`` say what a pass of it means."""
    proofs = {"bite": _bite(bites, faults), "clean": _clean(cleans, bites)}
    outcome, reasons = _merged(_unclean(cleans, bites), [], [*shortfalls, *_bite_doubts(bites, faults)])
    said = f"{words}." if outcome is Outcome.PASS else _words(outcome, reasons, [], [])
    return Verdict(outcome=outcome, words=said, reasons=reasons, proofs=proofs, bites=list(bites), cleans=list(cleans))


def _merged(unclean: Sequence[str], findings: Sequence[Finding], doubts: Sequence[str]) -> tuple[Outcome, list[str]]:
    """The outcome, and every reason for not saying something better."""
    damage = [f"{finding.check}: {_found(finding)}" for finding in findings if finding.outcome is Outcome.VIOLATED]
    outcome = worst(
        [
            Outcome.REVERT_FAILED if unclean else Outcome.PASS,
            Outcome.INCONCLUSIVE if doubts else Outcome.PASS,
            *(finding.outcome for finding in findings),
        ]
    )
    return outcome, list(dict.fromkeys([*unclean, *damage, *doubts]))


def _bite_doubts(bites: Sequence[Bite], faults: int) -> list[str]:
    return [f"bite: {line}" for line in _no_bite(bites, faults)] if faults else []


def of_placebo(verdict: Verdict, faults: int) -> Verdict:
    """The verdict of a run that injected none of its ``faults``, in words that say whom damage convicts.

    ``verdict`` was concluded with no fault planned, so that no bite was asked for.
    """
    not_done = f"{faults} planned {'fault was' if faults == 1 else 'faults were'} not injected"
    bite = Proof(held=verdict.proofs["bite"].held, lines=[f"a placebo: {not_done}"])
    start = STARTS[verdict.outcome]
    return verdict.model_copy(
        update={
            "placebo": True,
            "proofs": verdict.proofs | {"bite": bite},
            "words": PLACEBO_STARTS[verdict.outcome] + verdict.words.removeprefix(start),
        }
    )


def _bite(bites: Sequence[Bite], faults: int) -> Proof:
    if not faults:
        return Proof(held=True, lines=["no fault was planned: the system is judged as it runs by itself"])
    lines = [f"{bite.fault} on {bite.target}: {bite.why}" for bite in bites if bite.bit]
    missing = _no_bite(bites, faults)
    return Proof(held=not missing, lines=[*lines, *missing])


def _no_bite(bites: Sequence[Bite], faults: int) -> list[str]:
    if not bites and faults:
        return [f"no bite was measured for any of {faults} planned faults"]
    lines = [f"{bite.fault} on {bite.target} did not bite: {bite.why}" for bite in bites if not bite.bit]
    if len(bites) < faults:
        lines.append(f"a bite was measured for {len(bites)} of {faults} planned faults")
    return lines


def _sight(sight: Sight) -> Proof:
    unseen = f"not all of it was seen: {', '.join(sight.unseen)}" if sight.unseen else ""
    return Proof(held=sight.proven, lines=[line for line in (sight.words, unseen, *sight.reasons) if line])


def _clean(cleans: Sequence[Clean], bites: Sequence[Bite]) -> Proof:
    dirty = _not_clean(cleans, bites)
    lines = [each.words for each in cleans if each.clean]
    if not cleans and not bites:
        lines.append("nothing was injected")
    return Proof(held=not dirty, lines=[*lines, *dirty])


def _unclean(cleans: Sequence[Clean], bites: Sequence[Bite]) -> list[str]:
    return [f"clean: {line}" for line in _not_clean(cleans, bites)]


def _not_clean(cleans: Sequence[Clean], bites: Sequence[Bite]) -> list[str]:
    lines = [each.words for each in cleans if not each.clean]
    # A bite is proof of an injection; without an observation afterwards nobody knows that it ended.
    if len(cleans) < len(bites):
        lines.append(f"of {len(bites)} faults that were injected {len(cleans)} were observed afterwards")
    return lines


def _unexamined(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return ["no check was made"]
    doubts = []
    for finding in findings:
        if finding.outcome is Outcome.INCONCLUSIVE:
            why = finding.reasons or ["it does not say why"]
            doubts += [f"{finding.check}: {reason}" for reason in why]
        elif not finding.examined:
            doubts.append(f"{finding.check}: nothing was examined")
    return doubts


def _too_few(findings: Sequence[Finding], loss_rate: float | None) -> list[str]:
    if loss_rate is None:
        return []
    needed = operations_needed(loss_rate)
    done = max((_acknowledged(finding) for finding in findings), default=0)
    if done >= needed:
        return []
    return [
        f"too few operations: {done} acknowledged, {needed} are needed "
        f"to see a loss rate of {loss_rate:g} with {CONFIDENCE:.0%} confidence"
    ]


def _acknowledged(finding: Finding) -> int:
    """How many things a finding shows to have been kept: rows where it counts them, else operations."""
    for name in ("acknowledged_rows", "acknowledged"):
        if name in finding.result:
            return int(finding.result[name])
    return finding.examined if finding.examined_unit == "operations" else 0


def _found(finding: Finding) -> str:
    kinds = ", ".join(f"{anomaly.count:,} {anomaly.name}" for anomaly in finding.anomalies)
    return kinds or "; ".join(finding.reasons) or "violated"


def _words(outcome: Outcome, reasons: Sequence[str], findings: Sequence[Finding], unseen: Sequence[str]) -> str:
    if outcome is Outcome.PASS:
        examined = ", ".join(f"{f.check} {f.examined:,} {f.examined_unit}" for f in findings)
        # A class that nobody promised may go unseen, but not unsaid: a sentence without it would claim too much.
        but = f"; but these checks do not see all of {', '.join(unseen)}" if unseen else ""
        return f"{STARTS[outcome]}: {examined}{but}."
    start = STARTS[outcome]
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{start}: {reasons[0]}{more}." if reasons else f"{start}."


def _unjudged(check: Check, why: str) -> Finding:
    return Finding(check=check.kind, outcome=Outcome.INCONCLUSIVE, examined=0, reasons=[why])


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:200] or "no message"
