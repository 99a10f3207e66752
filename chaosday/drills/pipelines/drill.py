"""A pipeline drill as a value: which command, what it writes to, and how its scheduler runs it again."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator

from chaosday.model.any_of import any_of
from chaosday.model.base import Model
from chaosday.model.experiment import ENVIRONMENT, Guard, in_words
from chaosday.targets.postgresql import PostgreSQL

POINT = r"^(\d+\.(before|after)(\.(cut|late|zombie))?|end|)$"
Way = Literal["kill", "end", "cut", "late", "zombie"]
FORM = "postgresql://user@host:5432/database, a dump (pg_dump -Fc), a file *.sql, or nothing for an empty database"
_SUFFIXES = {"sqlite": (".db", ".sqlite", ".sqlite3"), "duckdb": (".duckdb", ".db")}
_OTHERS = {"mysql": "MySQL", "mariadb": "MariaDB"}


class CopiedStore(Model):
    """A database that the pipeline works on; the drill makes copies of it, and the pipeline sees nothing else."""

    type: Literal["postgresql", "sqlite", "duckdb"] = "postgresql"
    source: str = Field(default="", validation_alias=AliasChoices("from", "source"))
    """What it is filled from: ``postgresql://user@host:5432/database`` (read once), a dump, SQL, or nothing; of SQLite
    and DuckDB a database's file, SQL, or nothing."""
    file: str = Field(default="", max_length=200)
    """Of SQLite and DuckDB: the file as the pipeline calls it, relative to its folder, as ``data/shop.duckdb``."""
    database: str = Field(default="", max_length=60)
    """What the pipeline calls it; empty is the name of the original, or of the store."""
    user: str = Field(default="", max_length=60)
    """As whom the pipeline comes; empty is the user of the original, or postgres."""

    @field_validator("source")
    @classmethod
    def _no_secret(cls, value: str) -> str:
        if "://" not in value:
            return value
        scheme = value.partition("://")[0]
        if scheme not in ("postgresql", "postgres"):
            other = _OTHERS.get(scheme.partition("+")[0])
            raise ValueError(
                f"{other} cannot be drilled yet: its wire is not understood, so that no point between two statements"
                " would be found; what can: PostgreSQL, SQLite and DuckDB"
                if other
                else f"a {scheme} store cannot be copied yet; write {FORM}"
            )
        try:
            PostgreSQL.model_validate({"url": value})
            named = bool(urlsplit(value).hostname)
        except ValidationError as error:
            # In words of ours: what the standard library says repeats a part of the address, which may be a password.
            raise ValueError(f"{in_words(error)}; write {FORM}") from None
        if not named:
            raise ValueError(f"a store's server has a name; write {FORM}")
        return value

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.type == "postgresql":
            if self.file:
                raise ValueError("a file is of SQLite and DuckDB: write type: sqlite or type: duckdb")
            if self.source.lower().endswith((".duckdb", ".sqlite", ".sqlite3")):
                raise ValueError(f"{self.source} is no dump of PostgreSQL's: write type: sqlite or duckdb, and file")
            return self
        if self.database or self.user or "://" in self.source:
            raise ValueError(f"a {self.type} store is a file: write file, and under from a file of {self.type} or SQL")
        if not self.file.lower().endswith(_SUFFIXES[self.type]):
            raise ValueError(f"file: name the pipeline's own, which ends with {' or '.join(_SUFFIXES[self.type])}")
        return self

    @property
    def original(self) -> PostgreSQL | None:
        """The server that is read, if one is."""
        return PostgreSQL.model_validate({"url": self.source}) if "://" in self.source else None


def journals(name: str) -> list[str]:
    """What a SQLite or DuckDB file of that name has beside it, of which a crash leaves what the next one needs.

    SQLite's shared memory is not of these: it is made anew from what was written ahead.
    """
    if name.lower().endswith((*_SUFFIXES["sqlite"], *_SUFFIXES["duckdb"])):
        return [name + each for each in ("-journal", "-wal", ".wal", ".wal.checkpoint", ".wal.recovery")]
    return []


class Day(Model):
    """One run of the pipeline before, or in, the drill, and what has arrived until then."""

    variables: dict[str, str] = {}
    """Environment variables of this day beside those of all days: the date, the file to be loaded."""
    arrives: dict[str, Path] = {}
    """SQL by store, which is run in the copy before the pipeline: new orders in its source tables."""


class Schedule(Model):
    """What the pipeline's scheduler does after a run that did not end well."""

    reruns: int = Field(default=2, ge=1, le=20)
    """How often it runs it again, at most."""
    on_exit: list[Literal["nonzero", "killed"]] = ["nonzero", "killed"]


class Budget(Model):
    """How long the drill may take."""

    minutes: float = Field(default=10, gt=0, le=1440)


