"""Sight in figures: who notices planted damage, who cries wolf, and what the proof costs.

For each kind of store every class of damage is planted in sound evidence, down to one item; it counts
as caught by someone if they caught it every time it was planted. Beside our checks stand a plain suite
of ten expectations, pg_amcheck on the same rows loaded into a real PostgreSQL, and reladiff between
the clean and the damaged table there. None means that it could not be run on that kind of store.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from benchmarks._damaged_bytes import files, pages
from benchmarks._histories_and_objects import histories_and_objects
from benchmarks._tally import of_store, tally, violated
from chaosday.checks.amcheck import Amcheck
from chaosday.checks.bank import BankCheck
from chaosday.checks.expectations import Expectation, Expectations
from chaosday.checks.ledger import LedgerCheck
from chaosday.checks.replica_rows import ReplicaRows
from chaosday.judging.proof import prove, sight_of
from chaosday.judging.simulated import simulate_ledger
from chaosday.judging.simulated_bank import simulate_bank
from chaosday.judging.simulated_table import simulate_table
from chaosday.mechanisms.hosts.postgres_tools import (
    observe_amcheck,
)
from chaosday.model.check import Check
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.statistics import false_alarm_rate
from tests.flows.demo.test_arms import finished
from tests.judging.fakes import AlwaysInvalid, AlwaysValid, ExaminesNothing
from tests.mechanisms.hosts.cluster import Cluster, cluster

NOWHERE = Path("/nonexistent")
TYPES = {"int64": "bigint", "int32": "int", "string": "text", "double": "float8", "timestamp[us]": "timestamp"}


@dataclass(frozen=True)
class Kind:
    """One kind of store: sound evidence of it, its default checks, and the rows that damage shows in."""

    name: str
    evidence: Evidence
    checks: Sequence[Check]
    rows: str
    key: str
    ignored: tuple[str, ...] = ()


def run(*, quick: bool) -> dict[str, Any]:
    """Everything in one go; ``quick`` plants once and not three times, and takes a tenth of the placebo runs."""
    repetitions, placebos = (1, 20) if quick else (3, 200)
    with cluster() as server:
        stores = {kind.name: _store(kind, server, repetitions) for kind in (_ledger(1), _bank(1), _replica(1))}
        stores["postgresql_pages"] = pages(server, repetitions)
    stores["files"] = files(repetitions)
    stores |= histories_and_objects(repetitions)
    alarms = sum(_alarmed(seed) for seed in range(placebos))
    rate = false_alarm_rate(alarms, placebos)
    return {
        "stores": stores,
        "placebo_runs": placebos,
        "false_alarms": alarms,
        "false_alarm_rate_95": [round(rate.low, 5), round(rate.high, 5)],
        "proof_share": _share(),
        "refused_fakes": _refused(),
        "sensitivity": _sensitivity(quick),
    }


def _ledger(seed: int) -> Kind:
    made = simulate_ledger(2_000, seed=seed)
    evidence = Evidence(NOWHERE).replaced(history=made.history, rows={"survivor": made.rows})
    return Kind("ledger", evidence, [LedgerCheck()], "survivor", "id")


def _bank(seed: int) -> Kind:
    made, facts = simulate_bank(800, seed=seed)
    evidence = Evidence(NOWHERE).replaced(history=made.history, rows={"bank": made.rows}, observations={"bank": facts})
    return Kind("bank", evidence, [BankCheck()], "bank", "account")


def _replica(seed: int) -> Kind:
    table = simulate_table(1_000, seed=seed)
    history = simulate_ledger(10, seed=seed).history
    evidence = Evidence(NOWHERE).replaced(history=history, rows={"orders": table, "orders.copy": table})
    return Kind("replica", evidence, [ReplicaRows(store="orders", replica="orders.copy")], "orders.copy", "id")


def _suite(table: pa.Table, key: str) -> list[Expectation]:
    """Ten expectations as people write them: keys, nulls, ranges, row count, columns."""
    nullable = {name for name in table.column_names if table[name].null_count}
    whole = [f.name for f in table.schema if pa.types.is_integer(f.type) and f.name != key]
    full = [name for name in table.column_names if name not in nullable]
    ranges = {name: (table[name].to_numpy().min(), table[name].to_numpy().max()) for name in whole}
    suite = [
        Expectation(expect="expect_column_values_to_be_unique", arguments={"column": key}),
        Expectation(expect="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
        Expectation(
            expect="expect_table_columns_to_match_set",
            arguments={"column_set": table.column_names, "exact_match": True},
        ),
        *(Expectation(expect="expect_column_values_to_not_be_null", arguments={"column": name}) for name in full),
        *(
            Expectation(
                expect="expect_column_values_to_be_between",
                arguments={"column": name, "min_value": int(low), "max_value": int(high)},
            )
            for name, (low, high) in ranges.items()
        ),
    ]
    return suite[:10]


def _store(kind: Kind, server: Cluster, repetitions: int) -> dict[str, Any]:
    clean = kind.evidence.rows(kind.rows)
    _load(server, "clean", clean)
    suite = Expectations(store=kind.rows, key=kind.key, suite=_suite(clean, kind.key))
    beside: dict[str, Callable[[Planted], bool]] = {
        "expectations": lambda planted: violated([suite], planted.evidence),
        "amcheck": lambda planted: _amcheck_sees(server, clean, planted.evidence.rows(kind.rows)),
        "reladiff": lambda planted: _reladiff_sees(server, clean, planted.evidence.rows(kind.rows), kind.key),
    }
    judges = {"caught": lambda planted: violated(kind.checks, planted.evidence), **beside}
    return tally(of_store(kind.name), kind.evidence, judges, repetitions)


@contextmanager
def _connected(server: Cluster) -> Iterator[psycopg.Connection[Any]]:
    at = server.server
    with psycopg.connect(
        host=at.host, port=at.port, user=at.user, password=at.password, dbname=at.database, autocommit=True
    ) as connection:
        yield connection


def _load(server: Cluster, name: str, table: pa.Table) -> None:
    """Rows into a table without constraints: a constraint would refuse some of the damage."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(f.name), sql.SQL(TYPES[str(f.type)])) for f in table.schema
    )
    buffer = io.BytesIO()
    csv.write_csv(table, buffer, csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    with _connected(server) as connection:
        # reladiff leaves connections with a transaction open behind when it gives up.
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        connection.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create table {} ({})").format(sql.Identifier(name), columns))
        copy = sql.SQL("copy {} from stdin (format csv)").format(sql.Identifier(name))
        with connection.cursor().copy(copy) as stream:
            stream.write(buffer.getvalue())
        index = sql.SQL("create index on {} ({})").format(sql.Identifier(name), sql.Identifier(table.column_names[0]))
        connection.execute(index)


def _amcheck_sees(server: Cluster, clean: pa.Table, damaged: pa.Table) -> bool:
    if damaged is clean:
        return False
    _load(server, "damaged", damaged)
    said = observe_amcheck(server.tools, server.server, ["damaged"])
    return violated([Amcheck()], Evidence(NOWHERE).replaced(observations={"amcheck": said}))


def _reladiff_sees(server: Cluster, clean: pa.Table, damaged: pa.Table, key: str) -> bool:
    """Whether reladiff reports a difference; its refusal to compare (a NULL or repeated key) counts as seen."""
    import reladiff

    if damaged is clean:
        return False  # only the history was damaged, of which a diff of tables knows nothing
    _load(server, "damaged", damaged)
    at = server.server
    url = f"postgresql://{at.user}:{at.password}@{at.host}:{at.port}/{at.database}"
    others = tuple(name for name in clean.column_names if name != key)
    sides = [reladiff.connect_to_table(url, name, key, extra_columns=others) for name in ("clean", "damaged")]
    try:
        return bool(list(reladiff.diff_tables(*sides)))
    except ValueError as error:
        return not isinstance(error, UnicodeError)
    finally:
        for side in sides:
            side.database.close()


def _alarmed(seed: int) -> bool:
    """Whether any check complains about a run against a sound store."""
    kinds = [_ledger(seed), _bank(seed), _replica(seed)]
    checks = [*kinds[0].checks, Expectations(store="survivor")]
    return violated(checks, kinds[0].evidence) or any(violated(kind.checks, kind.evidence) for kind in kinds[1:])


def _share() -> float:
    """The proof's share of one synchronous failover experiment on real servers, all checks included."""
    folder = Path(tempfile.mkdtemp(prefix="chaosday-share-"))
    folder.chmod(0o711)
    try:
        began = time.monotonic()
        with finished("synchronous", folder) as done:
            whole_s = time.monotonic() - began
            proof_s = float(done.directory.read_json("proof.json")["seconds"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return round(proof_s / whole_s, 3)


def _refused() -> dict[str, bool]:
    """Whether each fake check, put beside an honest one, makes sight unproven."""
    evidence = _ledger(1).evidence
    fakes = {"always_valid": AlwaysValid(), "always_invalid": AlwaysInvalid(), "examines_nothing": ExaminesNothing()}
    return {
        name: not sight_of(prove(evidence, [LedgerCheck(), fake], sizes=[1], repetitions=1)).proven
        for name, fake in fakes.items()
    }


def _sensitivity(quick: bool) -> dict[str, list[list[float]]]:
    """Recall by size of damage, ``[size, recall]``, over all classes of a ledger, for two kinds of checks."""
    kind = _ledger(2)
    suite = Expectations(store=kind.rows, suite=_suite(kind.evidence.rows(kind.rows), kind.key))
    sizes = [1, 100] if quick else [1, 10, 100]
    curves: dict[str, list[list[float]]] = {}
    for name, check in {"ledger": kind.checks[0], "expectations": suite}.items():
        proof = prove(
            kind.evidence,
            [check],
            corruptions=of_store("ledger"),
            sizes=sizes,
            repetitions=1 if quick else 3,
            budget_s=600 if quick else 3600,
        )
        curves[name] = [
            [size, _recall([by for cell in proof.cells for by in cell.by_size if by.size == size])] for size in sizes
        ]
    return curves


def _recall(cells: list[Any]) -> float:
    planted = sum(cell.planted for cell in cells)
    return round(sum(cell.caught for cell in cells) / planted, 3) if planted else 0.0
