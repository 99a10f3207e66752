"""The bank: transfers between accounts whose total never changes (Jepsen's bank test).

The contract between the workload and everything that judges it: ``transfer`` has the source account
as ``key`` and ``{"to": account, "amount": whole number}`` as ``value``; ``read`` has no key and all
balances as ``result``, an object by account or a list in order of account. The final balances are
the rows ``bank`` (``account``, ``balance``). The observation ``bank`` says ``total`` and
``accounts`` (a number of them, from 0, or a list); all open with the same balance.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from chaosday.errors import MalformedHistory, MalformedInput
from chaosday.model.history import OK, UNKNOWN, History, to_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = pa.schema([("account", pa.int64()), ("balance", pa.int64())])


def is_bank(table: pa.Table) -> bool:
    """Whether a table has the columns of final balances."""
    return all(name in table.column_names for name in SCHEMA.names)


@dataclass(frozen=True)
class Facts:
    """What the bank was opened with."""

    total: int
    accounts: tuple[int, ...]

    @classmethod
    def of(cls, said: Any) -> Facts:
        """From the observation ``bank``."""
        try:
            accounts = said["accounts"]
            listed = range(accounts) if isinstance(accounts, int) else accounts
            return cls(int(said["total"]), tuple(int(account) for account in listed))
        except (KeyError, TypeError, ValueError):
            raise MalformedInput("the observation 'bank' needs a total and accounts") from None

    @property
    def opening(self) -> int | None:
        """Each account's first balance, None where the total does not divide evenly."""
        return self.total // len(self.accounts) if self.accounts and self.total % len(self.accounts) == 0 else None


@dataclass(frozen=True, eq=False)
class Transfers:
    """Every transfer as columns, in order of invocation."""

    index: NDArray[np.int64]
    source: NDArray[np.int64]
    sink: NDArray[np.int64]
    amount: NDArray[np.int64]
    status: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.index)

    def where(self, mask: NDArray[np.bool_]) -> Transfers:
        """Those where ``mask`` is true."""
        return Transfers(self.index[mask], self.source[mask], self.sink[mask], self.amount[mask], self.status[mask])

    def effect(self, accounts: Iterable[int]) -> NDArray[np.int64]:
        """What all of them together add to each of ``accounts``."""
        return self.credits(accounts) - self.debits(accounts)

    def credits(self, accounts: Iterable[int]) -> NDArray[np.int64]:
        """What they pay in to each of ``accounts``."""
        return _sums(self.sink, self.amount, accounts)

    def debits(self, accounts: Iterable[int]) -> NDArray[np.int64]:
        """What they take from each of ``accounts``."""
        return _sums(self.source, self.amount, accounts)


@dataclass(frozen=True, eq=False)
class Reads:
    """Every acknowledged read: ``balance[r, a]`` is what read r showed of ``accounts[a]``; ``known`` is
    False where it showed nothing or null."""

    index: NDArray[np.int64]
    accounts: tuple[int, ...]
    balance: NDArray[np.int64]
    known: NDArray[np.bool_]


_transfers: weakref.WeakKeyDictionary[History, Transfers] = weakref.WeakKeyDictionary()
_reads: weakref.WeakKeyDictionary[History, Reads] = weakref.WeakKeyDictionary()


def transfers(history: History) -> Transfers:
    """The transfers of a history; remembered as long as the history lives."""
    if history not in _transfers:
        _transfers[history] = _parse_transfers(history.where(history.is_f("transfer")))
    return _transfers[history]


def reads(history: History) -> Reads:
    """The acknowledged bank reads of a history; remembered as long as the history lives."""
    if history not in _reads:
        _reads[history] = _parse_reads(history.where(reading(history)))
    return _reads[history]


def reading(history: History) -> NDArray[np.bool_]:
    """Where the acknowledged reads of all balances are: reads that name no key."""
    mask: NDArray[np.bool_] = history.is_f("read") & (history.statuses() == OK)
    mask &= history.table["key"].is_null().to_numpy() & history.table["result"].is_valid().to_numpy()
    return mask


def sound_history(history: History, facts: Facts) -> History:
    """The same history with every read showing the opening balances, of which the total is right."""
    import pyarrow.compute as pc

    mask = reading(history)
    if not mask.any():
        return history
    shown = to_json({str(account): facts.opening for account in facts.accounts})
    column = history.table["result"].cast(pa.string())
    return history.with_column("result", pc.if_else(pa.array(mask), pa.scalar(shown), column))


