"""Sequential models: what one copy of the thing would have answered.

``step`` takes a state and an operation and gives the new state, or ``NO`` where one copy could not
have answered so. ``pure`` operations change no state, whatever it is: taking one as soon as it fits
never costs anything.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

NO = object()
UNSEEN = "a value that no later operation can see"
State = Hashable


@dataclass(frozen=True)
class Op:
    """An operation as models see it: what was asked, what came back, and whether it was refused."""

    f: str
    value: Any = None
    result: Any = None
    refused: bool = False


class SequentialModel(Protocol):
    """Initial state, step, and which operations count; ``asks`` are the kinds of operation it knows."""

    name: ClassVar[str]
    asks: ClassVar[tuple[str, ...]]

    def initial(self) -> State: ...

    def step(self, state: Any, op: Op) -> Any: ...

    def pure(self, op: Op) -> bool:
        """Whether it changes no state."""

    def counts(self, op: Op, unknown: bool) -> bool:
        """Whether it says anything at all; ``unknown`` is an operation without an answer."""

    def prepared(self, ops: Sequence[Op]) -> SequentialModel:
        """The same for these operations: states that none of them can tell apart may become one."""


@dataclass(frozen=True)
class Register:
    """Read, write and compare-and-set of one value.

    ``nil_read`` "wildcard" takes a read of nil for a read of anything (Knossos), "value" for a read
    of nothing. ``failed_cas`` "ignored" takes a refused compare-and-set for one that did not happen,
    "mismatch" for proof that the value was another.
    """

    start: Any = None
    nil_read: str = "wildcard"
    failed_cas: str = "ignored"
    seen: frozenset[Any] | None = None
    name: ClassVar[str] = "register"
    asks: ClassVar[tuple[str, ...]] = ("read", "r", "write", "w", "cas")

    def initial(self) -> State:
        start: State = _frozen(self.start)
        return start

    def step(self, state: Any, op: Op) -> Any:
        if op.f in ("read", "r"):
            return state if op.result == state else NO
        if op.f in ("write", "w"):
            return self._told(op.value)
        if op.f == "cas":
            old, new = op.value
            if op.refused:
                return state if old != state else NO
            return self._told(new) if old == state else NO
        return NO

    def pure(self, op: Op) -> bool:
        return op.f in ("read", "r") or op.refused

    def counts(self, op: Op, unknown: bool) -> bool:
        if op.f in ("read", "r"):
            return not unknown and not op.refused and not (op.result is None and self.nil_read == "wildcard")
        return not op.refused or (op.f == "cas" and self.failed_cas == "mismatch")

    def prepared(self, ops: Sequence[Op]) -> Register:
        return replace(
            self,
            seen=frozenset(op.value[0] if op.f == "cas" else op.result for op in ops if op.f == "cas" or self.pure(op)),
        )

    def _told(self, value: Any) -> Any:
        return value if self.seen is None or value in self.seen else UNSEEN


@dataclass(frozen=True)
class Mutex:
    """Acquire and release of one lock, by anybody."""

    name: ClassVar[str] = "mutex"
    asks: ClassVar[tuple[str, ...]] = ("acquire", "release")

    def initial(self) -> State:
        return False

    def step(self, state: Any, op: Op) -> Any:
        if op.f == "acquire":
            return NO if state else True
        return False if state and op.f == "release" else NO

    def pure(self, op: Op) -> bool:
        return False

    def counts(self, op: Op, unknown: bool) -> bool:
        return not op.refused

    def prepared(self, ops: Sequence[Op]) -> Mutex:
        return self


@dataclass(frozen=True)
class KeyValue:
    """Get, put and append of one key's text; a key that is not there reads as ``start``."""

    start: str = ""
    seen: tuple[str, ...] | None = None
    name: ClassVar[str] = "kv"
    asks: ClassVar[tuple[str, ...]] = ("get", "read", "put", "write", "append")

    def initial(self) -> State:
        return self.start

    def step(self, state: Any, op: Op) -> Any:
        if op.f in ("get", "read"):
            return state if self._answer(op) == state else NO
        if op.f in ("put", "write"):
            return self._told(str(op.value))
        if op.f != "append":
            return NO
        return state if state is UNSEEN else self._told(f"{state}{op.value}")

    def pure(self, op: Op) -> bool:
        return op.f in ("get", "read")

    def counts(self, op: Op, unknown: bool) -> bool:
        return not op.refused and not (unknown and self.pure(op))

    def prepared(self, ops: Sequence[Op]) -> KeyValue:
        return replace(self, seen=tuple(sorted({self._answer(op) for op in ops if self.pure(op)})))

    def _answer(self, op: Op) -> str:
        return self.start if op.result is None else str(op.result)

    def _told(self, text: str) -> Any:
        """The text if some get can still see it grow; n appends in an order nobody saw are not n! states."""
        if self.seen is None:
            return text
        at = bisect_left(self.seen, text)
        return text if at < len(self.seen) and self.seen[at].startswith(text) else UNSEEN


@dataclass(frozen=True)
class FifoQueue:
    """First in, first out; a dequeue that answers nothing found the queue empty."""

    name: ClassVar[str] = "fifo-queue"
    asks: ClassVar[tuple[str, ...]] = ("enqueue", "dequeue")

    def initial(self) -> State:
        return ()

    def step(self, state: Any, op: Op) -> Any:
        if op.f == "enqueue":
            return (*state, op.value)
        if op.f != "dequeue":
            return NO
        if op.result is _ANY:
            return state[1:]
        if op.result is None:
            return NO if state else state
        return state[1:] if state and state[0] == op.result else NO

    def pure(self, op: Op) -> bool:
        return op.f == "dequeue" and op.result is None

    def counts(self, op: Op, unknown: bool) -> bool:
        return not op.refused

    def prepared(self, ops: Sequence[Op]) -> FifoQueue:
        return self


_ANY = object()


def op_of(f: str, value: Any, result: Any, *, refused: bool, unknown: bool) -> Op:
    """An operation with its payloads made hashable; an unanswered dequeue may have taken anything."""
    if unknown and f == "dequeue":
        return Op(f, None, _ANY)
    return Op(f, _frozen(value), _frozen(result), refused)


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return tuple(sorted((key, _frozen(item)) for key, item in value.items()))
    return value
