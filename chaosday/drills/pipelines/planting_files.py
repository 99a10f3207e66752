"""Known damage to outputs that are files: one row lost, doubled, changed in the file itself, by its own format."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from chaosday.drills.pipelines.differences import CHANGED, DUPLICATED, LOST, ORPHAN
from chaosday.drills.pipelines.filed import BESIDE, TABLES, contents, suffix_of

Plant = Callable[[Path, str], bool]
_STRAY = "chaosday-stray.bin"
_SPACE = re.compile(r"[ \t\r\n]*")
_LINE = re.compile(r"[^\s][^\n]*", re.ASCII)


def planted_files(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, str, AbstractContextManager[None]]]:
    """Each damage with its output's name and a context within which it is there; a file is as it was afterwards.

    Of each output the first file takes all of them; a folder gets a file that should not be there, too.
    """
    within = folder.resolve()
    for name in names:
        place = folder / name
        # A link leads to what the copies of a pipeline share, which may be somebody's own.
        if place.is_symlink() or not place.resolve().is_relative_to(within):
            continue
        if place.is_dir():
            yield f"{name}/{_STRAY}", ORPHAN, _stray(place / _STRAY)
        files = sorted(each for each in place.rglob("*") if each.is_file() and not each.is_symlink())
        files = files if place.is_dir() else [place]
        met: set[str] = set()
        for file in files:
            form = file.suffix.lower()
            if form in met:
                continue
            met.add(form)
            yield from _each(folder, name, file)


def _each(folder: Path, name: str, file: Path) -> Iterator[tuple[str, str, AbstractContextManager[None]]]:
    original = file.read_bytes()
    for damage in (DUPLICATED, LOST, CHANGED):
        try:
            done = _PLANTS.get(file.suffix.lower(), _bytes)(file, damage)
            said = _where(folder, name, file) if done else ""
        finally:
            damaged = file.read_bytes()
            file.write_bytes(original)
        if said:
            yield said, damage, _there(file, damaged, original)


def _where(folder: Path, name: str, file: Path) -> str:
    """Under which name the comparison has that file."""
    found = contents(folder, [name])
    relative = file.relative_to(folder).as_posix()
    wanted = [each for each in found if each == relative or each.startswith(f"{relative}#")]
    wanted += [each for each in found if each == f"{name}/*{suffix_of(file)}"]
    return wanted[0] if wanted else ""


@contextmanager
def _there(file: Path, damaged: bytes, original: bytes) -> Iterator[None]:
    file.write_bytes(damaged)
    try:
        yield
    finally:
        file.write_bytes(original)


@contextmanager
def _stray(file: Path) -> Iterator[None]:
    file.write_bytes(b"stray")
    try:
        yield
    finally:
        file.unlink()


def _lines(file: Path, damage: str) -> bool:
    """CSV with a header, whose last line is a row of its own."""
    lines = file.read_bytes().splitlines(keepends=True)
    if len(lines) < 2 or b'"' in lines[-1]:
        return False
    last = lines.pop()
    end = last[len(last.rstrip(b"\r\n")) :]
    changed = last.rstrip(b"\r\n") + b"0" + end
    joint = last if end else last + b"\n"
    lines += {DUPLICATED: [joint, last], LOST: [], CHANGED: [changed]}[damage]
    file.write_bytes(b"".join(lines))
    return True


def _json_rows(file: Path, damage: str) -> bool:
    """The last row; all others stay as they are spelled, since a number read and written is another one."""
    text = file.read_bytes().decode("utf-8-sig")
    found = _elements(text) if file.suffix.lower() == ".json" else [each.span() for each in _LINE.finditer(text)]
    if not found:
        return False
    begin, end = found[-1]
    row = json.loads(text[begin:end])
    if not isinstance(row, dict) or not row:
        return False
    between = text[found[-2][1] : begin] if len(found) > 1 else (", " if file.suffix.lower() == ".json" else "\n")
    changed = json.dumps(row | {next(iter(row)): "chaosday"})
    before, after = text[:begin], text[end:]
    damaged = {
        DUPLICATED: text[:end] + between + text[begin:],
        LOST: (text[: found[-2][1]] if len(found) > 1 else before) + after,
        CHANGED: before + changed + after,
    }
    file.write_bytes(damaged[damage].encode())
    return True


def _elements(text: str) -> list[tuple[int, int]]:
    """Where the elements of an array stand; none where it is no array."""
    found: list[tuple[int, int]] = []
    at = _after_space(text, 0)
    if text[at : at + 1] != "[":
        return found
    while (begin := _after_space(text, at + 1)) < len(text) and text[begin] != "]":
        _, end = json.JSONDecoder().raw_decode(text, begin)
        found.append((begin, end))
        at = _after_space(text, end)
        if text[at : at + 1] != ",":
            break
    return found


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _parquet(file: Path, damage: str) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file).read()
    if not len(table) or damage == CHANGED:
        return False
    last = table.slice(len(table) - 1)
    pq.write_table(pa.concat_tables([table, last]) if damage == DUPLICATED else table.slice(0, len(table) - 1), file)
    return True


def _database(file: Path, damage: str) -> bool:
    """A row of the first table; what is written ahead beside a file is left as it is."""
    from chaosday.data.reconcile.sql import ident, statement

    if damage != LOST or any(Path(f"{file}{beside}").exists() for beside in BESIDE):
        return False
    sqlite = file.read_bytes().startswith(b"SQLite format 3")
    with closing(sqlite3.connect(file) if sqlite else _duckdb(file)) as database:
        asked = TABLES if sqlite else "select table_name from duckdb_tables() where schema_name = 'main' order by 1"
        names = [str(name) for (name,) in database.execute(asked).fetchall()]
        if not names:
            return False
        one = "delete from {table} where rowid = (select max(rowid) from {table})"
        database.execute(statement(one, table=ident(names[0])))
        database.commit()
    return True


def _duckdb(file: Path) -> Any:
    import duckdb

    return duckdb.connect(str(file))


def _bytes(file: Path, damage: str) -> bool:
    if damage != CHANGED or not file.stat().st_size:
        return False
    os.truncate(file, file.stat().st_size - 1)
    return True


_PLANTS: dict[str, Plant] = {
    ".csv": _lines,
    ".tsv": _lines,
    ".json": _json_rows,
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
    ".parquet": _parquet,
    ".pq": _parquet,
    ".db": _database,
    ".sqlite": _database,
    ".sqlite3": _database,
    ".duckdb": _database,
}
