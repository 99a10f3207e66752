"""Where it breaks: planted points are found again, and few runs give wide intervals."""

from __future__ import annotations

import numpy as np
import pytest

from chaosday.drills.exploring.breaking import breaking_point, rising
from chaosday.drills.exploring.sweeping import (
    Point,
    Response,
    counts,
    response_of,
    response_page,
    values_of,
    with_value,
)
from chaosday.drills.exploring.trials import Trial
from chaosday.errors import UsageError

pytestmark = pytest.mark.kernel
DOSES = [1, 2, 4, 8, 16, 32, 64]


def test_a_planted_point_lies_in_its_interval() -> None:
    """Half break at 10, more or less steeply: of 40 seeds nine in ten intervals hold it."""
    held = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        chance = 1 / (1 + np.exp(-2.5 * np.log(np.array(DOSES) / 10)))
        found = breaking_point(DOSES, rng.binomial(12, chance).tolist(), [12] * len(DOSES), seed)
        held += found.value is not None and found.low <= 10 <= found.high
    assert held >= 36


def test_more_runs_narrow_the_interval() -> None:
    """The same shares of ten times as many runs."""
    few = breaking_point(DOSES, [0, 0, 1, 2, 4, 5, 5], [5] * 7, 1)
    many = breaking_point(DOSES, [0, 0, 10, 20, 40, 50, 50], [50] * 7, 1)
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(
    ("broke", "value"),
    [([0, 0, 0], None), ([5, 5, 5], None), ([0, 0, 5], pytest.approx(14.1, rel=0.01)),
     ([5, 0, 0], pytest.approx(1.41, rel=0.01))],
)  # fmt: skip
def test_a_point_is_named_only_where_there_is_one(broke: list[int], value: object) -> None:
    """Never broken and always broken have none; a curve that falls with the value is turned round."""
    doses = [1, 2, 100] if value is None or broke[0] == 0 else [1, 2, 4]
    assert breaking_point(doses, broke, [5, 5, 5], 1).value == value


def test_neighbours_that_fall_are_pooled() -> None:
    """Weighted by their runs, until nothing falls."""
    assert rising([0.5, 0.0, 1.0], [1, 3, 2]).tolist() == [0.125, 0.125, 1.0]


def test_values_are_read() -> None:
    """A list, or two ends and how many, by factors; anything else is one line."""
    assert values_of("50,10,10") == [10, 50]
    assert values_of("1..1000/4") == [1, 10, 100, 1000]
    assert values_of("0..1/3") == [0, 0.5, 1]
    for wrong in ("", "1", "a,b", "5..1", "1..2/x", "nan,1", "1,inf"):
        with pytest.raises(UsageError, match="--sweep"):
            values_of(wrong)


def test_more_values_than_anybody_would_run_are_refused_before_they_are_made() -> None:
    """A number with too many noughts is one line, and no memory."""
    with pytest.raises(UsageError, match="not 1,000,000"):
        values_of("1..2/1000000")


def test_a_dose_that_was_not_measured_to_hit_says_nothing() -> None:
    """It is left out: it has not shown that all goes well; one under which operations failed has shown that they do."""
    ran = Trial(run="one", outcome="inconclusive")
    for trial, breaks, says in (
        (ran, "failing", False), (ran.model_copy(update={"bit": True}), "failing", True),
        (ran.model_copy(update={"failing": 0.9}), "failing", True), (ran, "violated", False),
        (ran.model_copy(update={"outcome": "violated"}), "violated", True),
    ):  # fmt: skip
        assert counts(trial, "failing" if breaks == "failing" else "violated") is says


def test_a_field_is_set_by_its_path() -> None:
    """In a copy; whole numbers stay whole, and a path that leads nowhere is said."""
    experiment = {"faults": [{"fault": {"delay_ms": 5}}], "baseline_s": 1}
    assert with_value(experiment, "faults.0.fault.delay_ms", 40.0)["faults"][0]["fault"] == {"delay_ms": 40}
    assert experiment["faults"] == [{"fault": {"delay_ms": 5}}]
    for wrong in ("faults.1.fault.delay_ms", "faults.x", "nothing.here", "baseline_s.more", "faults.0"):
        with pytest.raises(UsageError, match="path"):
            with_value(experiment, wrong, 1)


def test_the_page_draws_the_curve_and_escapes_words() -> None:
    """A picture with a band for the interval; a title is text."""
    found = {dose: [Trial(outcome="violated" if dose > 4 else "pass", judged=True)] * 4 for dose in (1.0, 4.0, 16.0)}
    response = response_of("<b>.delay_ms", "violated", found, 1)
    assert (response.points[-1].broke, response.value) == (4, pytest.approx(8))
    page = response_page("<script>", response)
    assert "<svg" in page and 'class="band"' in page
    assert "<script>" not in page and "<b>" not in page


def test_no_runs_have_no_point() -> None:
    """Said in words, and no picture."""
    response = response_of("x", "violated", {1.0: []}, 1)
    assert response == Response(field="x", breaks="violated", points=[], words=response.words)
    assert "<svg" not in response_page("x", response.model_copy(update={"points": [Point(value=1, runs=1)]}))