def sound_rows(history: History, facts: Facts) -> pa.Table:
    """Final balances as the acknowledged transfers make them, with the unknown ones or without."""
    if facts.opening is None:
        raise MalformedInput(f"a total of {facts.total} does not divide among {len(facts.accounts)} accounts")
    moved = transfers(history)
    sure = facts.opening + moved.where(moved.status == OK).effect(facts.accounts)
    with_unknown = sure + moved.where(moved.status == UNKNOWN).effect(facts.accounts)
    balance = with_unknown if (sure < 0).any() and (with_unknown >= 0).all() else sure
    return pa.Table.from_arrays([pa.array(facts.accounts, pa.int64()), pa.array(balance)], schema=SCHEMA)


def _sums(place: NDArray[np.int64], amount: NDArray[np.int64], accounts: Iterable[int]) -> NDArray[np.int64]:
    listed = np.array(list(accounts), dtype=np.int64)
    order = np.argsort(listed)
    at = np.searchsorted(listed, place, sorter=order)
    sums = np.zeros(len(listed) + 1, dtype=np.int64)
    known = at < len(listed)
    known[known] = listed[order][at[known]] == place[known]
    np.add.at(sums, np.where(known, order[np.minimum(at, len(listed) - 1)] if len(listed) else 0, len(listed)), amount)
    return sums[:-1]


def _parse_transfers(history: History) -> Transfers:
    count = len(history)
    value = _objects(history.table["value"], "a transfer's value") if count else None
    try:
        source = history.table["key"].cast(pa.int64()).fill_null(-1).to_numpy() if count else np.zeros(0)
        sink, amount = (
            (value[name].cast(pa.int64()).to_numpy() if value is not None else np.zeros(0)) for name in ("to", "amount")
        )
    except (pa.ArrowInvalid, KeyError):
        raise MalformedHistory('a transfer needs an account as key and {"to": account, "amount": number}') from None
    return Transfers(
        index=history.integers("index"),
        source=np.asarray(source, dtype=np.int64),
        sink=np.asarray(sink, dtype=np.int64),
        amount=np.asarray(amount, dtype=np.int64),
        status=history.statuses(),
    )


def _parse_reads(history: History) -> Reads:
    import pyarrow.compute as pc

    index = history.integers("index")
    if not len(history):
        return Reads(index, (), np.zeros((0, 0), np.int64), np.zeros((0, 0), np.bool_))
    text = pc.replace_substring_regex(history.table["result"].cast(pa.string()), r"^\s*\[(.*)\]\s*$", r'{"list":[\1]}')
    table = _objects(text, "a read's result")
    if table.column_names == ["list"]:
        lists = table["list"].combine_chunks()
        width = int(pc.max(pc.list_value_length(lists)).as_py() or 0)
        columns = {number: pc.list_element(_padded(lists, width), number) for number in range(width)}
    else:
        columns = {_account(name): table[name].combine_chunks() for name in table.column_names}
    accounts = tuple(sorted(columns))
    try:
        whole = [columns[account].cast(pa.int64()) for account in accounts]
    except pa.ArrowInvalid:
        raise MalformedHistory("a balance that was read is not a whole number") from None
    balance = np.column_stack([column.fill_null(0).to_numpy(zero_copy_only=False) for column in whole])
    known = np.column_stack([column.is_valid().to_numpy(zero_copy_only=False) for column in whole])
    return Reads(index, accounts, balance, known)


def _padded(lists: Any, width: int) -> Any:
    """Lists of one length, null where a list was shorter."""
    import pyarrow.compute as pc

    return pc.list_slice(lists, 0, width, return_fixed_size_list=True)


def _account(name: str) -> int:
    try:
        return int(name)
    except ValueError:
        raise MalformedHistory(f"a read shows an account called {name[:40]!r}; accounts are whole numbers") from None


def _objects(column: Any, what: str) -> pa.Table:
    """A column of JSON objects as a table, parsed in one go."""
    from pyarrow import json

    lines = column.cast(pa.string()).fill_null("{}")
    text = "\n".join(lines.to_pylist()).encode()
    try:
        table = json.read_json(pa.BufferReader(text), json.ReadOptions(block_size=max(len(text) + 1, 1)))
    except pa.ArrowInvalid as error:
        raise MalformedHistory(f"{what} is not the JSON it should be: {str(error).splitlines()[0]}") from None
    if table.num_rows != len(lines):
        raise MalformedHistory(f"{what} is not one JSON object an operation")
    return table
