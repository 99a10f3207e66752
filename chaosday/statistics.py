"""What small numbers allow us to say: exact bounds, and how many operations a claim needs.

Everything rests on the binomial distribution: n independent operations, each lost (or missed, or
falsely alarmed on) with the same unknown probability. Sources: Clopper and Pearson, "The use of
confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26 (1934);
Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927);
Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", Stat. Sci. 16 (2001).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from chaosday.errors import UsageError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A range of proportions (0 to 1) that holds the true one with the stated confidence."""

    low: float
    high: float
    confidence: float = CONFIDENCE


def loss_upper_bound(lost: int, of: int, confidence: float = CONFIDENCE) -> float:
    """The largest loss rate that ``lost`` of ``of`` does not refute: exact, one-sided (Clopper-Pearson).

    The bound u solves P(at most ``lost`` losses of ``of`` | u) = 1 - confidence, which is a quantile
    of Beta(lost + 1, of - lost). Nothing tried bounds nothing: 1.0.
    """
    _check(lost, of, confidence)
    if lost == of:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(lost + 1, of - lost, confidence))


def loss_lower_bound(lost: int, of: int, confidence: float = CONFIDENCE) -> float:
    """The smallest rate that ``lost`` of ``of`` does not refute: exact, one-sided (Clopper-Pearson)."""
    _check(lost, of, confidence)
    if lost == 0:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(lost, of - lost + 1, 1 - confidence))


def exact_interval(hits: int, of: int, confidence: float = CONFIDENCE) -> Interval:
    """Two-sided Clopper-Pearson interval: never covers less than it says, wider than Wilson's."""
    each_side = (1 + confidence) / 2
    return Interval(loss_lower_bound(hits, of, each_side), loss_upper_bound(hits, of, each_side), confidence)


def wilson(hits: int, of: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval, the usual one for a recall: close to its nominal coverage at small n."""
    _check(hits, of, confidence)
    if of == 0:
        return Interval(0.0, 1.0, confidence)
    from scipy.special import ndtri

    z = float(ndtri((1 + confidence) / 2))
    rate, z2 = hits / of, z * z
    centre = (rate + z2 / (2 * of)) / (1 + z2 / of)
    half = z * math.sqrt(rate * (1 - rate) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    # At the ends the formula is exactly 0 or 1 on paper, and off by a rounding error in floats.
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == of else min(1.0, centre + half)
    return Interval(low, high, confidence)


def operations_needed(loss_rate: float, confidence: float = CONFIDENCE) -> int:
    """The fewest operations with which losing none refutes ``loss_rate``: (1 - rate)^n <= 1 - confidence.

    It is also the number with which a loss at that rate shows at least once with that probability
    ("rule of three": about 3 / rate at 95 %; Hanley and Lippman-Hand, JAMA 249, 1983).
    """
    if not 0 < loss_rate <= 1:
        raise UsageError(f"a loss rate to be seen lies above 0 and at most 1, not {loss_rate:g}")
    _check(0, 0, confidence)
    if loss_rate == 1:
        return 1
    needed = max(1, math.ceil(math.log1p(-confidence) / math.log1p(-loss_rate)))
    # Rounding in the logarithms can leave us one short, and the bound is what is promised.
    while loss_upper_bound(0, needed, confidence) > loss_rate:
        needed += 1
    return needed


def pooled_upper_bound(runs: Iterable[tuple[int, int]], confidence: float = CONFIDENCE) -> float:
    """The bound over several runs' ``(lost, of)``: one experiment repeated is one long experiment.

    Sound only where the runs are of the same experiment on the same kind of system: pooling a
    lossy configuration with a safe one describes neither.
    """
    lost = of = 0
    for one_lost, one_of in runs:
        lost, of = lost + one_lost, of + one_of
    return loss_upper_bound(lost, of, confidence)


def false_alarm_rate(alarms: int, clean_runs: int, confidence: float = CONFIDENCE) -> Interval:
    """How often the machinery cries wolf, from A/A runs in which nothing was done: exact, two-sided."""
    return exact_interval(alarms, clean_runs, confidence)


def _check(hits: int, of: int, confidence: float) -> None:
    if not 0 <= hits <= of:
        raise UsageError(f"{hits} of {of} is not a proportion")
    if not 0 < confidence < 1:
        raise UsageError(f"a confidence lies between 0 and 1, not {confidence:g}")
