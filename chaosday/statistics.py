"""What small numbers allow us to say: exact bounds, and how many operations a claim needs.

Everything rests on the binomial distribution: n independent operations, each lost (or missed, or
falsely alarmed on) with the same unknown probability. Sources: Clopper and Pearson, "The use of
confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26 (1934);
Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927);
Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", Stat. Sci. 16 (2001).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

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
    if lost == 0:  # the quantile of Beta(1, of), which needs no scipy: importing that takes a second
        return -math.expm1(math.log1p(-confidence) / of)
    from scipy.special import betaincinv

    return float(betaincinv(lost + 1, of - lost, confidence))


def loss_lower_bound(lost: int, of: int, confidence: float = CONFIDENCE) -> float:
    """The smallest rate that ``lost`` of ``of`` does not refute: exact, one-sided (Clopper-Pearson)."""
    _check(lost, of, confidence)
    if lost == 0:
        return 0.0
    if lost == of:  # the quantile of Beta(of, 1)
        return float((1 - confidence) ** (1 / of))
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
    z = NormalDist().inv_cdf((1 + confidence) / 2)
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


def rate_in_words(rate: float) -> str:
    """A rate that is an upper bound, printed to its meaning and never rounded down: ``3 of 10,000,000``, ``12 %``.

    Two significant digits; from one in a hundred upwards as a percentage. Nothing but 0 is printed as nothing.
    """
    if not 0 <= rate <= 1:
        raise UsageError(f"a rate lies between 0 and 1, not {rate:g}")
    if rate == 0:
        return "0"
    # A float's own last digit is no reason to go up by one.
    exponent = math.floor(math.log10(rate) + 1e-12)
    digits = math.ceil(round(rate * 10.0 ** (1 - exponent), 6))
    if digits == 100:
        digits, exponent = 10, exponent + 1
    if exponent >= -2:
        return f"{digits * 10.0 ** (exponent + 1):g} %"
    of = 10 ** (1 - exponent)
    return f"{digits // 10} of {of // 10:,}" if digits % 10 == 0 else f"{digits} of {of:,}"


def fisher_exact(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Two-sided p that two ``(hits, of)`` have one rate: all tables at most as likely as the one seen.

    Fisher, "On the interpretation of chi-squared from contingency tables", J. Royal Stat. Soc. 85 (1922).
    """
    (hits, of), (others, of_others) = one, other
    _check(hits, of, CONFIDENCE)
    _check(others, of_others, CONFIDENCE)
    drawn, whole = hits + others, of + of_others

    def log_likelihood(n: int) -> float:
        return _log_choose(of, n) + _log_choose(of_others, drawn - n) - _log_choose(whole, drawn)

    seen = log_likelihood(hits)
    tables = range(max(0, drawn - of_others), min(of, drawn) + 1)
    return min(1.0, math.fsum(math.exp(each) for n in tables if (each := log_likelihood(n)) <= seen + 1e-9))


def holm(ps: Sequence[float]) -> list[float]:
    """The same p values, corrected for there being so many of them (Holm, Scand. J. Stat. 6, 1979), in their order."""
    corrected, worst = [0.0] * len(ps), 0.0
    for place, number in enumerate(sorted(range(len(ps)), key=lambda each: ps[each])):
        worst = max(worst, min(1.0, (len(ps) - place) * ps[number]))
        corrected[number] = worst
    return corrected


def _log_choose(of: int, n: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(n + 1) - math.lgamma(of - n + 1)


def _check(hits: int, of: int, confidence: float) -> None:
    if not 0 <= hits <= of:
        raise UsageError(f"{hits} of {of} is not a proportion")
    if not 0 < confidence < 1:
        raise UsageError(f"a confidence lies between 0 and 1, not {confidence:g}")
