from __future__ import annotations

import random

from benchmarks._data_fuzz import SHARES, fuzz, mutated


def test_no_broken_input_is_a_traceback() -> None:
    """A seeded sample of what the benchmark reads by the ten thousand: CSV, Parquet, EDN, manifest, plan, YAML."""
    assert fuzz(150, seed=20, hang_s=120) == {"fuzz_inputs": 150, "fuzz_tracebacks": 0, "fuzz_hangs": 0}


def test_a_seed_gives_the_same_wounds() -> None:
    """What was found once is found again by its seed."""

    for kind in SHARES:
        one, other = (mutated(b"0123456789" * 9, kind, random.Random(5)) for _ in range(2))
        assert one == other
