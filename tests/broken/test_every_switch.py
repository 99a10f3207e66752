"""Every check finds its anomaly through the whole pipeline, and is silent while no switch is on."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.docs.pages import ROOT

pytestmark = pytest.mark.lab

REGISTER = ({"kind": "register", "rate_per_s": 800}, {"kind": "register"})
SET = ({"kind": "set"}, {"kind": "set"})
QUEUE = ({"kind": "queue"}, {"kind": "total-queue"})
LISTS = (
    {"kind": "transactions", "key_count": 4, "rate_per_s": 800},
    {"kind": "list-append"},
)
UPDATES = ({"kind": "transactions", "style": "read-append", "key_count": 2, "rate_per_s": 800}, {"kind": "list-append"})
SWITCHES = {
    "stale_read": (REGISTER, {"stale-read", "nonlinearizable"}),
    "torn_value": (REGISTER, {"impossible-read", "unwritten-read", "phantom-read", "nonlinearizable"}),
    "resurrected_value": (REGISTER, {"stale-read", "nonlinearizable"}),
    "lost_write": (SET, {"lost"}),
    "forged_element": (SET, {"unexpected"}),
    "lost_message": (QUEUE, {"lost"}),
    "forged_message": (QUEUE, {"unexpected"}),
    "dirty_read": (LISTS, {"G1a"}),
    "intermediate_read": (LISTS, {"G1b", "G-single-item", "G1c", "G0", "G2-item"}),
    "write_skew": (LISTS, {"G2-item"}),
    "lost_update": (UPDATES, {"lost-update"}),
    "duplicate": (LISTS, {"duplicate-elements"}),
    "reordered": (LISTS, {"incompatible-order"}),
    "stale_transaction": (LISTS, {"G-single-item-realtime", "G-single-realtime", "G-nonadjacent-item-realtime"}),
}
ALWAYS = ("stale_read", "forged_element", "lost_message", "write_skew")
"""One for each check; all of them, twelve seconds each, have a command of their own."""


def run(*cases: tuple[str, Any, Any]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.broken.pipeline"], cwd=ROOT, input=json.dumps(cases),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    said: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.mark.parametrize("all_of_them", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_switch_is_found(all_of_them: bool) -> None:
    """Each by a name under which the literature knows it."""
    chosen = {switch: SWITCHES[switch] for switch in SWITCHES if all_of_them or switch in ALWAYS}
    said = run(*((switch, *pair) for switch, (pair, _) in chosen.items()))
    missed = {
        switch: found
        for (switch, (_, names)), found in zip(chosen.items(), said, strict=True)
        if found["verdict"] != "violated" or not names & set(found["anomalies"])
    }
    assert not missed


@pytest.mark.parametrize("pairs", [[REGISTER, SET, QUEUE, LISTS], pytest.param([UPDATES], marks=pytest.mark.slow)])
def test_it_is_silent_while_no_switch_is_on(pairs: list[Any]) -> None:
    """The same workloads on the same store as it should be: pass, with the three proofs."""
    said = run(*(("", *pair) for pair in pairs))
    assert [(found["verdict"], found["anomalies"]) for found in said] == [("pass", {})] * len(pairs), said
