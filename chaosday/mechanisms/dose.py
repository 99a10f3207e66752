"""Whether a delay is no larger than was asked for: one that is measured twice would pass for a right one."""

from __future__ import annotations

from chaosday.model.fault import Reading

AT_MOST = 1.5
"""A dose may be so many times what was asked, and ``NOISE_MS`` more, before it is called another one."""
NOISE_MS = 10.0


def overdose(baseline: Reading, during: Reading, asked_ms: float) -> str:
    """What to say of a delay that is too large; empty where it is not.

    Judged by the smallest of several readings, because a busy machine makes waits longer and none shorter; a single
    reading proves nothing.
    """
    if during.least is None:
        return ""
    added = during.least - (baseline.value if baseline.least is None else baseline.least)
    if added <= AT_MOST * asked_ms + NOISE_MS:
        return ""
    return f"the least of them was {added:.4g} ms more than before, which is not what was asked"
