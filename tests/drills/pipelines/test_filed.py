"""Outputs that are files: read by what is in them, and damage to them told by its name."""

from __future__ import annotations

import gzip
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaosday.drills.pipelines.attempts import KILL, Attempts
from chaosday.drills.pipelines.bench import Bench
from chaosday.drills.pipelines.comparing import Comparator
from chaosday.drills.pipelines.differences import told_apart
from chaosday.drills.pipelines.filed import contents
from chaosday.drills.pipelines.golden import BASE, Golden
from chaosday.drills.pipelines.planting_files import planted_files
from chaosday.drills.pipelines.points import Recorder
from chaosday.drills.pipelines.sighting import GOLDEN, look
from chaosday.errors import InvalidExperiment
from chaosday.model.experiment import validated
from tests.drills.pipelines.conftest import drill

LOADER = """
import sys
from pathlib import Path
import psycopg
report = Path("report.csv")
done = report.read_text() if report.exists() else "n,said\\n"
with psycopg.connect(autocommit=True) as connection:
    for n in (1, 2):
        connection.execute("insert into notes values ('x')")
        if f"{n},x\\n" not in done or "append" in sys.argv:
            done += f"{n},x\\n"
            report.write_text(done)
"""


def sqlite(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute('create table "t 1" (a int, b text)')
        database.executemany('insert into "t 1" values (?, ?)', [(1, "x"), (2, None)])
        database.commit()


def duck(file: Path) -> None:
    with duckdb.connect(str(file)) as database:
        database.execute("create table t as select * from (values (1, 'x'), (2, null)) v(a, b)")


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a.csv": (lambda file: file.write_text("a,b\n1,x\n2,\n"), "a.csv"),
    "lake/a.parquet": (lambda file: pq.write_table(pa.table({"a": [1, 2], "b": ["x", None]}), file), "lake/*.parquet"),
    "a.jsonl": (lambda file: file.write_text('{"a": 1, "b": "x"}\n{"a": 2}\n'), "a.jsonl"),
    "a.json": (lambda file: file.write_text('[{"a": 1, "b": "x"}, {"a": 2}]'), "a.json"),
    "a.db": (sqlite, "a.db#t 1"),
    "a.duckdb": (duck, "a.duckdb#main.t"),
}


