"""What stores in lake tables share: a table is read at a snapshot, and changed by a commit that names that snapshot.

The table of a space has a row for each element of its set (``part`` is ``set``), register or list (``key``),
with names and values as JSON. ``add`` appends a row; whatever else writes replaces the table's rows.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from chaosday.model.store import NoEffect, Options

if TYPE_CHECKING:
    import pyarrow as pa

Handle = TypeVar("Handle")
Rows = dict[tuple[str, str], str]
COLUMNS = ("part", "name", "value")
NOTHING: Rows = {("none", ""): ""}
"""A row that is nobody's: two writers of an empty table would have nothing to conflict about."""


def table_of(rows: Rows) -> pa.Table:
    """Rows as the table holds them."""
    import pyarrow as pa

    columns = [[part for part, _ in rows], [name for _, name in rows], list(rows.values())]
    return pa.table([pa.array(column, pa.string()) for column in columns], names=list(COLUMNS))


def rows_of(table: pa.Table) -> Rows:
    """The rows of a table; one that is there twice is no state that a transaction left."""
    found = [
        tuple(str(each) for each in row) for row in zip(*(table[name].to_pylist() for name in COLUMNS), strict=True)
    ]
    return {(part, name): value for part, name, value in found}


class LakeSession(Generic[Handle]):
    """One client. Option ``handle``: ``kept`` commits on the snapshot that was read; ``fresh`` opens the table again to
    write it, as a job does that reads in one step and writes in the next."""

    def __init__(self, options: Options) -> None:
        self._handle: Literal["kept", "fresh"] = "fresh" if options.get("handle") == "fresh" else "kept"

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """``add`` and ``read`` of a set, ``read`` and ``write`` of a register, ``txn``."""
        if f == "add":
            return self._add(value)
        if f == "read" and key is None:
            return self._elements()
        if f in ("read", "write"):
            [[_, _, found]] = self._transact([["r" if f == "read" else "w", key, value]])
            return found if f == "read" else None
        if f == "txn":
            return self._transact(value)
        raise NoEffect(f"a lake table does no {f}")

    def close(self) -> None:
        """Nothing is open between operations."""

    def _elements(self) -> list[Any]:
        table = self._read(self._open())
        return [json.loads(name) for part, name in zip(*(table[c].to_pylist() for c in COLUMNS[:2]), strict=True)
                if part == "set"]  # fmt: skip

    def _add(self, value: Any) -> None:
        handle = self._open()
        name = ("set", json.dumps(value))
        if name in rows_of(self._read(handle)):
            raise NoEffect("it is there already")
        self._append(self._writable(handle), table_of({name: ""}))

    def _transact(self, mops: list[list[Any]]) -> list[list[Any]]:
        handle = self._open()
        rows = rows_of(self._read(handle))
        done, wrote = [], False
        for f, key, value in mops:
            name = ("key", json.dumps(key))
            here = json.loads(rows[name]) if name in rows else None
            if f == "r":
                done.append([f, key, here])
                continue
            rows[name] = json.dumps([*(here or []), value] if f == "append" else value)
            done.append([f, key, value])
            wrote = True
        if wrote:
            self._replace(self._writable(handle), table_of(rows))
        return done

    def _writable(self, handle: Handle) -> Handle:
        return handle if self._handle == "kept" else self._open()

    @abstractmethod
    def _open(self) -> Handle:
        """The table at its newest snapshot; ``NoEffect`` where it cannot be opened."""

    @abstractmethod
    def _read(self, handle: Handle) -> pa.Table:
        """All of its rows; ``NoEffect`` where they cannot be read."""

    @abstractmethod
    def _append(self, handle: Handle, rows: pa.Table) -> None:
        """Commit more rows; ``NoEffect`` where the format says that it did not, else ``Unanswered``."""

    @abstractmethod
    def _replace(self, handle: Handle, rows: pa.Table) -> None:
        """Commit other rows in the place of those that the snapshot has; as ``_append`` ends."""
