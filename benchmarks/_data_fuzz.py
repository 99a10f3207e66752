"""Broken inputs of every reader: each ends within ten seconds in an answer or in an error of ours."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import select
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from chaosday.errors import ChaosdayError

HANG_S = 10.0
# How many of about a hundred inputs are of each kind: those that are quick to read get the most.
SHARES = {"edn": 20, "json": 15, "text": 10, "yaml": 15, "manifest": 15, "plan": 10, "journal": 10, "csv": 5,
          "parquet": 5, "history": 5, "delta": 3, "iceberg": 2, "avro": 3}  # fmt: skip
NAMES = {"edn": "history.edn", "yaml": "experiment.yaml", "manifest": "m", "plan": "run/plan.json", "csv": "t.csv",
         "parquet": "t.parquet", "json": "history.json", "text": "history.txt", "journal": "run/journal.jsonl",
         "history": "history.parquet", "delta": "lake/delta/_delta_log/00000000000000000001.json",
         "iceberg": "lake/x.metadata.json", "avro": "lake/x.avro"}  # fmt: skip
LARGEST_BYTES = 4 << 30
"""What a reader may take of memory: an input of a few thousand bytes that takes more is none that was bounded."""
TOKENS: dict[str, list[bytes]] = {
    "edn": [b"{", b"}", b"[", b"]", b":type", b":ok", b":info", b"nil", b"#jepsen.x{}", b'"', b"\\", b"1e999", b";",
            b"#_", b"##NaN", b"[" * 3000, b":f :append", b"-0", b"99999999999999999999", b"\xff",
            b":value [[:r 1 nil]]"],
    "yaml": [b"&a", b"*a", b"<<: *a", b"- ", b": ", b"!!python/object:os.system", b"{", b"[", b"\t", b"|\n", b"0x",
             b"1e400", b"[" * 2000, b"faults:\n", b"? ", b"\xff", b"\x00", b"2024-99-99", b"kind: nope", b".inf", b"~"],
    "plan": [b"{", b"}", b"[", b"]", b"null", b"NaN", b'"checks"', b'"kind"', b"[" * 3000, b'"\\ud800"', b"1e999",
             b",", b":", b"\x00", b"\xff", b'{"experiment":', b"true", b"-1"],
    "json": [b"{", b"}", b"[", b"]", b"null", b"NaN", b'"type":"info"', b'"history":', b"[" * 3000, b'"\\ud800"',
             b"1e999", b"9" * 20, b'"value":[["r",1,null]]', b"\x00", b"\xff", b"true", b"-1", b'"f":"txn"'],
    "text": [b"=====", b"-----", b"\n", b"w 1 2\n", b"r 1 2\n", b"r(", b",", b")", b"-1", b"9" * 40, b"\xff", b"\x00",
             b" "],
    "journal": [b"{", b"}", b"null", b"\n", b'"seq":0', b'"event":', b'"hash":', b'"mac":', b"[" * 3000, b"1e999",
                b"\xff", b"\x00", b'"data":{"pid":-1}', b'"prev":""'],
    "csv": [b",", b'"', b"\n", b"\r\n", b"\r", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b'""', b"id", b"NaN", b"1e999",
            b"x" * 70_000, b",,,,,", b"#", b";", b"\t", b"'", b"\\"],
    "manifest": [b"\x00" * 8, b"\xff" * 8, b"ARROW1", b"\x7f\xff\xff\xff", b"bits", b"9999", b"{}", b"-1"],
    "history": [b"\x00" * 8, b"\xff" * 8, b"PAR1", b"\x7f\xff\xff\xff", b"\x80\x80\x80\x80\x10", b"process",
                b"status"],
    "delta": [b"{", b"}", b"[", b"]", b"null", b"-1", b"9" * 30, b"1e999", b'""', b"[" * 3000, b'"..', b"\xff", b"\x00",
              b'"path":1', b'"add":', b'"size":-1', b'"stats":"{"', b'"deletionVector":{}'],
    "iceberg": [b"{", b"}", b"[", b"]", b"null", b"-1", b"9" * 30, b"1e999", b'""', b"[" * 3000, b"\xff", b"\x00",
                b'"properties":{"py-io-impl":"os.system"}', b'"snapshots":', b'"manifest-list":"/dev/zero"'],
    "avro": [b"\x00" * 8, b"\xff" * 8, b"Obj\x01", b"\x80\x80\x80\x80\x10", b"avro.schema", b"deflate", b"null"],
    "parquet": [b"\x00" * 8, b"\xff" * 8, b"PAR1", b"\x7f\xff\xff\xff", b"\x80\x80\x80\x80\x10", b"\x15\x02"],
}  # fmt: skip


def fuzz(inputs: int, seed: int, *, hang_s: float = HANG_S) -> dict[str, int]:
    """Read ``inputs`` mutated files; how many ended in a traceback of ours, and how many not within ``hang_s``.

    What failed is kept in ``chaosday-fuzz`` in the folder for temporary files, beside the traceback.
    """
    rng = random.Random(seed)
    counts = {"fuzz_inputs": 0, "fuzz_tracebacks": 0, "fuzz_hangs": 0}
    with tempfile.TemporaryDirectory(prefix="chaosday-fuzz-") as folder, contextlib.ExitStack() as stack:
        here = Path(folder)
        samples = seeds(here)
        reader = stack.enter_context(_Reader(here, hang_s))
        for _ in range(inputs):
            kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
            data = mutated(samples[kind], kind, rng)
            (here / NAMES[kind]).write_bytes(data)
            said = reader.read(kind)
            counts["fuzz_inputs"] += 1
            if said:
                counts["fuzz_hangs" if said == "hang" else "fuzz_tracebacks"] += 1
                _keep(kind, data, said, counts)
    return counts


def seeds(here: Path) -> dict[str, bytes]:
    """One good input of each kind, made by a child: a process that has run DuckDB's threads cannot be forked."""
    child = os.fork()
    if child == 0:
        try:
            _made(here)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    # Imported once, and not by every reader that takes the place of a dead one.
    for kind in ("yaml", "edn", "plan", "json", "text", "journal"):
        READERS[kind](here)
    return {kind: (here / name).read_bytes() for kind, name in NAMES.items()}


