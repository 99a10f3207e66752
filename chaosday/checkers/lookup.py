"""Small pieces of columnar algebra: code to row, runs, pairs of one group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]

LARGEST_CODE = 2**62


def code_of(key: Ints, value: Ints, size: int) -> Ints:
    """One number for a key and a value below ``size``; in 64 bits, whatever the columns are kept in."""
    code: Ints = np.multiply(key, size, dtype=np.int64) + value
    return code


class Lookup:
    """From a code to the row that has it; of several rows one is found, and ``repeated`` tells.

    A table where the codes are dense enough, sorted codes otherwise: never more than eight times
    the memory of the codes themselves.
    """

    def __init__(self, codes: Ints, size: int) -> None:
        self._dense = size <= 8 * len(codes) + 4096
        self.rows = len(codes)
        if self._dense:
            self._table = np.full(size + 1, -1, dtype=np.int32)
            self._table[codes] = np.arange(len(codes), dtype=np.int32)
        else:
            self._order = np.argsort(codes, kind="stable")
            self._sorted = codes[self._order]

    def find(self, codes: Ints) -> Ints:
        """The row of each code, -1 where there is none."""
        if self._dense:
            found: Ints = self._table[codes]
            return found
        if not self.rows:
            return np.full(len(codes), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._sorted, codes, side="right") - 1, self.rows - 1)
        return np.where((at >= 0) & (self._sorted[at] == codes), self._order[at], -1)

    def repeated(self, codes: Ints) -> Ints:
        """Of the codes it was made of, the rows that share theirs with a later one."""
        return np.flatnonzero(self.find(codes) != np.arange(len(codes)))


def same_before(owner: Ints, key: Ints, longest: int) -> Iterator[tuple[Ints, Ints]]:
    """All pairs (earlier, later) of micro-operations of one transaction on one key, nearest first.

    ``longest`` is the most micro-operations a transaction has: as many comparisons of the shifted
    columns find every pair without sorting.
    """
    for distance in range(1, longest):
        earlier = np.flatnonzero((owner[distance:] == owner[:-distance]) & (key[distance:] == key[:-distance]))
        if len(earlier):
            yield earlier, earlier + distance


def expand(first: Ints, lengths: Ints) -> Ints:
    """The positions ``first[n] .. first[n] + lengths[n] - 1`` of every n, one after the other."""
    total = int(lengths.sum())
    starts = np.cumsum(lengths) - lengths
    positions: Ints = np.arange(total) - np.repeat(starts - first, lengths)
    return positions


def products(left: Ints, left_group: Ints, right: Ints, right_group: Ints, limit: int) -> tuple[Ints, Ints] | None:
    """Every pair of a ``left`` and a ``right`` of the same group; None if there were more than ``limit``."""
    order = np.argsort(right_group, kind="stable")
    right, right_group = right[order], right_group[order]
    low = np.searchsorted(right_group, left_group, side="left")
    counts = np.searchsorted(right_group, left_group, side="right") - low
    if counts.sum() > limit:
        return None
    return np.repeat(left, counts), right[expand(low, counts)]
