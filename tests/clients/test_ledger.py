"""The ledger's own arithmetic: identities, checksums, and the store that it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosday.checks.ledger import LedgerCheck
from chaosday.clients import ledger
from chaosday.model.finding import Outcome
from tests.judging import planting

pytestmark = pytest.mark.kernel
WHOLE = st.integers(-(1 << 63), (1 << 63) - 1)


@given(st.lists(st.tuples(WHOLE, st.integers(0, 1 << 30), WHOLE), max_size=20))
def test_the_two_checksums_agree(content: list[tuple[int, int, int]]) -> None:
    """The writer's checksum of one row and the checker's of many are the same number, fit for a bigint."""
    columns = np.array(content, dtype=np.int64).reshape(-1, 3)
    together = ledger.checksums(columns[:, 0], columns[:, 1], columns[:, 2])
    assert together.tolist() == [ledger.checksum(*row) for row in content]
    assert all(0 <= one < 1 << 63 for one in together.tolist())


@given(WHOLE, st.integers(0, 1 << 30), WHOLE, st.integers(0, 63))
def test_one_flipped_bit_changes_the_checksum(row: int, version: int, value: int, bit: int) -> None:
    """No single bit of a row can flip unseen."""
    flipped = (value ^ (1 << bit)) if bit < 63 else -value - 1
    assert ledger.checksum(row, version, value) != ledger.checksum(row, version, flipped)


def test_row_ids_do_not_collide() -> None:
    """Writer and sequence make an id that another pair cannot make."""
    ids = {ledger.row_id(writer, sequence) for writer in range(50) for sequence in range(50)}
    assert len(ids) == 2500


@pytest.mark.parametrize("seed", range(3))
def test_sound_rows_satisfy_the_check(seed: int) -> None:
    """The store rebuilt from acknowledgements passes, and owes as many rows as were acknowledged."""
    evidence = planting.simulated(2_000, seed=seed, unsettled_share=0.2)
    rebuilt = evidence.replaced(rows={"survivor": ledger.sound_rows(evidence.history())})
    finding = LedgerCheck().judge(rebuilt)
    assert finding.outcome is Outcome.PASS
    assert finding.result["rows"] == finding.result["acknowledged_rows"] > 1_000


def test_a_history_is_read_once() -> None:
    """What is derived from an immutable history is remembered with it."""
    history = planting.history("1 insert 7 ok")
    assert ledger.operations(history) is ledger.operations(history)