@pytest.mark.kernel
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_the_rows_that_are_in_it_and_damage_planted_in_it_is_told(tmp_path: Path, name: str) -> None:
    """Whatever its format; the file itself is as it was afterwards, and damage of one kind is nothing else."""
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    make, output = FILES[name]
    make(file)
    before = file.read_bytes()
    named = name.partition("/")[0]
    (content,) = contents(tmp_path, [named]).values()
    assert content.columns == ("a", "b") and content.rows.total() == 2 and not content.unreadable
    assert [row[0] for row in sorted(content.rows, key=str)] == ["1", "2"]
    told = []
    for where, damage, there in planted_files(tmp_path, [named]):
        with there:
            found = contents(tmp_path, [named])
        if where == output:
            said = told_apart(content.rows, found[output].rows)
            assert {kind: n for kind, (n, _) in said.items()} == {damage: 1}
        else:
            assert where in found
        told.append(damage)
    assert "lost" in told and file.read_bytes() == before
    file.write_bytes(b"\x00" + before[: len(before) // 3])
    (broken,) = contents(tmp_path, [named]).values()
    assert broken.unreadable or broken.rows != content.rows


@pytest.mark.kernel
def test_a_folder_is_the_sum_of_its_files_whatever_they_are_called(tmp_path: Path) -> None:
    """Rows of one format together, with the columns of all; anything else by its name and its bytes."""
    lake = tmp_path / "lake"
    (lake / "deep").mkdir(parents=True)
    (lake / "p-93ab.csv").write_text("a\n1\n")
    (lake / "deep" / "p-7c1f.csv").write_text("a,b\n1,2\n")
    (lake / "x.tmp").write_text("half")
    found = contents(tmp_path, ["lake"])
    assert found["lake/*.csv"].columns == ("a", "b") and found["lake/*.csv"].of(["a"]) == {("1",): 2}
    assert set(found) == {"lake/*.csv", "lake/x.tmp"}


@pytest.mark.lab
@pytest.mark.parametrize(("words", "damage"), [((), []), (("append",), [("report.csv", "duplicated")])])
def test_a_report_that_is_appended_to_has_lines_twice(
    bench: Bench, tmp_path: Path, words: tuple[str, ...], damage: list[tuple[str, str]]
) -> None:
    """The file lives on between the killed run and the next; planted damage in it is told as in a table."""
    bench.copies.restore("origin")
    (tmp_path / "loader.py").write_text(LOADER)
    settings = {"command": [sys.executable, str(tmp_path / "loader.py"), *words], "outputs": ["./report.csv"]}
    bench.value = bench.value.model_copy(update=settings)
    (bench.work / "report.csv").unlink(missing_ok=True)
    bench.keep(BASE)
    recorder = Recorder(bench.watch())
    assert bench.run(recorder, bench.value.days[-1]).well
    golden = Golden(points=recorder.points, end=recorder.look())
    bench.keep(GOLDEN)
    comparator = Comparator(bench.copies, bench.value, bench.scratch)
    planted = look(comparator)
    comparator.close()
    assert all(each.told for each in planted), planted
    assert {each.damage for each in planted if each.output == "report.csv"} == {"lost", "duplicated", "changed"}
    attempt = Attempts(bench, golden, lambda: False).by(
        KILL, next(p for p in golden.points if p.occurrence == 2 and p.side == "after")
    )
    bench.value = bench.value.model_copy(update={"outputs": ["*"]})
    (bench.work / "report.csv").unlink()
    assert attempt is not None and attempt.hit and attempt.classes == damage, attempt


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["../report.csv", "/tmp/report.csv", "./", "lake/*.csv"])
def test_an_output_outside_of_the_folder_is_refused(name: str) -> None:
    """As state is; a folder is named, and no pattern."""
    with pytest.raises(InvalidExperiment, match="outputs"):
        validated(type(drill({"shop": {}})), {"stores": {"shop": {}}, "outputs": [name]})


def test_damage_is_planted_by_no_link(tmp_path: Path) -> None:
    """An output that is a link, or lies in a linked folder, leads to somebody's own: it is left alone."""
    own, work = tmp_path / "own", tmp_path / "work"
    own.mkdir()
    (own / "out.csv").write_text("id\n1\n2\n")
    (work / "made").mkdir(parents=True)
    (work / "out.csv").symlink_to(own / "out.csv")
    (work / "folder").symlink_to(own)
    (work / "made" / "part.csv").symlink_to(own / "out.csv")
    before = {path: path.stat().st_mtime_ns for path in (own, own / "out.csv")}
    for _, _, there in planted_files(work, ["out.csv", "folder", "folder/out.csv", "made"]):
        with there:
            pass
    assert {path: path.stat().st_mtime_ns for path in (own, own / "out.csv")} == before
    assert "no output" in contents(work, ["out.csv"])["out.csv"].unreadable


def test_json_that_is_too_deep_is_unreadable(tmp_path: Path) -> None:
    """As a file that is cut off is, and no traceback."""
    (tmp_path / "out.json").write_text("[" * 100_000)
    assert contents(tmp_path, ["out.json"])["out.json"].unreadable


def _text(name: str, said: str | bytes) -> Callable[[Path], object]:
    return lambda folder: _placed(folder, name).write_bytes(said if isinstance(said, bytes) else said.encode())


def _columns(name: str, **columns: object) -> Callable[[Path], object]:
    return lambda folder: pq.write_table(pa.table(columns), _placed(folder, name))


def _placed(folder: Path, name: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return folder / name


def _both(*each: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: [one(folder) for one in each]


def _sqlite_named(value: int) -> Callable[[Path], object]:
    def made(folder: Path) -> None:
        with closing(sqlite3.connect(folder / "a.db")) as database:
            database.execute("create table sqliteXt (a int)")
            database.execute("insert into sqliteXt values (?)", [value])
            database.commit()

    return made


UNLIKE: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "a number, a text": (_columns("a.parquet", a=[1]), _columns("a.parquet", a=["1"])),
    "a flag, a text": (_columns("a.parquet", a=[True]), _columns("a.parquet", a=["true"])),
    "bytes, their hexadecimal": (_columns("a.parquet", a=[b"ab"]), _columns("a.parquet", a=["6162"])),
    "two widths of floats": (
        _columns("a.parquet", a=pa.array([0.1], pa.float32())),
        _columns("a.parquet", a=pa.array([0.1], pa.float64())),
    ),
    "moments with a zone, without": (
        _columns("a.parquet", a=pa.array([0], pa.timestamp("us"))),
        _columns("a.parquet", a=pa.array([0], pa.timestamp("us", "UTC"))),
    ),
    "inside of lists": (_columns("a.parquet", a=[[1]]), _columns("a.parquet", a=[["1"]])),
    "no row, another type": (
        _columns("a.parquet", a=pa.array([], pa.int64())),
        _columns("a.parquet", a=pa.array([], pa.string())),
    ),
    "a row in another partition": (_columns("y=1/a.parquet", a=[1]), _columns("y=2/a.parquet", a=[1])),
    "a row in the partition of NULL": (
        _text("y=__HIVE_DEFAULT_PARTITION__/a.csv", "a\n1\n"),
        _text("y=2/a.csv", "a\n1\n"),
    ),
    "lines in another partition": (_text("y=1/a.jsonl", '{"a":1}\n'), _text("y=2/a.jsonl", '{"a":1}\n')),
    "a part that lacks a column": (
        _both(_columns("1.parquet", a=[1], b=[2]), _columns("2.parquet", a=[3])),
        _both(_columns("1.parquet", a=[1], b=[2]), _columns("2.parquet", a=[3], b=pa.array([None], pa.int64()))),
    ),
    "kinds that changed places": (
        _both(_columns("1.parquet", a=[1]), _columns("2.parquet", a=["2"])),
        _both(_columns("1.parquet", a=["1"]), _columns("2.parquet", a=[2])),
    ),
    "digits of JSON": (_text("a.json", '[{"a":1.00000000000000001}]'), _text("a.json", '[{"a":1.0}]')),
    "large numbers of JSON": (_text("a.jsonl", '{"a":1e400}'), _text("a.jsonl", '{"a":1e500}')),
    "an object, a list of one": (_text("a.json", '{"a":1}'), _text("a.json", '[{"a":1}]')),
    "a table whose name begins with sqlite": (_sqlite_named(1), _sqlite_named(2)),
}


@pytest.mark.kernel
@pytest.mark.parametrize("name", UNLIKE)
def test_outputs_that_differ_are_never_the_same_content(tmp_path: Path, name: str) -> None:
    """Not by a type, a partition, a digit or a column that a part lacks; and both can be read."""
    found = []
    for number, make in enumerate(UNLIKE[name]):
        (tmp_path / f"{number}" / "o").mkdir(parents=True)
        make(tmp_path / f"{number}" / "o")
        found.append(contents(tmp_path / f"{number}", ["o/"]))
    assert not [one.unreadable for each in found for one in each.values() if one.unreadable]
    assert found[0] != found[1]


LIKE: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "packed lines in another order": (
        _text("a.jsonl.gz", gzip.compress(b'{"a":1}\n{"a":2}\n')),
        _text("b.jsonl.gz", gzip.compress(b'{"a":2}\n{"a":1}\n')),
    ),
    "packed files of two formats": (
        _both(_text("a.csv.gz", gzip.compress(b"a\n1\n")), _text("b.json.gz", gzip.compress(b"[1]"))),
        _both(_text("c.csv.gz", gzip.compress(b"a\n1\n")), _text("a.json.gz", gzip.compress(b"[1]"))),
    ),
    "a line separator in a text": (_text("a.jsonl", '{"a":"x\u2028y"}\n'), _text("a.jsonl", '{"a":"x\\u2028y"}\n')),
    "a mark of byte order": (_text("a.json", b'\xef\xbb\xbf[{"a":1}]'), _text("a.json", '[{"a":1}]')),
    "parts under other names, with other columns": (
        _both(_text("1.csv", "a,b\n1,2\n"), _text("2.csv", "b,c\n1,3\n")),
        _both(_text("2.csv", "a,b\n1,2\n"), _text("1.csv", "b,c\n1,3\n")),
    ),
    "a part without a value": (
        _both(_columns("1.parquet", a=[1, None]), _columns("2.parquet", a=[2])),
        _both(_columns("1.parquet", a=[1, 2]), _columns("2.parquet", a=pa.nulls(1))),
    ),
}


@pytest.mark.kernel
@pytest.mark.parametrize("name", LIKE)
def test_outputs_that_are_the_same_are_no_alarm(tmp_path: Path, name: str) -> None:
    """However they are packed, spelled, and shared out among files."""
    found = []
    for number, make in enumerate(LIKE[name]):
        (tmp_path / f"{number}" / "o").mkdir(parents=True)
        make(tmp_path / f"{number}" / "o")
        found.append(contents(tmp_path / f"{number}", ["o/"]))
    assert found[0] == found[1]
    assert not [one.unreadable for one in found[0].values() if one.unreadable]


def _linked(folder: Path) -> None:
    (folder.parent / "real").mkdir()
    (folder / "now").symlink_to("../real")


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (_linked, "now is a link to what is no output"),
    "a Delta table": (_text("_delta_log/0.json", "{}"), "a Delta table"),
    "a key twice": (_text("a.json", '[{"a":1,"a":2}]'), "a key twice"),
    "nested too deeply": (_text("a.json", "[" * 100_000 + "]" * 100_000), "nested too deeply"),
    "cut off": (_text("a.json.gz", gzip.compress(b"[1]" * 99)[:-10]), "ended"),
    "decimals of 70 digits": (
        _columns("a.parquet", a=pa.array([Decimal("1" * 60)], pa.decimal256(70, 2))),
        "not read to the last digit: a is",
    ),
}


