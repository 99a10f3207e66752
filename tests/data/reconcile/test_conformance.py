from __future__ import annotations

import itertools

import pytest

from tests.data.reconcile.conformance import conformance, random_tables
from tests.data.reconcile.oracle import ENGINES
from tests.data.reconcile.stores import Stores

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(("left", "right"), list(itertools.combinations_with_replacement(ENGINES, 2)))
def test_every_edge_value_is_equal_to_itself_alone(stores: Stores, left: str, right: str) -> None:
    """Between every two engines, a value of any type is equal to itself and different from every other edge value."""
    found = conformance(stores, [(left, right)])
    assert found.failed == []
    assert found.cells > 150


@pytest.mark.parametrize(("left", "right"), list(itertools.product(ENGINES, repeat=2)))
def test_random_tables_are_judged_as_python_judges_their_values(stores: Stores, left: str, right: str) -> None:
    """A table is different exactly where one of its values, rows or counts is, whatever was planted."""
    answers = random_tables(stores, (left, right), 12, seed=1)
    assert answers.false_equal + answers.false_different == []