def _made(here: Path) -> None:
    import duckdb

    from chaosday.data.manifest import of_directory
    from chaosday.record.journal import Journal

    rows = "select i as id, i * 1.5 as v, 'row ' || i as name, date '2024-01-01' + i::int as d from range(40) r(i)"
    duckdb.sql(rows).write_parquet(str(here / "t.parquet"))
    duckdb.sql(rows).write_csv(str(here / "t.csv"))
    for name in ("t.parquet", "t.csv"):
        shutil.copy(here / name, here / f"good-{name}")
    (here / "d").mkdir()
    for number in range(300):
        (here / "d" / f"{number}").write_bytes(b"%d" % number)
    of_directory(here / "d").write(here / "m")
    shutil.copy(here / "m", here / "good-m")
    lines = [
        f"{{:index {i}, :type :{kind}, :process {i // 2}, :time {i}000, :f :txn,"
        f" :value [[:append {i % 4} {i}] [:r 1 nil]]}}"
        for i, kind in enumerate(["invoke", "ok", "invoke", "info", "invoke", "fail"] * 3)
    ]
    (here / "history.edn").write_text("\n".join(lines) + "\n")
    experiment = {
        "title": "fuzz", "targets": {"db": {"kind": "postgresql", "host": "db"}},
        "workloads": [{"kind": "ledger", "target": "db"}], "checks": [{"kind": "ledger"}, {"kind": "stats"}],
        "faults": [{"at_s": 1, "fault": {"kind": "network.latency", "target": "db"}}],
    }  # fmt: skip
    (here / "experiment.yaml").write_text(json.dumps(experiment, indent=1))
    _histories(here)
    _lakes(here)
    (here / "run").mkdir()
    journal = Journal.create(here / "run" / "journal.jsonl", "run")
    for number in range(4):
        journal.append("planned", lease_id=f"cd-{number}", plan={"lease": {"id": "x"}}, fault={"kind": "x"})
    journal.close()
    (here / "run" / "plan.json").write_text(json.dumps({"title": "fuzz", "run": "run", "experiment": experiment}))


def _lakes(here: Path) -> None:
    """A Delta table with a vector, an Iceberg table with deletes; what is broken of the latter has names of its own."""
    from tests.lab import lake

    lake.delta(here / "lake" / "delta", lake.rows(0, 3))
    lake.delete_by_vector(here / "lake" / "delta", 1, [0])
    table = lake.iceberg(here / "lake" / "iceberg", lake.rows(0, 3))
    lake.delete_positions(table, [0])
    metadata = Path(table.refresh().metadata_location.removeprefix("file://"))
    manifest = Path(table.current_snapshot().manifest_list.removeprefix("file://"))
    for name, file in (("iceberg", metadata), ("avro", manifest)):
        shutil.copy(file, here / NAMES[name])
        (here / f"at-{name}").write_text(str(file))


def _histories(here: Path) -> None:
    from chaosday.data.formats import READERS, WRITERS

    imported = READERS["edn"]((here / "history.edn").read_text())
    (here / "history.json").write_text(WRITERS["jepsen-json"](imported.history))
    (here / "history.txt").write_text("w 1 1\nr 2 2\n-----\nw 2 2\n=====\nr 1 1\n-----\nw 3 1\n")
    imported.history.write(here / "history.parquet")