@pytest.mark.kernel
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_would_be_read_with_loss_is_not_compared(tmp_path: Path, name: str) -> None:
    """It says which column, or what it is instead of being equal to its like."""
    make, words = UNREADABLE[name]
    (tmp_path / "o").mkdir()
    make(tmp_path / "o")
    (said,) = [one.unreadable for one in contents(tmp_path, ["o/"]).values()]
    assert words in said


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '[{"a": 0.10000000000000000001}, {"a": 12345678901234567890.5, "b": [1]}]\n'),
        ("a.json", ' [{"a": 1.00}]'),
        ("a.jsonl", '{"a": 0.10000000000000000001}\n{"a": 2.50}\n'),
        ("a.ndjson", '{"a": 1e400}\r\n{"a": 7}'),
    ],
)
def test_damage_in_json_leaves_the_digits_of_other_rows(tmp_path: Path, name: str, text: str) -> None:
    """A row is lost, doubled or changed, and no other one is; however its numbers are spelled."""
    (tmp_path / name).write_bytes(text.encode())
    (before,) = contents(tmp_path, [name]).values()
    told = []
    for _, damage, there in planted_files(tmp_path, [name]):
        with there:
            (found,) = contents(tmp_path, [name]).values()
        assert not found.unreadable, found.unreadable
        if found.columns == before.columns:
            said = told_apart(before.rows, found.rows)
            assert {kind: n for kind, (n, _) in said.items()} == {damage: 1}, (damage, found)
        told.append(damage)
    assert set(told) == {"lost", "duplicated", "changed"}


