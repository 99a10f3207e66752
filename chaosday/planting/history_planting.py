"""What the corruptions of register histories need: reads and writes of a key, and who came before whom."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import FAILED, NEVER_NS, OK, History, numbers_of, present_in, to_json
from chaosday.planting.planting import with_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Candidates looked at for each item to be damaged: not every read has what a class of damage needs.
LOOKED_AT = 20


@dataclass(frozen=True)
class Access:
    """One read or write of a register; ``value`` as it is stored, a whole number or JSON text."""

    at: int
    index: int
    process: int
    write: bool
    value: Any
    status: str
    start_ns: int
    end_ns: int

    def before(self, other: Access) -> bool:
        """Whether it had ended when the other one began."""
        return self.status == "ok" and self.end_ns < other.start_ns


class HistoryCorruption(Corruption):
    """Damage to the record of reads and writes of registers whose writes are unique.

    Uniqueness is what makes damage provable: it is known which write a read saw. Damaged keys are the
    ``index`` of the operations that no order of the others explains any more.
    """

    stores: ClassVar[tuple[str, ...]] = ("history",)

    def history(self, evidence: Evidence) -> History:
        """The run's history; ``NotApplicable`` where it is not one of reads and writes of keys."""
        if not evidence.has("history"):
            raise NotApplicable("there is no history")
        history = evidence.history()
        if not history.is_f("read").any() or not history.is_f("write").any():
            raise NotApplicable("nothing reads and writes registers")
        return history

    def reads(self, history: History, rng: np.random.Generator, size: int) -> Iterator[tuple[Access, list[Access]]]:
        """Acknowledged reads that saw something, in random order, each with every access to its key."""
        registers = _Registers.of(history)
        for at in rng.permutation(registers.seeing)[: LOOKED_AT * size].tolist():
            register = registers.around(at)
            if not register.unique:
                raise NotApplicable(
                    "a value is written more than once, so that it is not known who wrote what was read"
                )
            yield register.by_place[at], register.accesses

    def reread(
        self, evidence: Evidence, history: History, found: list[tuple[Access, Any]], size: int, what: str
    ) -> Planted:
        """The evidence with other results for these reads."""
        if len(found) < size:
            raise NotApplicable(f"{len(found)} reads {what}, {size} are needed")
        at = [read.at for read, _ in found]
        # A column in which some results are no numbers holds all of them as JSON; what is text here is that already.
        plain = pa.types.is_integer(history.table.schema.field("result").type)
        values = [value if plain or isinstance(value, str) else to_json(value) for _, value in found]
        table = with_cells(history.table, "result", at, values)
        keys: frozenset[int | str] = frozenset(read.index for read, _ in found)
        return Planted(evidence.replaced(history=History(table)), keys)


@dataclass(frozen=True)
class _Register:
    """Every read and write of one register, in order."""

    accesses: list[Access]
    by_place: dict[int, Access]
    unique: bool
    """Whether no value was written twice."""


class _Registers:
    """The registers of a history, told apart once; the accesses to one are made when a read of it is drawn.

    A proof plants hundreds of times in one and the same history.
    """

    _remembered: ClassVar[weakref.WeakKeyDictionary[History, _Registers]] = weakref.WeakKeyDictionary()

    @classmethod
    def of(cls, history: History) -> _Registers:
        """Those of a history; remembered as long as it lives."""
        if history not in cls._remembered:
            cls._remembered[history] = cls(history)
        return cls._remembered[history]

    def __init__(self, history: History) -> None:
        reads, seen = history.is_f("read"), present_in(history.table["result"].combine_chunks())
        self.seeing = np.flatnonzero(reads & (history.statuses() == OK) & seen)
        self._keys = _codes_of(history.table["key"])
        asked = np.flatnonzero(reads | history.is_f("write"))
        self._places = asked[np.argsort(self._keys[asked], kind="stable")]
        self._ordered = self._keys[self._places]
        self._table = history.table
        self._made: dict[int, _Register] = {}

    def around(self, at: int) -> _Register:
        """The register that operation number ``at`` is about."""
        key = int(self._keys[at])
        if key not in self._made:
            low, high = np.searchsorted(self._ordered, [key, key + 1])
            self._made[key] = self._register(self._places[low:high])
        return self._made[key]

    def _register(self, places: NDArray[np.int64]) -> _Register:
        rows = self._table.take(pa.array(places)).to_pylist()
        accesses = [_access(int(place), row) for place, row in zip(places, rows, strict=True)]
        written = [each.value for each in accesses if each.write]
        return _Register(accesses, {each.at: each for each in accesses}, len(written) == len(set(written)))


def _access(place: int, row: dict[str, Any]) -> Access:
    return Access(
        at=place,
        index=row["index"],
        process=row["process"],
        write=row["f"] == "write",
        value=row["value"] if row["f"] == "write" else row["result"],
        status=row["status"],
        start_ns=row["start_ns"],
        end_ns=NEVER_NS if row["end_ns"] is None or row["status"] == "unknown" else row["end_ns"],
    )


def _codes_of(column: Any) -> NDArray[np.int64]:
    """A number for each value, -1 for none."""
    array = column.combine_chunks().dictionary_encode()
    return np.where(present_in(array), numbers_of(array.indices), -1).astype(np.int64)


def writer_of(read: Access, accesses: list[Access]) -> Access | None:
    """The write that a read saw, where it did not provably fail."""
    return next((a for a in accesses if a.write and a.status != "failed" and a.value == read.value), None)


def overwritten(write: Access, read: Access, accesses: list[Access]) -> bool:
    """Whether another write came after this one and before the read, by the clock alone."""
    return any(a.write and a.status == "ok" and write.before(a) and a.before(read) for a in accesses)


def contradicted(history: History) -> set[int]:
    """Every acknowledged read, by ``index``, that the clock alone contradicts: it ended before the write
    that it saw began, or began after that write had been overwritten. Sound, and not complete."""
    status, start, end = history.statuses(), history.integers("start_ns"), history.ends_ns()
    reads = history.is_f("read") & (status == OK) & history.table["result"].is_valid().to_numpy()
    writes = history.is_f("write") & (status != FAILED)
    keys = _codes_of(history.table["key"])
    seen = _codes(history)
    found: set[int] = set()
    for key in np.unique(keys[writes]):
        wrote = np.flatnonzero(writes & (keys == key))
        read = np.flatnonzero(reads & (keys == key))
        by_value = wrote[np.argsort(seen[wrote], kind="stable")]
        at = np.minimum(np.searchsorted(seen[by_value], seen[read]), len(by_value) - 1)
        writer = by_value[at]
        known = seen[writer] == seen[read]
        read, writer = read[known], writer[known]
        sure = wrote[status[wrote] == OK]
        sure = sure[np.argsort(start[sure], kind="stable")]
        # The earliest end among the writes that began after a given moment.
        ends = np.append(np.minimum.accumulate(end[sure][::-1])[::-1], NEVER_NS)
        over = ends[np.searchsorted(start[sure], end[writer], side="right")]
        wrong = (end[read] < start[writer]) | (start[read] > over)
        found |= set(history.integers("index")[read[wrong]].tolist())
    return found


def _codes(history: History) -> NDArray[np.int64]:
    """What each write wrote and each read saw, as numbers that are equal where the values are."""
    value, result = history.table["value"], history.table["result"]
    kind = value.type if value.type == result.type else pa.string()
    merged = pc.if_else(pa.array(history.is_f("write")), value.cast(kind), result.cast(kind))
    return _codes_of(merged)
