"""Outputs that are files, compared by what is in them: rows of CSV, Parquet, JSON, SQLite and DuckDB, else bytes.

Rows are read by the readers of ``chaosday diff``, which lose nothing, and are a multiset; which of a folder's files
holds a row is nobody's business, so that names which each run draws anew do no harm; but a folder ``NAME=VALUE`` is a
column of what lies in it. What is read with loss is unreadable, and says of which column.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import shutil
import sqlite3
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from chaosday.drills.pipelines.filed_json import rows_of_json
from chaosday.errors import ChaosdayError

ROWS, JSON, DATABASE = "rows", "json", "database"
_FORMS = {
    ".csv": ROWS,
    ".tsv": ROWS,
    ".parquet": ROWS,
    ".pq": ROWS,
    ".json": JSON,
    ".jsonl": JSON,
    ".ndjson": JSON,
    ".sqlite": DATABASE,
    ".sqlite3": DATABASE,
    ".db": DATABASE,
    ".duckdb": DATABASE,
}
BESIDE = ("-wal", "-shm", "-journal", ".wal")
"""What SQLite and DuckDB keep beside a database: read with it, and no output of its own."""
Row = tuple[str | None, ...]
_ABSENT = "absent"
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_UNREADABLE = (ChaosdayError, ValueError, OSError, EOFError, zlib.error)
TABLES = "select name from sqlite_master where type = 'table' and name not like 'sqlite!_%' escape '!' order by 1"
"""The tables of a SQLite file."""


@dataclass(frozen=True)
class Content:
    """What is in an output: how often each row is there, or why nobody can read it."""

    columns: tuple[str, ...] = ()
    rows: Counter[Row] = field(default_factory=Counter)
    unreadable: str = ""
    kinds: tuple[str, ...] = ()
    """Of each column, what kind of value is in it: the number 1 and the text 1 are two."""

    def kinds_of(self, columns: Sequence[str]) -> dict[str, str]:
        """The kinds of some columns, by name."""
        return {name: kind for name, kind in zip(self.columns, self.kinds, strict=False) if name in columns}

    def of(self, columns: Sequence[str]) -> Counter[Row]:
        """The rows, cut down to some columns."""
        places = [place for place, name in enumerate(self.columns) if name in columns]
        if len(places) == len(self.columns):
            return self.rows
        found: Counter[Row] = Counter()
        for row, count in self.rows.items():
            found[tuple(row[place] for place in places)] += count
        return found


def contents(folder: Path, names: Sequence[str], aside: Path | None = None) -> dict[str, Content]:
    """What is in the named files and folders of ``folder``: by path, ``FOLDER/*.SUFFIX``, or ``PATH#TABLE``.

    What is staged meanwhile is below ``aside``, which goes when whoever reads is killed; None is any place.
    """
    from chaosday.data.reconcile.workspace import working_below

    with working_below(aside) if aside else contextlib.nullcontext():
        return _contents(folder, names, aside)


def _contents(folder: Path, names: Sequence[str], aside: Path | None) -> dict[str, Content]:
    found: dict[str, Content] = {}
    roots = [folder / name for name in names if not (folder / name).is_symlink()]
    for name in names:
        place = folder / name
        if place.is_symlink():
            found[name.rstrip("/")] = _link(place, roots)
        elif place.is_dir():
            found |= _of_folder(place, name.rstrip("/"), roots, aside)
        elif place.is_file():
            found |= _of_file(place, name, aside)
    return found


def form_of(path: Path) -> str:
    """How a file is read, by its name; empty is byte by byte."""
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    return _FORMS.get(suffix, "")


def suffix_of(path: Path) -> str:
    """The ending by which files of a folder belong together, with ``.gz`` where they are packed."""
    return "".join(path.suffixes[-2 if path.suffix.lower() == ".gz" else -1 :]).lower()


def _of_folder(place: Path, name: str, roots: Sequence[Path], aside: Path | None) -> dict[str, Content]:
    together: dict[str, list[Path]] = {}
    found: dict[str, Content] = {}
    for file in sorted(place.rglob("*")):
        within = file.relative_to(place)
        if "_delta_log" in within.parent.parts:
            continue
        if file.is_symlink():
            found[f"{name}/{within}"] = _link(file, roots)
        elif file.is_dir() and file.name == "_delta_log":
            words = "a Delta table, of whose files only its log says which count: drill an output of plain Parquet"
            found[f"{name}/{within}"] = Content(unreadable=words)
        elif file.is_dir() and file.name == "metadata" and any(file.glob("*.metadata.json")):
            words = (
                "an Iceberg table, of whose files only its metadata says which count: drill an output of plain Parquet"
            )
            found[f"{name}/{within}"] = Content(unreadable=words)
        elif file.is_file() and form_of(file) in (ROWS, JSON):
            together.setdefault(suffix_of(file), []).append(file)
        elif file.is_file():
            found |= _of_file(file, f"{name}/{within}", aside)
    for suffix, some in together.items():
        found[f"{name}/*{suffix}"] = _sum(some, place)
    return found


def _link(link: Path, roots: Sequence[Path]) -> Content:
    """Where a link points; out of the outputs nothing is kept, so that the same file would be both sides."""
    target = link.resolve()
    if target.exists() and any(target.is_relative_to(root.resolve()) for root in roots):
        return Content(("link",), Counter({(str(link.readlink()),): 1}), kinds=("link",))
    return Content(unreadable=f"{link.name} is a link to what is no output: name {link.readlink()} under outputs")


def _sum(files: Sequence[Path], place: Path) -> Content:
    """The rows of several files; one that lacks a column, or holds it as another kind, is told from the others."""
    parts = [_partitioned(_readable(file), file.relative_to(place)) for file in files]
    if unread := [part for part in parts if part.unreadable]:
        return unread[0]
    first = parts[0].columns
    same = all(part.columns == first for part in parts)
    columns = first if same else tuple(sorted({name for part in parts for name in part.columns}))
    kinds = {name: _kinds_in(parts, name) for name in columns}
    rows: Counter[Row] = Counter()
    for part in parts:
        places = {name: place for place, name in enumerate(part.columns)}
        for row, count in part.rows.items():
            rows[tuple(_cell(part, row, places.get(name), len(kinds[name]) > 1) for name in columns)] += count
    return Content(columns, rows, kinds=tuple(", ".join(sorted(kinds[name])) for name in columns))


def _cell(part: Content, row: Row, place: int | None, mixed: bool) -> str | None:
    if place is None:
        return f"{_ABSENT}:"
    value = row[place]
    return f"{part.kinds[place]}:{value}" if mixed and value is not None else value


def _kinds_in(parts: Sequence[Content], name: str) -> set[str]:
    """The kinds of a column's values; of a column without any, those that its files declare."""
    holding, declared = set(), set()
    for part in parts:
        if name not in part.columns:
            if part.rows:
                holding.add(_ABSENT)
            continue
        place = part.columns.index(name)
        declared.add(part.kinds[place])
        if any(row[place] is not None for row in part.rows):
            holding.add(part.kinds[place])
    return holding if holding - {_ABSENT} else holding | declared


def _partitioned(part: Content, path: Path) -> Content:
    """A part with the columns that the names of its folders are, as Hive, Spark and Arrow write them."""
    pairs = [(unquote(name), unquote(value)) for name, sign, value in (each.partition("=") for each in path.parts[:-1])
             if sign and name]  # fmt: skip
    if part.unreadable or not pairs:
        return part
    # A column that is in the file as well stays beside it: the two may contradict each other.
    names = tuple(f"{name}=" if name in part.columns else name for name, _ in pairs)
    values = tuple(None if value == _HIVE_NULL else value for _, value in pairs)
    rows = Counter({row + values: count for row, count in part.rows.items()})
    return Content(part.columns + names, rows, kinds=part.kinds + ("folder",) * len(names))


def _of_file(file: Path, name: str, aside: Path | None) -> dict[str, Content]:
    if name.endswith(BESIDE) and any(form_of(Path(name.removesuffix(each))) == DATABASE for each in BESIDE):
        return {}
    if form_of(file) == DATABASE:
        return _of_database(file, name, aside)
    return {name: _readable(file)}


def _readable(file: Path) -> Content:
    """A file's rows; one that is cut off, or half of it written, is unreadable, and that is what it is."""
    try:
        form = form_of(file)
        if form == ROWS:
            return _rows(str(file))
        if form == JSON:
            return _json(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        return Content(("bytes",), Counter({(digest,): 1}), kinds=("bytes",))
    except _UNREADABLE as error:
        return Content(unreadable=_first_line(error))


def _json(file: Path) -> Content:
    packed = file.name.lower().endswith(".gz")
    with gzip.open(file) if packed else file.open("rb") as opened:
        text = opened.read().decode("utf-8-sig")
    lines = Path(file.name.lower().removesuffix(".gz")).suffix != ".json"
    columns, rows, kind = rows_of_json(text, lines=lines)
    return Content(columns, Counter(rows), kinds=(kind,) * len(columns))


def _of_database(file: Path, name: str, aside: Path | None) -> dict[str, Content]:
    """Each table of a SQLite or DuckDB file, read from a copy: opening one may write to it, as after a crash."""
    with tempfile.TemporaryDirectory(prefix="chaosday-output-", dir=aside) as scratch:
        # A name of ours: in somebody's may be what ends an address.
        copy = Path(scratch) / "output"
        shutil.copyfile(file, copy)
        for beside in BESIDE:
            if (other := file.with_name(file.name + beside)).is_file():
                shutil.copyfile(other, copy.with_name(copy.name + beside))
        try:
            engine, tables = _tables(copy)
            return {f"{name}#{table}": _rows(f"{engine}:////{copy}#{asked}") for table, asked in tables.items()}
        except (ChaosdayError, ValueError, OSError) as error:
            return {name: Content(unreadable=_first_line(error))}


def _tables(file: Path) -> tuple[str, dict[str, str]]:
    """The engine that wrote it, by its first bytes, and its tables, each with how a side of a comparison names it."""
    head = file.read_bytes()[:16] if file.stat().st_size else b""
    if head.startswith(b"SQLite format 3") or not head:
        with contextlib.closing(sqlite3.connect(file)) as database:
            try:
                names = [str(name) for (name,) in database.execute(TABLES)]
            except sqlite3.Error as error:
                raise ValueError(str(error)) from None
        return "sqlite", {name: name for name in names}
    import duckdb

    from chaosday.data.reconcile.sql import ident

    try:
        # What was written ahead and not checkpointed comes into the copy by this.
        with duckdb.connect(str(file)) as found:
            asked = "select schema_name, table_name from duckdb_tables() where not internal order by all"
            pairs = found.execute(asked).fetchall()
            found.execute("checkpoint")
    except duckdb.Error as error:
        raise ValueError(str(error)) from None
    return "duckdb", {f"{schema}.{table}": f"{ident(schema)}.{ident(table)}" for schema, table in pairs}


def _rows(side: str) -> Content:
    """Every row of a side of ``chaosday diff``, in the canonical text by which that compares."""
    from chaosday.data.connections.waiting import Patience
    from chaosday.data.reconcile.cross import open_source
    from chaosday.data.reconcile.forms import canonical_sql, register
    from chaosday.data.reconcile.kinds import common_kind
    from chaosday.data.reconcile.sides import Side
    from chaosday.data.reconcile.sql import listed, statement
    from chaosday.data.reconcile.workspace import Workspace

    with contextlib.ExitStack() as stack:
        source = open_source(Side.parse(side), "left", Patience())
        stack.callback(source.close)
        if lossy := [f"{each.name} is {each.loss}" for each in source.fields if each.loss]:
            raise ValueError(f"not read to the last digit: {'; '.join(lossy)}")
        workspace = stack.enter_context(Workspace())
        register(workspace.database)
        relation = source.stage(workspace)
        columns = [
            canonical_sql(f"f{place}", each, common_kind(each, each)) for place, each in enumerate(source.fields)
        ]
        with _in_words():
            asked = statement("select {columns} from {relation}", columns=listed(columns) or "null", relation=relation)
            rows = workspace.database.execute(asked).fetchall()
        if source.expected_rows not in {None, len(rows)}:
            raise ValueError(f"{source.expected_rows} records are there, of which {len(rows)} were read")
        kinds = tuple(f"{each.kind} {each.tree}".strip() for each in source.fields)
        return Content(tuple(each.name for each in source.fields), Counter(map(tuple, rows)), kinds=kinds)


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise ValueError(_first_line(error)) from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
