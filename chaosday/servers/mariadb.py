"""MariaDB servers started here, and what their programs have to know without anybody else seeing it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from chaosday.errors import TargetUnreachable
from chaosday.servers.account import Account
from chaosday.servers.server import Server, program

BUFFER_MIB = 32


def node(name: str, folder: Path, data: Path, port: int, password: str, settings: str) -> Server:
    """A data directory with one database and one account, and the server for it; not started."""
    run = folder / f"{name}.run"
    run.mkdir(parents=True)
    install(data, run)
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


def install(data: Path, run: Path, account: Account | None = None) -> None:
    """An empty data directory; ``run`` takes temporary files."""
    command = [
        *as_account(account or Account()), program("mariadb-install-db", "mariadb-server"), "--no-defaults",
        f"--datadir={data}", *_temporary(run), *_user(account or Account()),
        "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-use-native-aio=0",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if "ERROR" in line]
        raise TargetUnreachable(f"mariadb-install-db failed: {'; '.join(said[:2]) or 'it does not say why'}")


def server_command(data: Path, run: Path, port: int, settings: str) -> list[str]:
    """The server in the foreground, under our own account."""
    return [
        program("mariadbd", "mariadb-server"), "--no-defaults", f"--datadir={data}", *_temporary(run),
        *_user(Account()),
        f"--port={port}",
        "--bind-address=127.0.0.1", "--socket=server.sock", f"--pid-file={run}/server.pid",
        f"--innodb-buffer-pool-size={BUFFER_MIB}M", "--innodb-log-file-size=16M",
        # The socket is relative to the data: an absolute path is soon longer than the 107 bytes that one may have.
        # The kernel's asynchronous requests are a resource of the whole machine, and soon used up by many servers.
        "--innodb-use-native-aio=0",
        "--skip-name-resolve", "--innodb-lock-wait-timeout=1",
        *(f"--{each.strip()}" for each in settings.split(";") if each.strip()),
    ]  # fmt: skip


def closed_server(
    name: str, folders: tuple[Path, Path, Path], socket: Path, account: Account, options: Path | None
) -> Server:
    """A server on a copy that nobody but ``account`` and root gets into: one socket, in a folder of its own.

    ``folders``: its data and its temporary files, which are the account's, and ours for its log and its number.

    Whoever can enter that folder is asked for no password: the copy's own accounts are the source's. ``options`` is a
    file that the copy brings along.
    """
    data, run, ours = folders
    command = [
        *as_account(account), program("mariadbd", "mariadb-server"),
        f"--defaults-file={options}" if options else "--no-defaults", f"--datadir={data}", *_temporary(run),
        *_user(account), "--skip-networking", "--skip-grant-tables", "--skip-log-bin", "--skip-slave-start",
        "--event-scheduler=DISABLED", f"--secure-file-priv={run}", f"--socket={socket}", f"--pid-file={run}/server.pid",
        f"--innodb-buffer-pool-size={BUFFER_MIB}M", "--innodb-use-native-aio=0",
    ]  # fmt: skip
    return Server(name, command, ours)


def as_account(account: Account) -> list[str]:
    """What goes before a command that is to run under ``account``."""
    if account.uid is None:
        return []
    who = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    return [program("setpriv", "util-linux"), *who]


@contextmanager
def option_file(said: Mapping[str, str], account: Account) -> Iterator[tuple[str, tuple[int, ...]]]:
    """For one program: the option that names a file of its own, and the descriptors that it is to inherit.

    https://mariadb.com/kb/en/configuring-mariadb-with-option-files/: a password on the command line or in the
    environment is everybody's; the file has no name. Nothing else is read then, ``~/.my.cnf`` neither.
    """
    handle = os.memfd_create("options")
    try:
        os.fchmod(handle, 0o600)
        if account.uid is not None and account.gid is not None:
            os.fchown(handle, account.uid, account.gid)
        lines = ["[client]", *(f"{name}={_quoted(value)}" for name, value in said.items() if value)]
        os.write(handle, "\n".join([*lines, ""]).encode())
        yield f"--defaults-file=/proc/self/fd/{handle}", (handle,)
    finally:
        os.close(handle)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _temporary(run: Path) -> list[str]:
    """A folder of its own: a server that starts removes every ``#sql*`` of its folder for temporary files, and in the
    system's one those are what other servers of the machine are writing (MariaDB, ``mysql_rm_tmp_tables``)."""
    return [f"--tmpdir={run}"]


def _user(account: Account) -> list[str]:
    return ["--user=root"] if account.uid is None and os.geteuid() == 0 else []
