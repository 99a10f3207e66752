"""Random small histories, a check and a brute-force answer for each kind: they have to agree.

``compare(name, count, seed)`` gives the histories on which they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from chaosday.checkers.base import HistoryCheck
from chaosday.checkers.elle import Expected
from chaosday.checkers.isolation import check_sessions
from chaosday.checkers.list_append import check_list_append
from chaosday.checkers.rw_register import check_rw_register
from chaosday.checkers.versions import Sources
from chaosday.model.history import NEVER_NS, History
from chaosday.record.transactions import Transactions, column, with_transactions
from chaosday.registry import member
from tests.checkers.oracles import brute

Verdict = Any


@dataclass(frozen=True)
class Oracle:
    """How to make a history, what the check says of it, and what trying everything says."""

    make: Callable[[Random], History]
    check: Callable[[History], Verdict]
    brute: Callable[[History], Verdict]


def compare(name: str, count: int, seed: int) -> list[tuple[int, Verdict, Verdict]]:
    """Judge ``count`` histories both ways; the seeds where the answers differ, with both answers."""
    oracle, differ = ORACLES[name], []
    for n in range(count):
        history = oracle.make(Random(f"{name}-{seed}-{n}"))
        ours, theirs = oracle.check(history), oracle.brute(history)
        if ours != theirs:
            differ.append((n, ours, theirs))
    return differ


def history_of(name: str, seed: int, n: int) -> History:
    """The history that ``compare`` judged as number ``n``."""
    return ORACLES[name].make(Random(f"{name}-{seed}-{n}"))


def _member(kind: str, **options: Any) -> Callable[[History], Verdict]:
    check = member("checks", kind)(**options)
    assert isinstance(check, HistoryCheck)
    return lambda history: check.analyse(history)["valid?"]


def _intervals(rng: Random, count: int, clients: int) -> list[dict[str, Any]]:
    """Operations one after the other on each client, with equal times now and then; some never end."""
    clock = [rng.randrange(3) for _ in range(clients)]
    process = list(range(clients))
    rows = []
    for _ in range(count):
        n = rng.randrange(clients)
        start = clock[n]
        end = start + 1 + rng.randrange(6)
        status = rng.choices(["ok", "unknown", "failed"], [8, 1, 1])[0]
        row: dict[str, Any] = {"process": process[n], "start_ns": start, "end_ns": end, "status": status}
        if status == "unknown":
            row["end_ns"] = None if rng.random() < 0.5 else end
            process[n] += clients
        clock[n] = end + rng.randrange(3)
        rows.append(row)
    return rows


def _registers(rng: Random, *, unique: bool, cas: bool) -> History:
    rows = _intervals(rng, rng.randint(1, 7), rng.randint(1, 4))
    for written, row in enumerate(rows, 1):
        row["f"] = rng.choice(["read", "read", "write", "cas"] if cas else ["read", "write"])
        value = written if unique else rng.randint(1, 3)
        if row["f"] == "write":
            row["value"] = value
        elif row["f"] == "cas":
            row["value"] = [rng.randint(1, 3), value]
        elif row["status"] == "ok":
            row["result"] = rng.choice([None, *range(1, min(len(rows), 4) + 1)])
    return History.from_rows(rows)


def _brute(step: Any, initial: Any) -> Callable[[History], Verdict]:
    def judge(history: History) -> Verdict:
        ops = brute.rows(history)
        said = [op for op in ops if op["status"] != "failed" and not _says_nothing(op)]
        return brute.linearizable(ops, initial, step) if said else "unknown"

    return judge


def _says_nothing(op: brute.Row) -> bool:
    return op["f"] in ("read", "get") and (op["status"] == "unknown" or (op["f"] == "read" and op["result"] is None))


def _mutex(rng: Random) -> History:
    rows = _intervals(rng, rng.randint(1, 7), rng.randint(1, 3))
    for n, row in enumerate(rows):
        row["f"] = ("acquire", "release")[n % 2] if rng.random() < 0.8 else rng.choice(["acquire", "release"])
    return History.from_rows(rows)


def _texts(rng: Random) -> History:
    rows = _intervals(rng, rng.randint(1, 6), rng.randint(1, 3))
    likely = [""]
    for row in rows:
        row["f"] = rng.choice(["get", "get", "put", "append", "append"])
        if row["f"] == "get":
            row["result"] = rng.choice(likely[-4:]) if row["status"] == "ok" else None
        else:
            row["value"] = rng.choice("abc")
            likely.append(row["value"] if row["f"] == "put" else likely[-1] + row["value"])
    return History.from_rows(rows)


def _fifo(rng: Random) -> History:
    rows = _intervals(rng, rng.randint(1, 7), rng.randint(1, 4))
    for n, row in enumerate(rows):
        row["f"] = rng.choice(["enqueue", "dequeue"])
        if row["f"] == "enqueue":
            row["value"] = n if rng.random() < 0.95 else 0
        elif row["status"] == "ok":
            row["result"] = rng.choice([None] if rng.random() < 0.1 else range(len(rows)))
        elif rng.random() < 0.8:
            row["status"] = "failed"
    _take_what_is_there(rng, rows)
    return History.from_rows(rows)


def _take_what_is_there(rng: Random, rows: list[dict[str, Any]]) -> None:
    put = [row["value"] for row in rows if row["f"] == "enqueue"]
    for row in rows:
        if row["f"] == "dequeue" and row["status"] == "ok" and row["result"] is not None and put and rng.random() < 0.8:
            row["result"] = put.pop(0) if rng.random() < 0.8 else rng.choice(put)


def _queue_brute(history: History) -> Verdict:
    ops = brute.rows(history)
    looked = [op for op in ops if op["f"] == "enqueue" or op["status"] == "ok"]
    return brute.conserving(ops) if looked else "unknown"


def _fifo_brute(history: History) -> Verdict:
    ops = brute.rows(history)
    if not [op for op in ops if op["status"] == "ok" or (op["f"] == "enqueue" and op["status"] == "unknown")]:
        return "unknown"
    return brute.linearizable(ops, (), brute.fifo_step)


def _counts(rng: Random) -> History:
    rows = _intervals(rng, rng.randint(1, 8), rng.randint(1, 3))
    for row in rows:
        row["f"] = rng.choice(["add", "read"])
        if row["f"] == "add":
            row["value"] = rng.randint(0, 3)
        else:
            row["result"] = rng.randint(0, 6) if row["status"] == "ok" else None
    return History.from_rows(rows)


def _counter_brute(history: History) -> Verdict:
    ops = brute.rows(history)
    if not [op for op in ops if op["f"] == "add" or op["status"] == "ok"]:
        return "unknown"
    return not brute.counter_errors(ops)


def _sets(rng: Random) -> History:
    rows = _intervals(rng, rng.randint(1, 8), rng.randint(1, 3))
    taken = 0
    for row in rows:
        row["f"] = rng.choice(["add", "read"])
        if row["f"] == "add":
            row["value"] = taken
            taken += 1
    for row in rows:
        if row["f"] == "read" and row["status"] == "ok":
            row["result"] = [element for element in range(taken) if rng.random() < 0.6]
    # Distinct times: at one instant Jepsen's file order decides, which a set of intervals does not have.
    for n, row in enumerate(rows):
        row["start_ns"] = row["start_ns"] * 64 + 2 * n
        row["end_ns"] = None if row["end_ns"] is None else row["end_ns"] * 64 + 2 * n + 1
    return History.from_rows(rows)


def _set_brute(history: History) -> Verdict:
    ops = brute.rows(history)
    outcomes = [brute.element_outcome(ops, op["value"]) for op in ops if op["f"] == "add"]
    if "lost" in outcomes:
        return False
    return True if "stable" in outcomes else "unknown"


def _transactions(rng: Random, *, lists: bool, sessions: bool = False) -> History:
    """A serial run, then some of its reads changed, its times jittered; every key is read in the end."""
    count, clients = rng.randint(1, 4 if lists else 5), rng.randint(1, 3)
    keys = ["x", "y"][: rng.randint(1, 2)]
    state: dict[str, list[int]] = {key: [] for key in keys}
    past: list[dict[str, list[int]]] = [{key: [] for key in keys}]
    rows: list[dict[str, Any]] = []
    number, wild = 0, rng.choice([0, 0, 0.3, 0.6])
    for n in range(count):
        mops: list[list[Any]] = []
        seen = rng.choice(past) if rng.random() < 0.4 else state
        for _ in range(rng.randint(1, 3)):
            key = rng.choice(keys)
            seen = rng.choice(past) if rng.random() < wild else seen
            if rng.random() < 0.5:
                view = seen[key] if not any(f != "r" and k == key for f, k, _ in mops) else state[key]
                mops.append(["r", key, list(view) if lists else (view[-1] if view else None)])
            else:
                number += 1
                state[key] = [*state[key], number]
                mops.append(["append" if lists else "w", key, number])
        status = rng.choices(["ok", "unknown", "failed"], [8, 1, 1])[0] if lists else "ok"
        if status != "ok":
            mops = [[f, key, None if f == "r" else value] for f, key, value in mops]
            if rng.random() < (0.9 if status == "failed" else 0.5):
                state = {key: list(value) for key, value in past[-1].items()}
        past.append({key: list(value) for key, value in state.items()})
        start = 10 * n - rng.randrange(25)
        end = max(10 * n, start) + rng.randrange(25)
        rows.append({"process": n % clients, "start": start, "end": end, "mops": mops, "status": status})
    if lists:
        last = 10 * count + 100
        rows.append(
            {
                "process": clients,
                "start": last,
                "end": last + 1,
                "status": "ok",
                "mops": [["r", key, list(state[key])] for key in keys],
            }
        )
    columns: dict[str, Any] = {
        "process": [row["process"] for row in rows],
        "f": ["txn"] * len(rows),
        "status": [row["status"] for row in rows],
    }
    times = {} if sessions else {"end_ns": [row["end"] if row["status"] != "unknown" else None for row in rows]}
    columns["start_ns"] = [0 if sessions else row["start"] for row in rows]
    return with_transactions(History.from_columns({**columns, **times}), column([row["mops"] for row in rows]))


def _txns(history: History) -> list[brute.Txn]:
    """The transactions that ended ok."""
    return [txn for status, txn in _ended(history) if status == "ok"]


def _ended(history: History) -> list[tuple[str, brute.Txn]]:
    txns = Transactions.of(history)
    listed = history.table.select(["process", "start_ns", "end_ns", "status"]).to_pylist()
    return [
        (
            row["status"],
            (row["process"], row["start_ns"], NEVER_NS if row["end_ns"] is None else row["end_ns"], txns.mops(n)),
        )
        for n, row in enumerate(listed)
    ]


def _worlds(history: History) -> Iterator[list[brute.Txn]]:
    """The ok transactions with every choice of the unanswered ones, of which only the writes count."""
    ended = _ended(history)
    maybe = [
        (p, s, e, [mop for mop in mops if mop[0] != "r"]) for status, (p, s, e, mops) in ended if status == "unknown"
    ]
    for chosen in product([False, True], repeat=len(maybe)):
        yield _txns(history) + [txn for txn, yes in zip(maybe, chosen, strict=True) if yes]


def _level(level: str) -> Oracle:
    weak = {
        "snapshot-isolation": brute.snapshot_isolated,
        "serializable": lambda txns: brute.serializable(txns, "session"),
    }
    return Oracle(
        lambda rng: _transactions(rng, lists=False, sessions=True),
        lambda history: check_sessions(history, [level])["valid?"],
        lambda history: weak.get(level, lambda txns: brute.weakly_isolated(txns, level))(_txns(history)),
    )


def _lists(model: str, judge: Callable[[list[brute.Txn]], bool]) -> Oracle:
    return Oracle(
        lambda rng: _transactions(rng, lists=True),
        lambda history: check_list_append(history, Expected((model,)))["valid?"] is not False,
        lambda history: any(map(judge, _worlds(history))),
    )


def _never_wrong(history: History) -> Verdict:
    """What rw-register calls invalid is not strictly serializable; of the rest it promises nothing."""
    result = check_rw_register(history, Expected(("strict-serializable",)), Sources(wfr_keys=True))
    return result["valid?"] is False and brute.serializable(_txns(history), "realtime")


ORACLES: dict[str, Oracle] = {
    "register": Oracle(
        lambda rng: _registers(rng, unique=True, cas=False), _member("register"), _brute(brute.register_step, None)
    ),
    "register-repeated": Oracle(
        lambda rng: _registers(rng, unique=False, cas=False), _member("register"), _brute(brute.register_step, None)
    ),
    "cas-register": Oracle(
        lambda rng: _registers(rng, unique=False, cas=True), _member("cas-register"), _brute(brute.register_step, None)
    ),
    "mutex": Oracle(_mutex, _member("mutex"), _brute(brute.mutex_step, False)),
    "kv": Oracle(_texts, _member("kv"), _brute(brute.text_step, "")),
    "queue": Oracle(_fifo, _member("queue"), _queue_brute),
    "fifo-queue": Oracle(_fifo, _member("fifo-queue"), _fifo_brute),
    "counter": Oracle(_counts, _member("counter"), _counter_brute),
    "set-full": Oracle(_sets, _member("set-full"), _set_brute),
    "list-append-strict": _lists("strict-serializable", lambda txns: brute.serializable(txns, "realtime")),
    "list-append-serializable": _lists("serializable", lambda txns: brute.serializable(txns, "none")),
    "rw-register": Oracle(lambda rng: _transactions(rng, lists=False), _never_wrong, lambda _: False),
    "sessions-read-committed": _level("read-committed"),
    "sessions-read-atomic": _level("read-atomic"),
    "sessions-causal": _level("causal"),
    "sessions-snapshot-isolation": _level("snapshot-isolation"),
    "sessions-serializable": _level("serializable"),
}
