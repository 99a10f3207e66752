"""What people do to a run through Prefect: it is judged once, nothing is run twice or by default, and it says so."""

from __future__ import annotations

import os
import signal
import urllib.error
from http import HTTPStatus
from typing import Any

import pytest

from tests.ui.hands import Hands, ended_inconclusive, until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]
NOWHERE = {"host": "127.0.0.1", "port": 1}


@pytest.mark.slow
def test_a_pause_from_outside_is_said(hands: Hands) -> None:
    """It goes on, and says so in its journal and where it ends."""
    long = {"baseline_s": 1, "fault_s": 60, "aftermath_s": 1}
    run = hands.submit("connections", {**hands.form(), "durations": long})
    run.reached("hold")
    hands.set_state(run, "PAUSED", "Paused", pause_timeout="2100-01-01T00:00:00Z")
    outcome = run.verdict()["outcome"]
    assert outcome in ("pass", "inconclusive") and "pause_ignored" in run.events()
    until(lambda: not run.left(), "it has ended")
    state = run.ended()
    assert state["name"] == outcome and "pause set from outside was ignored" in state["message"]


def test_retries_do_not_retry_a_verdict(hands: Hands) -> None:
    """Set on the run by whoever starts it, and asked for by hand afterwards: one verdict, one injection, and words."""
    policy = {"retries": 2, "retry_delay": 0}
    run = hands.submit("connections", {**hands.form(), "database": NOWHERE}, empirical_policy=policy)
    first = run.ended()
    assert (first["type"], first["name"]) == ("FAILED", "inconclusive")
    hands.set_state(run, "SCHEDULED", "AwaitingRetry", scheduled_time="2020-01-01T00:00:00Z")
    until(lambda: "a verdict is final" in run.ended()["message"], "the retry has its answer")
    assert run.ended()["name"] == "inconclusive"
    assert len(run.directories()) == 1


@pytest.mark.breadth
@pytest.mark.parametrize(
    ("deployment", "parameters", "said"),
    [
        ("connections", {"fault": {"kind": "network.proxy.latency", "delay_mss": 3}}, "fault.delay_mss: there is no"),
        ("connections", {"seedd": 1}, "seedd: there is no such parameter"),
        ("slow dependency", {"seedd": 1}, "seedd: there is no such parameter; did you mean seed?"),
        (
            "clients lose their connections",
            {"experiment": {"targets": {"database": {"kind": "postgresql", "porrt": 1}}}},
            "experiment.targets.database.porrt: there is no such field; did you mean port?",
        ),
        ("recover", {"runs": "/nowhere"}, "there is no folder /nowhere"),
    ],
)
def test_what_cannot_be_meant_is_refused(hands: Hands, deployment: str, parameters: dict[str, Any], said: str) -> None:
    """Sent around the form, through the API: refused in words before anything is planned, not done by default."""
    more = hands.form() if deployment == "connections" else {}
    run = hands.submit(deployment, more | parameters)
    until(lambda: said in (run.ended()["message"] or ""), f"it says: {said}")
    assert run.state()["type"] == "FAILED" and run.directories() == []


def test_a_halt_without_a_reason_is_refused(hands: Hands) -> None:
    """By the server, from the rules of the form: there is no run of it."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        hands.submit("halt", {"why": " "})
    assert refused.value.code == HTTPStatus.CONFLICT
    assert "why" in refused.value.read().decode()


@pytest.mark.slow
def test_the_server_dies_under_a_run(hands: Hands) -> None:
    """Nobody could halt the run any more: it heals and judges by itself, and is told once there is a server again."""
    run = hands.start("hold")
    run.reached("hold")
    os.kill(hands.served.server().pid, signal.SIGKILL)
    ended_inconclusive(run, "means halted")
    assert run.ended()["name"] == "inconclusive"
    assert len(run.directories()) == 1
