"""Damage to records of what clients saw, and to objects, judged by the default check of each kind."""

from __future__ import annotations

from typing import Any

from benchmarks._tally import of_store, tally, violated
from chaosday.checks.list_append import ListAppend
from chaosday.checks.register import Register
from chaosday.checks.s3_ledger import S3Ledger
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from tests.corruptions import test_history, test_s3, test_transactions
from tests.judging import planting

BESIDE = {"expectations": None, "amcheck": None, "reladiff": None}


def histories_and_objects(repetitions: int) -> dict[str, Any]:
    """``history``, ``transactions`` and ``objects``; suites and diffs of tables can read none of them."""
    registers = Evidence(planting.NOWHERE).replaced(history=test_history.registers(1, operations=400, keys=10))
    lists = test_transactions.serial(1, 400, lists=True)
    kinds: list[tuple[str, Evidence, Check]] = [
        ("history", registers, Register()),
        ("transactions", lists, ListAppend()),
        ("objects", test_s3.run(1), S3Ledger()),
    ]
    return {name: _counted(name, evidence, check, repetitions) for name, evidence, check in kinds}


def _counted(name: str, evidence: Evidence, check: Check, repetitions: int) -> dict[str, Any]:
    judges = {"caught": lambda planted: violated([check], planted.evidence)}
    return {**tally(of_store(name), evidence, judges, repetitions), **BESIDE}
