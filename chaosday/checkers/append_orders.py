"""In which order the elements of each list were appended, as far as the reads tell.

Every read of a list shows its whole past. Where all reads of a key are prefixes of the longest one,
that is the order, found and verified by comparing columns. Keys of which this is not true (or whose
longest read holds an element twice) are few; they are gone through one by one: orders that
contradict each other are merged, and what contradicts is dropped.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chaosday.checkers.lookup import LARGEST_CODE, Ints, Lookup, code_of, expand
from chaosday.record.transactions import APPEND, READ, Transactions

_CHUNK = 1 << 19


@dataclass
class Orders:
    """The version order of each key and where every append and read stands in it.

    Key ``k`` has the versions ``first[k]:first[k + 1]``. ``place`` maps codes (key and element) to
    them. ``reads`` are the reads of transactions that can have happened; a read's ``state`` is how
    many versions it saw (-1: its last element has no place). ``odd`` keys went the slow way.
    """

    txns: Transactions
    columns: Columns
    first: Ints
    element: Ints
    place: Lookup
    reads: Ints
    state: Ints
    odd: NDArray[np.bool_]
    incompatible: list[dict[str, Any]] = field(default_factory=list)
    duplicates: list[dict[str, Any]] = field(default_factory=list)

    def code(self, key: Ints, element: Ints) -> Ints:
        """One number for a key and an element of it."""
        return code_of(key, element, self.columns.size)

    def of(self, key: int) -> list[int]:
        """The version order of one key, as codes of elements."""
        order: list[int] = self.element[self.first[key] : self.first[key + 1]].tolist()
        return order


@dataclass(frozen=True)
class Columns:
    """Elements and appended values moved to start near 0: ``size`` of them, ``low`` less than they were.

    Where that leaves them too far apart to be told from those of other keys in 64 bits (a history whose elements are
    identifiers spread over all of them), they are their ranks, and ``ranked`` holds what was ranked.
    """

    elements: Ints
    values: Ints
    size: int
    low: int
    ranked: Ints | None = None

    def name(self, code: int) -> int:
        """What the element was before it was moved."""
        return code + self.low if self.ranked is None else int(self.ranked[code])

    @classmethod
    def of(cls, txns: Transactions) -> Columns:
        """Move only where it is needed: a copy of every element is what a large history cannot afford."""
        appends = txns.f == APPEND
        parts = [part for part in (txns.value[appends], txns.elements) if len(part)]
        if not parts:
            return cls(txns.elements, txns.value, 1, 0)
        low, high = min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)
        if (high - low + 1) * max(txns.keys, 1) > LARGEST_CODE:
            ranked = np.unique(np.concatenate(parts))
            values = np.where(appends, np.searchsorted(ranked, txns.value), 0)
            return cls(np.searchsorted(ranked, txns.elements), values, len(ranked), 0, ranked)
        if 0 <= low <= high - low + 1024 and (high + 1) * max(txns.keys, 1) <= LARGEST_CODE:
            return cls(txns.elements, txns.value, high + 1, 0)
        return cls(txns.elements - low, txns.value - low, high - low + 1, low)


def orders(txns: Transactions, columns: Columns, possible: NDArray[np.bool_], answered: NDArray[np.bool_]) -> Orders:
    """Find the order of every key from what ``possible`` transactions read; only ``answered`` ones read nothing."""
    elements, size = columns.elements, columns.size
    lengths, owner = txns.lengths, txns.owner
    is_read = (txns.f == READ) & possible[owner] & (answered[owner] | (lengths > 0))
    reads = np.flatnonzero(is_read)
    longest = np.zeros(txns.keys, dtype=np.int64)
    np.maximum.at(longest, txns.key[reads], lengths[reads])
    shows = np.full(txns.keys, -1, dtype=np.int64)
    full = reads[(lengths[reads] == longest[txns.key[reads]]) & (lengths[reads] > 0)]
    shows[txns.key[full]] = full
    odd = _contradicted(txns, elements, reads, shows)
    appends = np.flatnonzero((txns.f == APPEND) & possible[owner])
    first, element = _laid_out(txns, columns, shows, longest, appends)
    codes = code_of(np.repeat(np.arange(txns.keys), np.diff(first)), element, size)
    place = Lookup(codes, txns.keys * size)
    odd[np.repeat(np.arange(txns.keys), np.diff(first))[place.repeated(codes)]] = True
    found = Orders(txns, columns, first, element, place, reads, lengths[reads].astype(np.int64), odd)
    if odd.any():
        _mend(found)
    return found


def _contradicted(txns: Transactions, elements: Ints, reads: Ints, shows: Ints) -> NDArray[np.bool_]:
    """Keys of which some read is not a prefix of the longest one."""
    odd = np.zeros(txns.keys, dtype=bool)
    start = txns.list_first[:-1]
    lengths = txns.lengths
    for low in range(0, len(reads), _CHUNK):
        part = reads[low : low + _CHUNK]
        shown = start[shows[txns.key[part]]]
        part, shown = part[lengths[part] > 0], shown[lengths[part] > 0]
        counts = lengths[part]
        differ = elements[expand(start[part], counts)] != elements[expand(shown, counts)]
        if differ.any():
            odd[txns.key[np.repeat(part, counts)[differ]]] = True
    return odd


def _laid_out(txns: Transactions, columns: Columns, shows: Ints, longest: Ints, appends: Ints) -> tuple[Ints, Ints]:
    """Offsets and elements of all orders; a key that was never read but written once has that order."""
    elements, values = columns.elements, columns.values
    unread = shows < 0
    times = np.bincount(txns.key[appends], minlength=txns.keys)
    single = unread & (times == 1)
    counts = np.where(single, 1, longest)
    first = np.zeros(txns.keys + 1, dtype=np.int64)
    np.cumsum(counts, out=first[1:])
    element = np.empty(int(first[-1]), dtype=elements.dtype if len(elements) else np.int64)
    seen = np.flatnonzero(~unread)
    element[expand(first[seen], longest[seen])] = elements[expand(txns.list_first[shows[seen]], longest[seen])]
    lone = appends[single[txns.key[appends]]]
    element[first[txns.key[lone]]] = values[lone]
    return first, element


def _mend(found: Orders) -> None:
    """Go through the odd keys one by one: name what is wrong, and merge what can be merged."""
    txns, merged = found.txns, dict[int, list[int]]()
    elements, name = found.columns.elements, found.columns.name
    by_key: dict[int, list[int]] = {}
    for read in found.reads[found.odd[txns.key[found.reads]]].tolist():
        by_key.setdefault(int(txns.key[read]), []).append(read)
    for key, reads in by_key.items():
        seen: dict[tuple[int, ...], int] = {}
        for read in reads:
            values = tuple(elements[txns.list_first[read] : txns.list_first[read + 1]].tolist())
            twice = {value: times for value, times in Counter(values).items() if times > 1}
            if twice:
                named = {str(txns.name_of_value(name(value))): times for value, times in twice.items()}
                found.duplicates.append({"key": txns.key_names[key], "duplicates": named, "mop": read})
            if values:
                seen.setdefault(values, read)
        ordered = sorted(seen, key=lambda values: (len(values), values))
        for shorter, longer in itertools.pairwise(ordered):
            if longer[: len(shorter)] != shorter:
                shown = [[txns.name_of_value(name(value)) for value in values] for values in (shorter, longer)]
                mops = [seen[shorter], seen[longer]]
                found.incompatible.append({"key": txns.key_names[key], "values": shown, "mops": mops})
                break
        order: list[int] = []
        for values in ordered:
            order = merge_orders(order, list(values))
        merged[key] = order
    _replace(found, merged)


def merge_orders(one: list[int], two: list[int]) -> list[int]:
    """An order consistent with both; of elements that contradict each other the smaller are dropped."""
    left, right = list(dict.fromkeys(one)), list(dict.fromkeys(two))
    merged: list[int] = []
    a = b = 0
    while a < len(left) and b < len(right):
        if left[a] == right[b]:
            merged.append(left[a])
            a, b = a + 1, b + 1
        elif left[a] < right[b]:
            a += 1
        else:
            b += 1
    return merged + left[a:] + right[b:]


def _replace(found: Orders, merged: dict[int, list[int]]) -> None:
    txns, elements = found.txns, found.columns.elements
    pieces = [
        np.array(merged[key], dtype=found.element.dtype)
        if key in merged
        else found.element[found.first[key] : found.first[key + 1]]
        for key in range(txns.keys)
    ]
    counts = np.array([len(piece) for piece in pieces], dtype=np.int64)
    found.first = np.concatenate([[0], np.cumsum(counts)])
    found.element = np.concatenate(pieces) if pieces else found.element
    codes = found.code(np.repeat(np.arange(txns.keys), counts), found.element)
    found.place = Lookup(codes, txns.keys * found.columns.size)
    # What an odd read saw last has its place in the merged order, or none.
    strange = np.flatnonzero(found.odd[txns.key[found.reads]] & (found.state > 0))
    reads = found.reads[strange]
    last = found.place.find(found.code(txns.key[reads], elements[txns.list_first[reads + 1] - 1]))
    found.state[strange] = np.where(last >= 0, last - found.first[txns.key[reads]] + 1, -1)