@pytest.mark.kernel
def test_a_folder_that_is_an_iceberg_table_is_refused(tmp_path: Path) -> None:
    """Its files may be of snapshots that count no more; it says what would do."""
    (tmp_path / "lake" / "orders" / "metadata").mkdir(parents=True)
    (tmp_path / "lake" / "orders" / "metadata" / "00001-a.metadata.json").write_text("{}")
    content = contents(tmp_path, ["lake"])["lake/orders/metadata"]
    assert "an Iceberg table" in content.unreadable and "plain Parquet" in content.unreadable


@pytest.mark.kernel
def test_what_is_staged_to_compare_lies_in_the_folder_that_goes_when_we_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made among the temporary files, where a killed drill would leave somebody's rows."""
    places = {each: tmp_path / each for each in ("work", "aside", "temporary")}
    for place in places.values():
        place.mkdir()
    for name in ("a.csv", "a.db", "a.duckdb"):
        FILES[name][0](places["work"] / name)
    made: list[str | None] = []
    whole = tempfile.mkdtemp

    def noted(suffix: str | None = None, prefix: str | None = None, dir: str | None = None) -> str:
        made.append(dir)
        return whole(suffix, prefix, dir)

    monkeypatch.setattr(tempfile, "mkdtemp", noted)
    found = contents(places["work"], ["a.csv", "a.db", "a.duckdb"], places["aside"])
    assert all(not content.unreadable for content in found.values()) and len(made) >= 5
    assert {str(each) for each in made} == {str(places["aside"])} and not list(places["aside"].iterdir())
