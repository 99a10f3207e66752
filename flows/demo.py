"""The demo: the same experiment on an unsound and on a sound configuration of a real PostgreSQL pair."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import orjson

from chaosday.clock import SystemClock
from chaosday.lab.failover import Arm, FailoverLab, failover_lab
from chaosday.model.base import Model
from chaosday.model.finding import Outcome
from chaosday.run_directory import RunDirectory, runs_root
from chaosday.verdict import Verdict
from chaosday.watchdog import Watchdog
from flows.session import prefect_session
from flows.terminal import console, watching

EXPECTED: dict[Arm, Outcome] = {"asynchronous": Outcome.VIOLATED, "synchronous": Outcome.PASS}


class ArmResult(Model):
    """One arm of the demo, for machines."""

    name: str
    verdict: str
    expected: str
    acknowledged: int
    lost: int
    lost_keys: list[int | str]
    proofs: dict[str, bool]
    loss_upper_bound_95: float | None
    run: str
