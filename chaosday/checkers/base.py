"""What every check of a history has in common: a result map as Jepsen and Elle write them.

``valid?`` is True, False or ``"unknown"``; ``anomaly-types`` names what was found in sorted order,
``anomalies`` shows it, ``not`` the weakest consistency models ruled out and ``also-not`` the
stronger ones, ``examined`` counts the operations looked at, ``reason`` says why it is unknown.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged
from chaosday.model.history import FAILED, History

ResultMap = dict[str, Any]
UNKNOWN = "unknown"
SHOWN = 64
_WORST = {True: 0, UNKNOWN: 1, False: 2}


class HistoryCheck(Check):
    """A check that needs nothing but a history, so that it works on anybody's.

    A subclass sets ``model``, the name it goes by in ``chaosday check --as``, and ``analyse``.
    ``asks`` are the kinds of operation it looks at (all, if it is empty); the others are noted.
    ``arguments`` names the options that a published test case gives by position.
    ``empty_is_valid`` is what the project whose check it is says of an empty history; here an empty
    history is unknown, except in that project's own published test cases.
    """

    kind: str
    model: ClassVar[str] = ""
    asks: ClassVar[tuple[str, ...]] = ()
    arguments: ClassVar[tuple[str, ...]] = ()
    empty_is_valid: ClassVar[bool] = False

    @abstractmethod
    def analyse(self, history: History) -> ResultMap:
        """The result map; it never raises because of what is in the history, only if it is malformed."""

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the history of a run."""
        return finding_of(self.kind, self.analyse(evidence.history()), list(self.blind_to))


def result_map(
    anomalies: Mapping[str, Sequence[Any]],
    *,
    examined: int,
    unsure: Sequence[str] = (),
    **more: Any,
) -> ResultMap:
    """The map by the one rule: anomalies are False; else nothing examined, or any reason, is unknown."""
    found = {name: list(cases) for name, cases in sorted(anomalies.items()) if cases}
    reasons = list(unsure)
    if not examined and not found and not reasons:
        reasons.append("nothing was examined: the history holds no operations of this kind")
    valid: bool | str = False if found else UNKNOWN if reasons else True
    result: ResultMap = {"valid?": valid, "anomaly-types": list(found), "examined": examined, **more}
    result["anomalies"] = {name: cases[:SHOWN] for name, cases in found.items()}
    result["anomaly-counts"] = {name: len(cases) for name, cases in found.items()}
    if reasons:
        result["reason"] = "; ".join(reasons)
    return result


def foreign_to(history: History, known: Sequence[str]) -> str:
    """How many operations that may have had an effect are of no kind in ``known``, in words; empty if none."""
    there = history.table["f"].combine_chunks()
    strange = [word for word in there.dictionary.to_pylist() if word not in known] if len(there) else []
    counts = {word: int((history.is_f(word) & (history.statuses() != FAILED)).sum()) for word in strange}
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items()) if count)


def merge_valid(valids: Iterable[bool | str]) -> bool | str:
    """False is worse than unknown, unknown worse than True; of none it is True."""
    return max(valids, key=_WORST.__getitem__, default=True)


def finding_of(check: str, result: ResultMap, blind_to: list[str] | None = None) -> Finding:
    """A result map as a finding of this project."""
    counts = result.get("anomaly-counts", {})
    shown = result.get("anomalies", {})
    anomalies = [
        Anomaly(
            name=name,
            count=max(1, counts.get(name, 1)),
            keys=_keys(shown.get(name, [])),
            detail=[case for case in _cases(shown.get(name, [])) if isinstance(case, dict)][:SHOWN],
        )
        for name in result["anomaly-types"]
        if result["valid?"] is False
    ]
    reason = result.get("reason")
    unsure = [reason or "the check could not decide"] if result["valid?"] == UNKNOWN else []
    return judged(
        check,
        examined=result["examined"],
        anomalies=anomalies,
        unsure=unsure,
        reasons=[reason] if reason and not unsure else None,
        blind_to=blind_to,
        result={name: value for name, value in result.items() if name != "anomalies"},
    )


def quiet(number: Any) -> Any:
    """A numpy scalar as the Python number it is."""
    return number.item() if hasattr(number, "item") else number


def _cases(cases: Any) -> list[Any]:
    return cases if isinstance(cases, list) else [cases]


def _keys(cases: Any) -> list[int | str]:
    keys: list[int | str] = []
    for case in _cases(cases):
        key = case.get("key", case.get("element")) if isinstance(case, dict) else case
        if isinstance(key, (int, str)) and not isinstance(key, bool) and key not in keys:
            keys.append(key)
    return keys[:KEYS_SHOWN]
