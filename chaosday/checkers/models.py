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

from chaosday.errors import MalformedHistory
from chaosday.model.history import Token, to_json, token_of, value_of

NO = object()
UNSEEN = "a value that no later operation can see"
State = Hashable


@dataclass(frozen=True)
class Op:
    """An operation as models see it: what was asked, what came back (both tokens), and whether it was refused.

    A compare-and-set asks for a pair of tokens, old and new.
    """

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
        return token_of(self.start)

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
    """Get, put and append of one key's text; a key that is not there reads as ``start``.

    A state is a text, or the token of what is none: ``1`` and ``"1"`` are two things to put. Nothing
    can be appended to what is no text.
    """

    start: str = ""
    seen: tuple[str, ...] | None = None
    name: ClassVar[str] = "kv"
    asks: ClassVar[tuple[str, ...]] = ("get", "read", "put", "write", "append")

    def initial(self) -> State:
        return to_json(self.start)

    def step(self, state: Any, op: Op) -> Any:
        if op.f in ("get", "read"):
            return state if self._answer(op) == state else NO
        if op.f in ("put", "write"):
            return self._told(op.value)
        if op.f != "append":
            return NO
        return state if state is UNSEEN else self._told(_appended(state, op.value))

    def pure(self, op: Op) -> bool:
        return op.f in ("get", "read")

    def counts(self, op: Op, unknown: bool) -> bool:
        return not op.refused and not (unknown and self.pure(op))

    def prepared(self, ops: Sequence[Op]) -> KeyValue:
        return replace(self, seen=tuple(sorted({_grown(self._answer(op)) for op in ops if self.pure(op)})))

    def _answer(self, op: Op) -> Token:
        return to_json(self.start) if op.result is None else op.result

    def _told(self, token: Any) -> Any:
        """The text if some get can still see it grow; n appends in an order nobody saw are not n! states."""
        if self.seen is None:
            return token
        text = _grown(token)
        at = bisect_left(self.seen, text)
        return token if at < len(self.seen) and self.seen[at].startswith(text) else UNSEEN


def _grown(token: Token | None) -> str:
    """A token as a text of which that of every longer text begins with: a JSON text without its closing quote."""
    return token[:-1] if isinstance(token, str) and token[0] == '"' else f"{token}\0"


def _appended(token: Token | None, more: Token | None) -> Token:
    text, end = value_of(token), value_of(more)
    if not (isinstance(text, str) and isinstance(end, str)):
        raise MalformedHistory(f"only a text can be appended to a text, not {more} to {token}")
    return to_json(text + end)


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


def op_of(f: str, value: Token | None, result: Token | None, *, refused: bool, unknown: bool) -> Op:
    """An operation of two payloads as tokens; an unanswered dequeue may have taken anything."""
    if unknown and f == "dequeue":
        return Op(f, None, _ANY)
    if f == "cas":
        return Op(f, _old_and_new(value), result, refused)
    return Op(f, value, result, refused)


def _old_and_new(value: Token | None) -> tuple[Token | None, Token | None]:
    pair = value_of(value)
    if not isinstance(pair, list) or len(pair) != 2:
        raise MalformedHistory(f"a compare-and-set asks for [old new], not {value}")
    return token_of(pair[0]), token_of(pair[1])