def mutated(sample: bytes, kind: str, rng: random.Random) -> bytes:
    """The sample with a few wounds: bits, bytes, cuts, copies, and words that mean something in that format."""
    data = bytearray(sample)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        length = rng.choice((1, 4, 30, 400))
        match rng.randrange(7):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                data[at:at] = rng.choice(TOKENS[kind])
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length] * rng.choice((1, 2, 50))
            case 4:
                del data[at:]
            case 5:
                start = rng.randrange(len(data) + 1)
                data[at : at + length] = data[start : start + length]
            case _:
                data[at : at + length] = rng.choice(TOKENS[kind])
    return bytes(data)


def _csv(here: Path, name: str = "t.csv") -> None:
    from chaosday.data.reconcile import diff

    diff(str(here / name), str(here / f"good-{name}"), key=["id"])


def _edn(here: Path) -> None:
    from chaosday.commands.check import judged

    judged(here / NAMES["edn"], "list-append", None, {})


def _yaml(here: Path) -> None:
    from chaosday.model.experiment import load

    load(here / NAMES["yaml"])


def _manifest(here: Path) -> None:
    from chaosday.data.manifest import Manifest, compare

    found = Manifest.read(here / "m")
    compare(Manifest.read(here / "good-m"), found)
    list(found.pieces())


def _plan(here: Path) -> None:
    from chaosday.judging.rejudging import checks_of
    from chaosday.record.run_directory import RunDirectory

    checks_of(RunDirectory.open(here / "run"))


def _history(here: Path, kind: str) -> None:
    from chaosday.data import formats

    formats.read(here / NAMES[kind])


def _delta(here: Path) -> None:
    from chaosday.data.physical.lake import observe_lake

    observe_lake(f"delta://{here}/lake/delta")


def _iceberg(here: Path, kind: str) -> None:
    """Put what is broken where the table has it, for as long as it is read."""
    from chaosday.data.physical.lake import observe_lake

    place = Path((here / f"at-{kind}").read_text())
    sound = place.read_bytes()
    try:
        shutil.copy(here / NAMES[kind], place)
        observe_lake(f"iceberg://{(here / 'at-iceberg').read_text()}")
    finally:
        place.write_bytes(sound)


def _journal(here: Path) -> None:
    from chaosday.record.journal import read

    read(here / NAMES["journal"])


READERS: dict[str, Callable[[Path], None]] = {
    "csv": _csv, "parquet": lambda here: _csv(here, "t.parquet"), "edn": _edn, "yaml": _yaml, "manifest": _manifest,
    "plan": _plan, "journal": _journal, "json": lambda here: _history(here, "json"),
    "text": lambda here: _history(here, "text"), "history": lambda here: _history(here, "history"),
    "delta": _delta, "iceberg": lambda here: _iceberg(here, "iceberg"), "avro": lambda here: _iceberg(here, "avro"),
}  # fmt: skip


class _Reader:
    """A child that reads one input after another; ended and made anew where it hangs or dies."""

    def __init__(self, here: Path, hang_s: float) -> None:
        self._here = here
        self._hang_s = hang_s
        self._child = 0

    def __enter__(self) -> _Reader:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(self, kind: str) -> str:
        """Nothing, ``hang``, or the traceback of what was raised."""
        os.write(self._ask, kind.encode() + b"\n")
        deadline = time.monotonic() + self._hang_s
        said = b""
        while not said.endswith(b"\0"):
            ready, _, _ = select.select([self._answer], [], [], max(0.0, deadline - time.monotonic()))
            block = os.read(self._answer, 65536) if ready else b""
            if not block:
                died = bool(ready)
                self._end()
                self._start()
                return "the reader was killed by a signal" if died else "hang"
            said += block
        return said[:-1].decode(errors="replace")

    def _start(self) -> None:
        down, self._ask = os.pipe()
        self._answer, up = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._ask)
            os.close(self._answer)
            _serve(self._here, down, up)
        os.close(down)
        os.close(up)

    def _end(self) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        os.close(self._ask)
        os.close(self._answer)


def _serve(here: Path, down: int, up: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (LARGEST_BYTES, LARGEST_BYTES))
    with os.fdopen(down, "rb") as asked:
        for line in asked:
            said = ""
            try:
                READERS[line.strip().decode()](here)
            except ChaosdayError as error:
                said = f"more than one line: {error}" if "\n" in str(error) else ""
            except BaseException:  # noqa: BLE001 - the one thing that this program looks for
                said = traceback.format_exc()
            os.write(up, said.encode(errors="replace") + b"\0")
    os._exit(0)


def _keep(kind: str, data: bytes, said: str, counts: dict[str, int]) -> None:
    folder = Path(tempfile.gettempdir()) / "chaosday-fuzz"
    folder.mkdir(mode=0o700, exist_ok=True)
    number = counts["fuzz_tracebacks"] + counts["fuzz_hangs"]
    (folder / f"{number}-{kind}").write_bytes(data)
    (folder / f"{number}-{kind}.txt").write_text(said)