class PipelineDrill(Model):
    """A command is run to its end in copies, killed in copies at each distinct point, run again, and compared."""

    kind: Literal["pipeline"] = "pipeline"
    title: str = Field(default="pipeline drill", min_length=1, max_length=120)
    hypothesis: str = "Killed anywhere and run again, the pipeline leaves what an undisturbed run leaves."
    seed: int = Field(default=1, ge=0)
    environment: str = Field(default="test", pattern=ENVIRONMENT)
    command: list[str] = Field(default=[], max_length=200)
    """Program and arguments; no shell. ``{warehouse.host}``, ``.port``, ``.user``, ``.password``, ``.database`` and
    ``.url`` stand for what the store ``warehouse`` is in the drill; of a SQLite or DuckDB file there are ``.path`` and
    ``.url``."""
    folder: Path | None = None
    """Run in a copy of this folder; empty is a folder with nothing in it."""
    variables: dict[str, str] = {}
    """Environment variables, with the same words in braces. With one store PGHOST ... PGDATABASE are set unasked."""
    stores: dict[str, CopiedStore] = {}
    state: list[str] = []
    """Files and folders, relative to ``folder``, that live on between runs; the rest is fresh in every run."""
    outputs: list[str] = ["*"]
    """Shell patterns of STORE.SCHEMA.TABLE, of SQLite STORE.main.TABLE; what has a / in it is a file or folder of the
    pipeline's, relative to ``folder``: ``lake/orders/``, ``./report.csv``. These live on between runs, too, and are
    compared by what is in them: rows of CSV, Parquet, JSON, SQLite and DuckDB, else bytes."""
    ignore: dict[str, list[str]] = {}
    """Columns that are not compared, by patterns of STORE.SCHEMA.TABLE, or of FOLDER/*.SUFFIX, PATH and PATH#TABLE:
    load times, surrogate keys."""
    reads_from: list[str] = []
    """Shell patterns of addresses (HOST:PORT) that the pipeline connects to and, by your word, only reads from."""
    days: list[Day] = [Day(), Day()]
    """The runs in order; the last one is the one that is killed."""
    schedule: Schedule = Schedule()
    ways: list[Way] = ["kill", "end", "cut", "late", "zombie"]
    """``kill`` is SIGKILL before and after the server has done what it was asked; ``end`` a run that ended well, of
    which the scheduler never heard; ``cut`` the end of one connection, which the process outlives; ``late`` a kill
    whose last message arrives when the run has been repeated; ``zombie`` a run that stands still, is taken for dead and
    run again, and goes on."""
    audit: int = Field(default=8, ge=0, le=100_000)
    """How many points are run that by their state need not be, to see that they agree."""
    budget: Budget = Budget()
    timeout_s: float = Field(default=600, gt=0, le=86_400)
    """How long one run of the command may take; a longer one is stuck."""
    known: Path | None = None
    """A file of causes that are known, as ``chaosday known`` writes it: they are told, and only others fail."""
    preload: bool = True
    """Whether a Python program's imports are done once, and its runs forked from there, where that makes no
    difference; see docs/pipelines for what could not be seen."""
    only: str = Field(default="", pattern=POINT)
    """The one point to run, as a report names it: ``17.after``, ``17.after.cut``; no verdict comes of it."""
    targets: dict[str, any_of("targets")] = {}  # type: ignore[valid-type]
    """What the guards look at."""
    guards: list[Guard] = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.days) < 2:
            raise ValueError("days: at least two; in a first load nothing is there that could be doubled or lost")
        for name in self.stores:
            if not PurePosixPath(name).name == name or "." in name or not name:
                raise ValueError(f"stores: {name!r} is no name for a store; letters, digits and _")
        for number, day in enumerate(self.days):
            if strange := sorted(set(day.arrives) - set(self.stores)):
                raise ValueError(f"days.{number}.arrives: no store is called {strange[0]!r}")
        embedded = list(self.embedded.values())
        if len(set(embedded)) < len(embedded):
            raise ValueError(f"stores: two are the file {embedded[0]}; they need different ones")
        for where, paths in (("state", self.state), ("outputs", self.files), ("stores", embedded)):
            for path in paths:
                parts = PurePosixPath(path).parts
                if PurePosixPath(path).is_absolute() or ".." in parts or not parts:
                    raise ValueError(f"{where}: {path} has to lie in the folder of the pipeline")
        if "*" in "".join(self.files):
            raise ValueError(
                "outputs: files and folders are named as they are, without *; a folder is all that is in it"
            )
        for number, guard in enumerate(self.guards):
            if guard.probe.target not in self.targets:
                raise ValueError(f"guards.{number}: no target is called {guard.probe.target!r}")
        return self

    @property
    def files(self) -> list[str]:
        """The outputs that are files or folders."""
        return [str(PurePosixPath(name)) for name in self.outputs if "/" in name]

    @property
    def lives_on(self) -> list[str]:
        """What of the pipeline's folder is still there in the next run: its state, outputs and stores that are files,
        and what a database keeps beside its file."""
        named = [*self.state, *self.files, *self.embedded.values()]
        return list(dict.fromkeys(each for name in named for each in (name, *journals(name))))

    @property
    def servers(self) -> dict[str, CopiedStore]:
        """The stores that are databases of a server."""
        return {name: store for name, store in self.stores.items() if store.type == "postgresql"}

    @property
    def embedded(self) -> dict[str, str]:
        """The stores that are files of the pipeline's: by name, their paths in its folder."""
        found = {name: store for name, store in self.stores.items() if store.type != "postgresql"}
        return {name: str(PurePosixPath(store.file)) for name, store in found.items()}

    def database_of(self, name: str) -> str:
        """What the pipeline calls the database of a store."""
        store = self.stores[name]
        original = store.original
        return store.database or (original.database if original else name)

    def user_of(self, name: str) -> str:
        """As whom it comes there."""
        store = self.stores[name]
        original = store.original
        return store.user or (original.user if original else "postgres")

    def originals(self) -> dict[str, PostgreSQL]:
        """The servers that are read to make copies."""
        found = {name: store.original for name, store in self.stores.items()}
        return {name: original for name, original in found.items() if original is not None}
