"""Whether a measured share is the share that was asked for, given how few packets it was measured on."""

from __future__ import annotations

from chaosday.model.fault import Reading
from chaosday.statistics import exact_interval

CONFIDENCE = 0.999


def interval_percent(percent: float, draws: float) -> tuple[float, float]:
    """The exact (Clopper-Pearson) interval of a share seen in ``draws`` independent draws, in per cent."""
    trials = max(1, round(draws))
    found = exact_interval(min(trials, round(percent / 100 * trials)), trials, CONFIDENCE)
    return 100 * found.low, 100 * found.high


def agrees(asked_percent: float, baseline: Reading, during: Reading, draws: float) -> tuple[bool, str]:
    """Whether ``during`` is above the baseline and agrees with what was asked; and that in words."""
    low, high = interval_percent(during.value, draws)
    words = (
        f"asked {asked_percent:.3g} %, measured {during.value:.3g} {during.unit} "
        f"(99.9 % interval {low:.3g} to {high:.3g}), {baseline.value:.3g} % before"
    )
    return low > baseline.value and low <= asked_percent <= high, words
