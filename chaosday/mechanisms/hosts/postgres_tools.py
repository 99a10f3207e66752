"""PostgreSQL's own integrity tools, run for real, and their words kept as evidence.

An observation holds ``tool``, ``command`` (without secrets), ``exit_code``, ``version``, ``lines``
(what it printed), ``checksums`` (whether the cluster has data checksums), and what was examined:
``relations`` and ``pages`` for pg_amcheck, ``files`` and ``blocks`` for pg_checksums. pg_checksums adds
``slice``: the first pages of one table, so that damage can be planted in real pages later.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing, MalformedInput, TargetUnreachable
from chaosday.model.target import ServerFiles
from chaosday.processes.local_shell import ended
from chaosday.servers.account import owner_of
from chaosday.servers.password_file import password_file
from chaosday.servers.postgres import binaries

PAGE_BYTES = 8192
SLICE_PAGES = 32
LINES_KEPT = 2_000
RELATION = re.compile(r"base/[0-9]+/[0-9]+")
"""The file of a table; one in another tablespace is not kept."""
_TIMEOUT_S = 600


@dataclass(frozen=True)
class PostgresTools:
    """The folder with PostgreSQL's programs, and the account to run them under.

    ``run_as`` goes to ``subprocess`` (``user``, ``group``, ``extra_groups``): the server's own programs
    refuse to run as root.
    """

    bin_directory: Path
    run_as: Mapping[str, Any] = field(default_factory=dict)

    def run(self, program: str, *arguments: str, at: Server | None = None, timeout_s: float = _TIMEOUT_S) -> Ended:
        """Run a program to its end, ``at`` a server where it asks one; ``CapabilityMissing`` where it is not installed.

        A damaged database prints as much as it likes: what is beyond a limit is thrown away.
        """
        path = self.bin_directory / program
        if not path.is_file():
            raise CapabilityMissing(f"no {program} in {self.bin_directory}: install PostgreSQL's server programs")
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "PGCONNECT_TIMEOUT": "5", "TZ": "UTC"}
        environment |= at.environment if at else {}
        try:
            with password_file(at.password if at else "", self.run_as) as (needed, descriptors):
                code, out, err = ended(
                    [str(path), *arguments],
                    timeout_s=timeout_s,
                    env=environment | needed,
                    pass_fds=descriptors,
                    cwd="/",
                    **self.run_as,
                )
        except subprocess.TimeoutExpired:
            raise TargetUnreachable(f"{program} did not end within {timeout_s:g} s") from None
        return Ended([program, *arguments], code, out, err)

    def version(self, program: str) -> str:
        """What the program says it is."""
        return self.run(program, "--version").out.strip()


@dataclass(frozen=True)
class Server:
    """Where a PostgreSQL server answers."""

    port: int
    host: str = "127.0.0.1"
    user: str = "postgres"
    database: str = "postgres"
    password: str = field(default="", repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    """How it is reached beyond that, TLS above all, in libpq's variables; paths and no secrets."""

    @property
    def arguments(self) -> list[str]:
        """As PostgreSQL's programs take them; the password has a file of its own."""
        return ["-h", self.host, "-p", str(self.port), "-U", self.user, "--no-password"]


def installed() -> PostgresTools:
    """The programs of this machine; evidence from elsewhere says where they were there, which is not asked."""
    return PostgresTools(binaries())


def server_of(files: ServerFiles) -> Server:
    """Where a target answers, to libpq's programs as to ourselves."""
    said = files.libpq()
    environment = {f"PG{name.upper()}": value for name, value in said.items() if name != "host"}
    return Server(files.port, said["host"], files.user, files.database, files.secret() or "", environment)


