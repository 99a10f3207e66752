"""How far lake tables are reached: deletes honoured, damage named, sound tables left in peace, lost updates refused."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from chaosday.checks.lake_files import LakeFiles
from chaosday.data.physical.lake import observe_lake
from chaosday.data.reconcile import diff
from chaosday.errors import ChaosdayError
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from tests.data.physical.test_lake_damage import DAMAGE, MADE, STATED, test_statistics_that_do_not_hold
from tests.data.reconcile.test_lake_sides import BAD, DELETED, sides_with_deletes
from tests.lab import lake
from tests.workloads.test_lake_workloads import KINDS, test_a_commit_between_reading_and_writing

ROUNDS = 3
SOUND_ROUNDS = 20
Case = Callable[[Path], None]


def measured(quick: bool) -> dict[str, Any]:
    """``lake_cases``, ``lake_failed``: each case thrice, sound tables twenty times; ``quick``: once and five times."""
    rounds, sound = (1, 5) if quick else (ROUNDS, SOUND_ROUNDS)
    failed: list[str] = []
    cases = [(name, case, sound if "sound" in name else rounds) for name, case in _cases().items()]
    for name, case, times in cases:
        for _ in range(times):
            with tempfile.TemporaryDirectory(prefix="chaosday-reach-") as folder:
                try:
                    case(Path(folder))
                except (AssertionError, ChaosdayError) as error:
                    failed.append(f"{name}: {type(error).__name__} {error}"[:200])
    return {"lake_cases": sum(times for *_, times in cases), "lake_failed": len(failed), "lake_failures": failed[:5]}


def _cases() -> dict[str, Case]:
    made: dict[str, Case] = {f"deletes {form}": _deletes(form) for form in ("delta", "parquet", "puffin")}
    for kind in MADE:
        made[f"sound {kind}"] = _sound(kind)
        made |= {f"{name} {kind}": _damaged(kind, name) for name in DAMAGE}
    made |= {f"statistics {n}": _stated(n) for n in range(len(STATED))}
    made |= {f"bad input {name}": _bad(name) for name in BAD}
    made |= {f"overtaken {kind} {handle}": _overtaken(kind, handle) for kind in KINDS for handle in ("kept", "fresh")}
    return made


def _deletes(form: str) -> Case:
    def case(folder: Path) -> None:
        kept = [number for number in range(10) if number not in DELETED]
        pq.write_table(lake.rows(0, 10).take(kept), folder / "plain.parquet")
        assert diff(sides_with_deletes(folder, form), str(folder / "plain.parquet"), key=["id"]).equal is True

    return case


def _judged(address: str) -> Outcome:
    return (
        LakeFiles().judge(Evidence(Path("nowhere"), overlay={"observations/lake_files": observe_lake(address)})).outcome
    )


def _sound(kind: str) -> Case:
    def case(folder: Path) -> None:
        assert _judged(MADE[kind](folder)[0]) is Outcome.PASS

    return case


def _damaged(kind: str, name: str) -> Case:
    def case(folder: Path) -> None:
        address, file = MADE[kind](folder)
        DAMAGE[name][0](file)
        assert _judged(address) is Outcome.VIOLATED

    return case


def _stated(number: int) -> Case:
    return lambda folder: test_statistics_that_do_not_hold(folder, *STATED[number])


def _bad(name: str) -> Case:
    def case(folder: Path) -> None:
        make, expected, _ = BAD[name]
        side = make(folder)
        try:
            diff(side, side, key=["id"])
        except expected as error:
            assert "\n" not in str(error)
            return
        raise AssertionError("it was read")

    return case


def _overtaken(kind: str, handle: str) -> Case:
    return lambda folder: test_a_commit_between_reading_and_writing(kind, handle, folder)
