"""Guardrails: every limit refuses, in words; none of them widens anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.model.experiment import parse
from chaosday.model.intent import Intent
from chaosday.safety.guardrails import Freeze, Guardrails, Window, lateness, moment_of

pytestmark = pytest.mark.kernel

THURSDAY = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


def experiment(**changed: Any) -> Intent:
    value = parse(
        {
            "title": "x",
            "targets": {"db": {"kind": "postgresql"}, "door": {"kind": "proxy_route"}},
            "workloads": [{"kind": "ledger", "target": "db"}],
            "faults": [{"fault": {"kind": "network.proxy.latency", "target": "door", "ttl_s": 30}}],
            "checks": [{"kind": "ledger"}],
        }
        | changed
    )
    return ExperimentKind(value).intent()


@pytest.mark.parametrize(
    ("limits", "changed", "words"),
    [
        ({}, {"environment": "production"}, "environments: production is refused"),
        ({"environments": ["staging"]}, {}, "environments: test is none of staging"),
        ({"environments": ["prod"]}, {"environment": "prod"}, ""),
        ({"protected_names": ["d*"]}, {}, "protected_names: db, door"),
        ({"allowed_faults": ["host.*"]}, {}, "allowed_faults: network.proxy.latency"),
        ({}, {"blast_radius": {"max_targets": 2}}, "max_targets: the experiment allows itself 2"),
        ({"max_duration_s": 5}, {}, "max_duration_s: the experiment takes 6 s"),
        ({"max_ttl_s": 29}, {}, "max_ttl_s: network.proxy.latency asks for 30 s"),
        ({"windows": [{"start": "09:00", "end": "10:00"}]}, {}, "windows: 6 s from"),
        ({"windows": [{"start": "09:00", "end": "10:01"}]}, {}, ""),
        ({"windows": [{"start": "11:00", "end": "12:00", "time_zone": "Europe/Berlin"}]}, {}, ""),
        ({"windows": [{"days": ["fri"], "start": "00:00", "end": "24:00"}]}, {}, "windows"),
        ({"freezes": [{"first": "2026-11-20", "last": "2026-11-30", "why": "sale"}]}, {}, "freezes: sale"),
        ({"freezes": [{"first": "2026-11-27", "last": "2026-11-30"}]}, {}, ""),
        ({}, {}, ""),
    ],
)
def test_each_limit_refuses_in_words(limits: dict[str, Any], changed: dict[str, Any], words: str) -> None:
    """One limit, one reason; without a breach no reason."""
    reasons = Guardrails.model_validate(limits).refusals(experiment(**changed), THURSDAY)
    assert (len(reasons) == 1 and words in reasons[0]) if words else reasons == []


def test_a_run_that_reaches_past_its_window_is_refused() -> None:
    """The whole of it has to lie in the window, not only its beginning."""
    window = Window(start="09:00", end="10:00")
    assert window.holds(datetime(2026, 11, 26, 9, 59, 50, tzinfo=UTC), 10)
    assert not window.holds(datetime(2026, 11, 26, 9, 59, 51, tzinfo=UTC), 10)


@pytest.mark.parametrize(
    "wrong",
    [{"time_zone": "Mars/Olympus"}, {"start": "17:00", "end": "09:00"}, {"start": "25:00"}, {"days": ["someday"]}],
)
def test_a_window_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    """A zone that is not, a day that is not, an end before the start."""
    with pytest.raises(ValidationError):
        Window.model_validate(wrong)


def test_a_freeze_follows_its_own_time_zone() -> None:
    """Late in the evening of UTC it is already the first frozen day in Tokyo."""
    freeze = Freeze(first="2026-11-27", last="2026-11-27", time_zone="Asia/Tokyo")
    assert freeze.holds(datetime(2026, 11, 26, 15, 0, tzinfo=UTC))
    assert not freeze.holds(datetime(2026, 11, 26, 14, 59, tzinfo=UTC))


def test_irreversible_faults_need_a_second_person() -> None:
    """A termination always does; other kinds where the guardrails say so."""
    terminate = {"fault": {"kind": "cloud.ec2.terminate", "target": "account"}}
    hurt = experiment(targets={"db": {"kind": "postgresql"}, "account": {"kind": "aws_account"}}, faults=[terminate])
    assert Guardrails().needs_approval(hurt) == ["cloud.ec2.terminate"]
    assert Guardrails().needs_approval(experiment()) == []
    assert Guardrails(approval_for=["network.*"]).needs_approval(experiment()) == ["network.proxy.latency"]


def test_what_a_run_means_to_do_is_judged_without_starting_anything() -> None:
    """Permission is asked before anything is reached: a route's proxy is not started to learn what it is."""
    value = experiment()
    assert Guardrails(protected_names=["*5432*"]).refusals(value, THURSDAY)
    assert not value.targets["door"]._own  # type: ignore[attr-defined]


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 10**6))
def test_late_is_later_than_tolerated(due_s: int, now_s: int, tolerance_s: float) -> None:
    """Exactly the runs that start later than their tolerance after their time are late; unscheduled ones never."""
    late = bool(lateness(due_s * 10**9, now_s * 10**9, tolerance_s))
    assert late == (now_s - due_s > tolerance_s)
    assert lateness(None, now_s, 0) == ""


@given(st.lists(st.text("ab*?", min_size=1, max_size=3)), st.lists(st.sampled_from(["a", "ab", "b"]), max_size=4))
def test_more_protection_never_permits_more(patterns: list[str], affected: list[str]) -> None:
    """Adding a protected name never takes a refusal away, and the cap is on what was resolved."""
    few, more = Guardrails().refusals_of(affected), Guardrails(protected_names=patterns).refusals_of(affected)
    assert set(few) <= set(more)
    assert any("max_targets" in reason for reason in few) == (len(affected) > 1)
    assert moment_of(0).year == 1970
