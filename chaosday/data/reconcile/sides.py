"""A side of a comparison: which store, and which rows of it."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import parse_qsl, unquote

from chaosday.data.connections.address import ENCODED, Address
from chaosday.data.reconcile.query import bare_query, is_query
from chaosday.errors import UsageError

Engine = Literal["postgresql", "mysql", "sqlite", "duckdb", "file", "s3", "delta", "iceberg"]
_SCHEMES: dict[str, Engine] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
}
_SUFFIXES = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv"}
SYNTAX = "write URL#TABLE, URL#SELECT ..., a Parquet or CSV path or glob, s3://BUCKET/KEY or delta://FOLDER"
LAKES = ("delta", "iceberg")


@dataclass(frozen=True)
class Side:
    """Where rows are: an engine, an address without the driver's name, and a table, query or path.

    ``table`` may carry a schema (``schema.table``). ``path`` is a file, a glob, or ``bucket/key``;
    ``version`` an S3 version id, the version of a Delta table, or a snapshot, branch or tag of an Iceberg one.
    ``str()`` of a side never shows a password.
    """

    engine: Engine
    url: str = field(default="", repr=False)
    table: str = ""
    query: str = ""
    path: str = ""
    form: str = ""
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> Side:
        """Read ``URL#table``, ``URL::table``, ``URL#select ...``, a path, a glob or ``s3://...``."""
        scheme, separator, rest = text.partition("://")
        if separator and scheme == "s3":
            address, _, options = rest.partition("?")
            version = dict(parse_qsl(options)).get("versionId", "")
            return cls("s3", path=address, form=_form(address), version=version)
        if scheme.partition("+")[0] in LAKES and separator:
            return cls._lake(scheme, rest)
        if not separator:
            return cls("file", path=text, form=_form(text))
        if scheme == "file":
            return cls("file", path=rest, form=_form(rest))
        engine = _SCHEMES.get(scheme.partition("+")[0])
        if engine is None:
            raise UsageError(f"no engine called {scheme!r}; there are {', '.join([*_SCHEMES, *LAKES])}, s3 and files")
        address, what = _split(rest)
        side = cls(engine, url=f"{engine}://{address}")
        if engine in {"postgresql", "mysql"}:
            Address.parse(side.url)
        return side.reading(what) if what else side

    @classmethod
    def _lake(cls, scheme: str, rest: str) -> Side:
        """``delta://FOLDER``, ``delta+s3://BUCKET/PREFIX``, ``iceberg://CATALOGUE#NAMESPACE.TABLE`` and their like."""
        address, hash_sign, table = rest.partition("#")
        address, _, asked = address.partition("?")
        table, _, after = table.partition("?")
        format_, _, how = scheme.partition("+")
        word = "version" if format_ == "delta" else "snapshot"
        options = dict(parse_qsl(asked or after, keep_blank_values=True))
        if set(options) - {word} or (format_ == "delta" and not options.get(word, "0").isdecimal()):
            raise UsageError(f"a {format_} table is read at ?{word}=..., and no other option")
        if format_ == "delta":
            if how not in {"", "s3"} or hash_sign or not address:
                raise UsageError("write delta://FOLDER or delta+s3://BUCKET/PREFIX, and ?version=N where it matters")
            uri = f"s3://{address}" if how else address
            return cls("delta", url=uri, path=uri, version=options.get(word, ""))
        alone = address.endswith(".metadata.json")
        if not address or (not table and not alone):
            raise UsageError(
                "write iceberg://CATALOGUE#NAMESPACE.TABLE, iceberg+sqlite://FILE#..., iceberg+http://...#..."
            )
        path = address if alone else ""
        return cls("iceberg", url=f"{scheme}://{address}", table=table, path=path, version=options.get(word, ""))

    def reading(self, what: str) -> Side:
        """The same store, reading a table or, where it starts with select or with, a query."""
        if is_query(what):
            return replace(self, query=bare_query(what, backslashes=self.engine == "mysql"), table="")
        if "@" in what and '"' not in what and "`" not in what:
            # postgresql://me:pa#ss@host/db#t: what follows the first # is half a password, not to be shown.
            raise UsageError(f"what follows the # of the {self.engine} URL is no table's name: {ENCODED}")
        return replace(self, table=what, query="")

    @property
    def subquery(self) -> str:
        """The query in parentheses of its own lines, so that a comment at its end hides nothing of ours."""
        return f"(\n{self.query}\n)"

    @property
    def address(self) -> Address:
        """The server behind a PostgreSQL or MySQL URL."""
        return Address.parse(self.url)

    @property
    def rows_named(self) -> bool:
        """Whether it says which rows, and not only which store."""
        return bool(self.table or self.query or self.path)

    @property
    def files(self) -> list[str]:
        """The files on this machine that it reads: itself, or what its glob stands for now."""
        if self.engine in {"sqlite", "duckdb"}:
            return [self.file_path]
        if self.engine != "file":
            return []
        return [self.path, *glob.glob(self.path, recursive=True)]  # noqa: PTH207 - absolute globs

    @property
    def file_path(self) -> str:
        """The file behind a SQLite or DuckDB URL (three slashes: relative, four: absolute)."""
        return unquote(self.url.partition("://")[2].partition("?")[0].removeprefix("/"))

    def __str__(self) -> str:
        if self.engine in LAKES:
            shown = self.path or f"{self.table} in {self.url}"
            return f"{shown} at {self.version}" if self.version else shown
        if self.path:
            shown = f"s3://{self.path}" if self.engine == "s3" else self.path
            return f"{shown}?versionId={self.version}" if self.version else shown
        what = self.table or ("a query" if self.query else "no table")
        if self.engine in {"sqlite", "duckdb"}:
            return f"{what} in {PurePosixPath(self.file_path).name}"
        return f"{what} in {self.engine}://{self.address.shown()}"


def _split(rest: str) -> tuple[str, str]:
    address, hash_sign, what = rest.partition("#")
    if hash_sign:
        return address, what
    address, colons, what = rest.rpartition("::")
    # [::1] is an address: what follows its colons holds a bracket or a slash, which no table does.
    if colons and not re.search(r"[\]/]", what):
        return address, what
    return rest, ""


def _form(path: str) -> str:
    name = path.lower().removesuffix(".gz")
    for suffix, form in _SUFFIXES.items():
        if name.endswith(suffix):
            return form
    raise UsageError(f"{path!r} is neither Parquet nor CSV by its name; {SYNTAX}")
