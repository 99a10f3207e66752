"""One MariaDB server, if asked for on a disk of its own whose power can be cut."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.disks.disk import disk, sh
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from chaosday.targets.mariadb import MariaDB

BUFFER_MIB = 32


@contextmanager
def stand(folder: Path, *, settings: str = "", own_disk: bool = False) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``process``, and with ``own_disk`` ``disk``. ``settings`` are options of the
    server, separated by semicolons."""
    with ExitStack() as undo:
        facts: dict[str, Any] = {}
        place = folder
        if own_disk:
            made = undo.enter_context(disk(folder / "power", 512))
            place = made.path
            facts["disk"] = {"image": str(made.image), "path": str(made.path)}
        port, password = free_port(), secrets.token_hex(12)
        server = node("mariadb", folder, place / "data", port, password, settings)
        undo.callback(server.stop)
        target = {"kind": "mariadb", "port": port, "password": password}
        server.start(MariaDB.model_validate(target).reach)
        if own_disk:
            sh("sync", "-f", str(place))
        yield {**facts, "server": target, "process": server.process(folder / "leases")}


def node(name: str, folder: Path, data: Path, port: int, password: str, settings: str) -> Server:
    """A data directory with one database and one account, and the server for it; not started."""
    run = folder / f"{name}.run"
    run.mkdir(parents=True)
    install = [
        program("mariadb-install-db", "mariadb-server"), "--no-defaults", f"--datadir={data}", *_temporary(run),
        *_account(),
    ]  # fmt: skip
    done = subprocess.run(
        [*install, "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-use-native-aio=0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if "ERROR" in line]
        raise TargetUnreachable(f"mariadb-install-db failed: {'; '.join(said[:2]) or 'it does not say why'}")
    first = run / "first.sql"
    first.touch(0o600)
    # Read at each start: idempotent.
    first.write_text(
        "create database if not exists test;\n"
        "create user if not exists root@'127.0.0.1';\n"
        f"alter user root@'127.0.0.1' identified by '{password}';\n"
        "grant all on *.* to root@'127.0.0.1' with grant option;\n"
    )
    command = server_command(data, run, port, settings)
    return Server(name, [*command, f"--init-file={first}"], folder)


def server_command(data: Path, run: Path, port: int, settings: str) -> list[str]:
    """The server in the foreground, under our own account."""
    return [
        program("mariadbd", "mariadb-server"), "--no-defaults", f"--datadir={data}", *_temporary(run), *_account(),
        f"--port={port}",
        "--bind-address=127.0.0.1", "--socket=server.sock", f"--pid-file={run}/server.pid",
        f"--innodb-buffer-pool-size={BUFFER_MIB}M", "--innodb-log-file-size=16M",
        # The socket is relative to the data: an absolute path is soon longer than the 107 bytes that one may have.
        # The kernel's asynchronous requests are a resource of the whole machine, and soon used up by many servers.
        "--innodb-use-native-aio=0",
        "--skip-name-resolve", "--innodb-lock-wait-timeout=1",
        *(f"--{each.strip()}" for each in settings.split(";") if each.strip()),
    ]  # fmt: skip


def _temporary(run: Path) -> list[str]:
    """A folder of its own: a server that starts removes every ``#sql*`` of its folder for temporary files, and in the
    system's one those are what other servers of the machine are writing (MariaDB, ``mysql_rm_tmp_tables``)."""
    return [f"--tmpdir={run}"]


def _account() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []
