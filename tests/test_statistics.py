"""Bounds and sample sizes against their definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from chaosday import statistics
from chaosday.errors import UsageError

pytestmark = pytest.mark.kernel

COUNTS = st.integers(0, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
CONFIDENCE = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@given(COUNTS, CONFIDENCE)
def test_upper_bound_solves_its_definition(counts: tuple[int, int], confidence: float) -> None:
    """At the bound, seeing this few losses or fewer has exactly the probability that was left over."""
    lost, of = counts
    bound = statistics.loss_upper_bound(lost, of, confidence)
    if lost == of:
        assert bound == 1
    else:
        assert binom.cdf(lost, of, bound) == pytest.approx(1 - confidence, rel=1e-6)


@given(COUNTS)
def test_exact_interval_is_clopper_and_pearsons(counts: tuple[int, int]) -> None:
    """The two-sided interval is the one that scipy's exact binomial test gives."""
    hits, of = counts
    ours = statistics.exact_interval(hits, of)
    if of:
        theirs = binomtest(hits, of).proportion_ci(method="exact")
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    else:
        assert (ours.low, ours.high) == (0, 1)


@given(COUNTS, CONFIDENCE)
def test_wilson_holds_the_estimate_and_matches_scipy(counts: tuple[int, int], confidence: float) -> None:
    """Wilson's interval holds hits / of, lies within 0 and 1, and is scipy's."""
    hits, of = counts
    ours = statistics.wilson(hits, of, confidence)
    assert 0 <= ours.low <= ours.high <= 1
    if of:
        theirs = binomtest(hits, of).proportion_ci(confidence, method="wilson")
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
        assert ours.low <= hits / of <= ours.high


@given(st.floats(1e-6, 1), CONFIDENCE)
def test_operations_needed_is_the_smallest_number_that_will_do(rate: float, confidence: float) -> None:
    """Losing none of that many refutes the rate; losing none of one fewer does not."""
    needed = statistics.operations_needed(rate, confidence)
    assert statistics.loss_upper_bound(0, needed, confidence) <= rate
    if needed > 1:
        assert statistics.loss_upper_bound(0, needed - 1, confidence) > rate * (1 - 1e-9)


@given(st.lists(COUNTS, max_size=5))
def test_pooled_runs_are_one_long_run(runs: list[tuple[int, int]]) -> None:
    """Pooling is adding up, and more runs without loss only tighten the bound."""
    total = (sum(lost for lost, _ in runs), sum(of for _, of in runs))
    assert statistics.pooled_upper_bound(runs) == statistics.loss_upper_bound(*total)
    assert statistics.pooled_upper_bound([*runs, (0, 50)]) <= statistics.pooled_upper_bound(runs)


def test_known_figures() -> None:
    """The rule of three, and no false alarm in two hundred placebo runs."""
    assert statistics.operations_needed(0.01) == 299
    assert statistics.loss_upper_bound(0, 3000) == pytest.approx(3 / 3000, rel=0.01)
    assert statistics.false_alarm_rate(0, 200).high == pytest.approx(1 - math.pow(0.025, 1 / 200))


@pytest.mark.parametrize(
    "call",
    [
        lambda: statistics.loss_upper_bound(2, 1),
        lambda: statistics.wilson(-1, 1),
        lambda: statistics.wilson(1, 1, 1.0),
        lambda: statistics.operations_needed(0),
        lambda: statistics.operations_needed(0.1, 0),
    ],
)
def test_impossible_counts_are_refused(call: object) -> None:
    """What is not a proportion or not a confidence is the caller's mistake, in one line."""
    with pytest.raises(UsageError, match=r"^[^\n]+$"):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (2.996e-7, "3 of 10,000,000"),
        (3e-7, "3 of 10,000,000"),
        (3.0001e-7, "31 of 100,000,000"),
        (2.4e-7, "24 of 100,000,000"),
        (0.00995, "1 %"),
        (0.0099, "99 of 10,000"),
        (0.0101, "1.1 %"),
        (0.121, "13 %"),
        (0.12, "12 %"),
        (0.999, "100 %"),
        (1.0, "100 %"),
        (0.0, "0"),
    ],
)
def test_a_bound_is_printed_to_its_meaning(rate: float, words: str) -> None:
    """Two digits, never rounded down, and never to nothing."""
    assert statistics.rate_in_words(rate) == words


@given(st.floats(1e-12, 1))
def test_what_is_printed_of_a_bound_is_one(rate: float) -> None:
    """Whoever reads the words back has a rate that is no smaller, and by a tenth larger at most."""
    words = statistics.rate_in_words(rate).replace(",", "")
    read = float(words[:-2]) / 100 if words.endswith("%") else int(words.split()[0]) / int(words.split()[2])
    assert rate * (1 - 1e-6) <= read <= rate * 1.101


@given(st.tuples(*[st.integers(0, 30)] * 4))
def test_fisher_is_scipy_s(counts: tuple[int, int, int, int]) -> None:
    """The exact test agrees with the reference."""
    from scipy.stats import fisher_exact as reference

    a, b, c, d = counts
    expected = reference([[a, b], [c, d]])[1] if a + b and c + d else 1.0
    assert statistics.fisher_exact((a, a + b), (c, c + d)) == pytest.approx(float(expected), abs=1e-9)


def test_holm_corrects_in_order() -> None:
    """The smallest p is multiplied by how many there are, the next by one fewer, and none falls below one before it."""
    assert statistics.holm([0.04, 0.01, 0.5]) == [pytest.approx(0.08), pytest.approx(0.03), 0.5]
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
    assert statistics.holm([]) == []
