"""An anomaly in words: which keys are shown, and how many are not."""

from __future__ import annotations

import pytest

from chaosday.judging.example import example, operations
from chaosday.model.history import History

pytestmark = pytest.mark.kernel
ADDED = [
    {"index": n, "process": n, "f": "add", "key": None, "value": n, "status": "ok", "error": None}
    | {"start_ns": n * 1_000_000_000, "end_ns": n * 1_000_000_000 + 500_000}
    for n in range(9)
]


@pytest.mark.parametrize(
    ("keys", "count", "said"),
    [
        ([3], 1, "lost: 3"),
        (list(range(6)), 6, "lost: 0, 1, 2, 3, 4, 5"),
        (list(range(9)), 9, "lost: 0, 1, 2, 3, 4, 5 and 3 more"),
        ([0, 1], 2_002, "lost: 0, 1 and 2,000 more"),
    ],
)
def test_what_is_shown_and_the_rest_are_all_there_is(keys: list[int], count: int, said: str) -> None:
    """The keys in the line and those it only counts sum up to what was found; the first one's operation follows."""
    anomaly = {"name": "lost", "keys": keys, "count": count, "detail": []}
    lines = example([{"anomalies": [anomaly]}], ["lost"], History.from_rows(ADDED))
    assert lines[0] == said
    assert lines[1:] == [f"client {keys[0]}, {keys[0]}.0000 s to {keys[0]}.0005 s: add {keys[0]} (ok)"]


def test_a_flipped_digit_in_a_wide_value_is_seen() -> None:
    """Noughts are counted, so that what differs is not beyond the end of the line."""
    read = ADDED[0] | {"f": "read", "key": 8, "value": None, "result": "0" * 1_500 + "p" + "0" * 297 + "42"}
    (line,) = operations(History.from_rows([read]), [0])
    assert line == "client 0, 0.0000 s to 0.0005 s: read 8 -> 0(x1,500)p0(x297)42 (ok)"