def tools_of(files: ServerFiles) -> tuple[PostgresTools, Server]:
    """The programs for a target whose files are on this machine, run under the account that owns its
    data, and where it answers."""
    found = files.bin_directory or Path(shutil.which("pg_amcheck") or "").parent
    run_as = owner_of(files.data_directory).popen_arguments() if files.data_directory else {}
    return PostgresTools(found, run_as), server_of(files)


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    command: list[str]
    exit_code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed, both streams, the newest progress line only, no more than ``LINES_KEPT``."""
        text = re.sub(r"[^\n]*\r(?=[^\n])", "", f"{self.out}\n{self.err}")
        return [line.rstrip() for line in text.splitlines() if line.strip()][:LINES_KEPT]


def observe_amcheck(
    tools: PostgresTools, server: Server, tables: Sequence[str] = (), *, install: bool = False
) -> dict[str, Any]:
    """Run pg_amcheck with ``--heapallindexed`` on a running server, on ``tables`` or on everything; ``install`` puts
    its extension into the database first, where that is ours."""
    chosen = [f"--table={table}" for table in tables] + (["--install-missing"] if install else [])
    options = ["--heapallindexed", "--progress", *chosen, server.database]
    done = tools.run("pg_amcheck", *server.arguments, *options, at=server)
    progress = re.findall(r"(\d+)/\d+ relations \(\s*\d+%\),\s+(\d+)/\d+ pages", done.out + done.err)
    relations, pages = (int(number) for number in (progress[-1] if progress else (0, 0)))
    setting = _ask(tools, server, "show data_checksums")
    return {
        "tool": "pg_amcheck",
        "command": done.command,
        "exit_code": done.exit_code,
        "version": tools.version("pg_amcheck"),
        "lines": [line for line in done.lines if not re.match(r"\s*\d+/\d+ relations", line)],
        "relations": relations,
        "pages": pages,
        "checksums": None if setting is None else setting == "on",
    }


def observe_checksums(
    tools: PostgresTools, data_directory: Path, *, relation: str = "", version: str = ""
) -> dict[str, Any]:
    """Run pg_checksums on a cleanly stopped data directory or a disposable copy of one.

    ``relation`` is the file path of a table within it (``pg_relation_filepath``), whose first pages are
    kept as the slice. ``version`` spares asking the program for it.
    """
    done = tools.run("pg_checksums", "--check", "--no-sync", "-D", str(data_directory))
    text = "\n".join(done.lines)
    return {
        "tool": "pg_checksums",
        "command": done.command,
        "exit_code": done.exit_code,
        "version": version or tools.version("pg_checksums"),
        "lines": done.lines,
        "files": _number(r"Files scanned:\s+(\d+)", text),
        "blocks": _number(r"Blocks scanned:\s+(\d+)", text),
        "bad": _number(r"Bad checksums:\s+(\d+)", text),
        "checksums": "data checksums are not enabled" not in text,
        "bin_directory": str(tools.bin_directory),
        "slice": _slice(data_directory, relation) if RELATION.fullmatch(relation) else None,
    }


def disposable_copy(tools: PostgresTools, server: Server, into: Path) -> Path:
    """Copy a running cluster as it is on disk, damaged pages included, and let the copy recover and stop.

    ``into`` must not exist yet; the account of ``tools`` must be able to write to its parent. The
    server itself is only read.
    """
    options = ["-D", str(into), "-c", "fast", "-X", "stream", "--no-verify-checksums", "--no-sync"]
    done = tools.run("pg_basebackup", *server.arguments, *options, at=server)
    if done.exit_code:
        raise TargetUnreachable(f"pg_basebackup failed: {(done.lines or ['it printed nothing'])[-1]}")
    stop_cleanly(tools, into, server.database)
    return into


def stop_cleanly(tools: PostgresTools, data_directory: Path, database: str = "postgres") -> None:
    """Recover a copied or crashed data directory in single-user mode, which ends in a clean shutdown."""
    for stale in ("postmaster.pid", "standby.signal", "recovery.signal"):
        (data_directory / stale).unlink(missing_ok=True)
    done = tools.run("postgres", "--single", "-D", str(data_directory), "-F", "-c", "archive_mode=off", database)
    if done.exit_code:
        raise TargetUnreachable(f"the copy did not recover: {(done.lines or ['it printed nothing'])[-1]}")


def checked_slice(observation: Mapping[str, Any], pages: bytes, into: Path) -> dict[str, Any]:
    """Run the same pg_checksums on these pages instead of the ones that were kept.

    ``into`` is an empty folder, which becomes the smallest data directory that pg_checksums accepts:
    a control file and one table.
    """
    kept = observation["slice"]
    # The evidence is somebody's word: it names no place outside, and no program to be run.
    if not RELATION.fullmatch(kept["relation"]):
        raise MalformedInput(f"the kept pages are those of {kept['relation']!r}, which is no table of a data directory")
    table = into / kept["relation"]
    for folder in ("global", "pg_tblspc"):
        (into / folder).mkdir()
    table.parent.mkdir(parents=True)
    table.write_bytes(pages)
    (into / "PG_VERSION").write_text(kept["pg_version"])
    (into / "global" / "pg_control").write_bytes(base64.b64decode(kept["control"]))
    into.chmod(0o700)
    tools = installed()
    return observe_checksums(tools, into, version=observation["version"])


def packed(pages: bytes) -> str:
    """Pages as they are kept in an observation; ``slice_pages`` is the way back."""
    return base64.b64encode(zlib.compress(pages, 1)).decode()


def slice_pages(observation: Mapping[str, Any]) -> bytes | None:
    """The pages that were kept, or None where there are none."""
    kept = observation.get("slice")
    return zlib.decompress(base64.b64decode(kept["pages"])) if kept else None


def largest_table(tools: PostgresTools, server: Server, schema: str) -> str:
    """The file path of the schema's largest table, empty where it has none that holds anything."""
    quoted = schema.replace("'", "''")
    query = (
        "select pg_relation_filepath(oid) from pg_class "  # noqa: S608
        f"where relnamespace = (select oid from pg_namespace where nspname = '{quoted}') "
        "and relkind = 'r' and pg_relation_size(oid) > 0 order by pg_relation_size(oid) desc limit 1"
    )
    return _ask(tools, server, query) or ""


def relation_path(tools: PostgresTools, server: Server, table: str) -> str:
    """The file path of a table within the data directory, as ``observe_checksums`` wants it."""
    quoted = table.replace("'", "''")
    path = _ask(tools, server, f"select pg_relation_filepath('{quoted}')")
    if not path:
        raise TargetUnreachable(f"the server on port {server.port} does not tell where table {table} is")
    return path


def _ask(tools: PostgresTools, server: Server, query: str) -> str | None:
    done = tools.run("psql", *server.arguments, "-Atc", query, server.database, at=server, timeout_s=30)
    return None if done.exit_code else done.out.strip()


def _slice(data_directory: Path, relation: str) -> dict[str, Any]:
    with (data_directory / relation).open("rb") as file:
        pages = file.read(SLICE_PAGES * PAGE_BYTES)
    return {
        "relation": relation,
        "pages": packed(pages),
        "control": base64.b64encode((data_directory / "global" / "pg_control").read_bytes()).decode(),
        "pg_version": (data_directory / "PG_VERSION").read_text(),
    }


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


def discard(copy: Path) -> None:
    """Take a disposable copy away."""
    shutil.rmtree(copy, ignore_errors=True)
