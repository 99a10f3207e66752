"""Every check agrees with trying everything, on small random histories."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checkers.oracles import ORACLES, compare


@pytest.mark.parametrize("name", ORACLES)
def test_a_check_agrees_with_brute_force(name: str) -> None:
    """No disagreement on a fixed sample; ``python -m benchmarks checks`` does ten thousand of each."""
    assert compare(name, 60, seed=1) == []


@pytest.mark.parametrize("name", ORACLES)
def test_the_sample_of_an_oracle_says_both(name: str) -> None:
    """Among the histories there are good ones and bad ones: an oracle of one kind proves nothing."""
    oracle = ORACLES[name]
    said = {oracle.check(oracle.make(Random(f"both-{n}"))) for n in range(120)}
    assert {True, False} <= said or name == "rw-register"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(ORACLES)), st.integers(0, 2**32))
def test_any_seed_agrees(name: str, seed: int) -> None:
    """Whatever history is drawn, the check and the brute force say the same."""
    assert compare(name, 1, seed) == []
