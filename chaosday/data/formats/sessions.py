"""Histories of sessions, as the isolation checkers AWDIT, Plume and PolySI exchange them.

They know the order of transactions within a session and nothing about real time: the operations
read from here have no times but 0, so that every two of different sessions are concurrent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from chaosday.data.formats.events import Imported
from chaosday.data.formats.json_text import loader
from chaosday.errors import MalformedHistory
from chaosday.model.history import History
from chaosday.record.transactions import Transactions, column, with_transactions

_PLUME = re.compile(r"([rwRW])\(\s*(-?\w+)\s*,\s*(-?\w+|null|nil)\s*,\s*(-?\d{1,18})\s*,\s*(-?\d{1,18})\s*\)", re.ASCII)
_AWDIT = re.compile(r"([rw])\s+(-?\w+)\s+(-?\w+)")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
# A value nobody wrote is a finding here, unless it is the initial one.
_OPTIONS = {"unwritten": "finding", "order": "session"}


def read_awdit(text: str) -> Imported:
    """Sessions between lines of ``=``, transactions between lines of ``-``, ``w KEY VALUE`` and ``r KEY VALUE``."""
    sessions: list[list[list[list[Any]]]] = [[[]]]
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", "//")):
            continue
        if set(line) == {"="}:
            sessions.append([[]])
        elif set(line) == {"-"}:
            sessions[-1].append([])
        else:
            match = _AWDIT.fullmatch(line)
            if match is None:
                raise MalformedHistory(f"{line[:40]!r} is not w KEY VALUE, r KEY VALUE, ===== or -----", number)
            sessions[-1][-1].append([match[1], _name(match[2]), _name(match[3])])
    listed = [[mops for mops in session if mops] for session in sessions]
    return Imported(_of_sessions(dict(enumerate(session for session in listed if session))), "awdit", (), _OPTIONS)


def read_plume(text: str) -> Imported:
    """One operation a line: ``w(KEY,VALUE,SESSION,TXN)``; transaction -1 was aborted."""
    sessions: dict[int, dict[int, list[list[Any]]]] = {}
    aborted: list[tuple[int, list[Any]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _PLUME.fullmatch(line.strip())
        if match is None:
            raise MalformedHistory(f"{line[:40]!r} is not r(KEY,VALUE,SESSION,TXN) or w(...)", number)
        mop = [match[1].lower(), _name(match[2]), _name(match[3])]
        session, txn = int(match[4]), int(match[5])
        if txn == -1:
            aborted.append((session, mop))
        else:
            sessions.setdefault(session, {}).setdefault(txn, []).append(mop)
    listed = {session: list(txns.values()) for session, txns in sessions.items()}
    history = _of_sessions(listed, [(session, [mop]) for session, mop in aborted if mop[0] == "w"])
    dropped = sum(mop[0] == "r" for _, mop in aborted)
    notes = (f"{dropped} reads of aborted transactions say nothing",) if dropped else ()
    return Imported(history, "plume", notes, {**_OPTIONS, "initial": 0})


def read_sessions_json(text: str) -> Imported:
    """``{"sessions": {"0": [txn, ...]}, "txns": {"0": [["w", "x", 1], ...]}}``."""
    try:
        document = loader(text)(text)
    except orjson.JSONDecodeError as error:
        raise MalformedHistory(f"this is not JSON: {error.msg}", error.lineno) from None
    sessions, txns = (_part(document, name) for name in ("sessions", "txns"))
    aborted = {str(txn) for txn in document.get("aborted", [])}
    placed: set[str] = set()
    listed: dict[int, list[list[list[Any]]]] = {}
    failed: list[tuple[int, list[list[Any]]]] = []
    for number, (name, members) in enumerate(_items(sessions)):
        listed[number] = []
        for txn in members:
            mops = _txn(txns, str(txn), name, placed)
            if str(txn) in aborted:
                failed.append((number, mops))
            else:
                listed[number].append(mops)
    left = set(map(str, txns if isinstance(txns, Mapping) else range(len(txns)))) - placed
    if left:
        raise MalformedHistory(f"transaction {min(left)} is in no session")
    options = dict(_OPTIONS)
    if "initial" in document:
        options["initial"] = document["initial"]
    return Imported(_of_sessions(listed, failed), "sessions-json", (), options)


def write_awdit(history: History) -> str:
    """The committed transactions as AWDIT's text."""
    return "=====\n".join("-----\n".join(_awdit(mops) for mops in session) for session in _sessions(history).values())


def write_plume(history: History) -> str:
    """The transactions as Plume's text, those that failed as transaction -1."""
    txns, lines = Transactions.of(history), []
    status = history.statuses()
    for row, process in enumerate(history.integers("process")):
        number = -1 if status[row] == 1 else row
        lines += [
            f"{f}({key},{0 if value is None else value},{process},{number})\n" for f, key, value in txns.mops(row)
        ]
    return "".join(lines)


def write_sessions_json(history: History) -> str:
    """The committed transactions as sessions JSON."""
    sessions: dict[str, list[int]] = {}
    txns: dict[str, Any] = {}
    for process, members in _sessions(history).items():
        numbers = range(len(txns), len(txns) + len(members))
        sessions[str(process)] = list(numbers)
        txns |= {str(number): mops for number, mops in zip(numbers, members, strict=True)}
    return orjson.dumps({"sessions": sessions, "txns": txns}).decode() + "\n"


def _of_sessions(
    sessions: Mapping[int, Sequence[list[list[Any]]]], aborted: Iterable[tuple[int, list[list[Any]]]] = ()
) -> History:
    rows = [(process, mops, "ok") for process, txns in sessions.items() for mops in txns]
    rows += [(process, mops, "failed") for process, mops in aborted]
    history = History.from_columns(
        {
            "process": [process for process, _, _ in rows],
            "f": ["txn"] * len(rows),
            "start_ns": [0] * len(rows),
            "status": [status for _, _, status in rows],
        }
    )
    return with_transactions(history, column([mops for _, mops, _ in rows]))


def _sessions(history: History) -> dict[int, list[list[list[Any]]]]:
    txns, sessions = Transactions.of(history), dict[int, list[list[list[Any]]]]()
    for row, (process, status) in enumerate(zip(history.integers("process"), history.statuses(), strict=True)):
        if status == 0:
            sessions.setdefault(int(process), []).append(txns.mops(row))
    return sessions


def _awdit(mops: list[list[Any]]) -> str:
    return "".join(f"{f} {key} {0 if value is None else value}\n" for f, key, value in mops)


def _part(document: Any, name: str) -> Any:
    part = document.get(name) if isinstance(document, dict) else None
    if not isinstance(part, (dict, list)):
        raise MalformedHistory(f"sessions JSON is an object with sessions and txns; {name} is missing", 1)
    return part


def _items(sessions: Any) -> Iterable[tuple[Any, Any]]:
    return sessions.items() if isinstance(sessions, Mapping) else enumerate(sessions)


def _txn(txns: Any, txn: str, session: Any, placed: set[str]) -> list[list[Any]]:
    if txn in placed:
        raise MalformedHistory(f"transaction {txn} is in two places")
    placed.add(txn)
    try:
        mops: list[list[Any]] = txns[txn] if isinstance(txns, Mapping) else txns[int(txn)]
    except (KeyError, IndexError, ValueError):
        raise MalformedHistory(f"session {session} names transaction {txn}, which is not among txns") from None
    return [[str(mop[0]).lower(), *mop[1:]] for mop in mops]


def _name(word: str) -> int | str | None:
    if word in ("null", "nil"):
        return None
    return int(word) if _WHOLE.fullmatch(word) else word
