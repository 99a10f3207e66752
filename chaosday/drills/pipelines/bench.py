"""Where a pipeline is drilled: copies of its stores, a copy of its folder, a proxy, and one run of its command."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

from chaosday.drills.pipelines.drill import Day, PipelineDrill
from chaosday.drills.pipelines.points import Left
from chaosday.errors import UsageError
from chaosday.mechanisms.proxy.addresses import joined
from chaosday.mechanisms.wire.conversation import Gate
from chaosday.mechanisms.wire.proxy import WireProxy
from chaosday.processes.tree import Tree, marked
from chaosday.servers.copies import Commits, Copies, Source
from chaosday.servers.janitor import Janitor, end_server

_TICK_S = 0.005
_QUIET_S = 120.0
_SEQUENCES_BY = 1009
_POSTGRESQL_PORT = ":5432"
_LIBPQ = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGSERVICE")
"""What would lead to somebody's own server."""
_HARMLESS = ("/run/nscd", "/var/run/nscd", "/run/systemd", "/run/dbus", "/var/run/dbus", "/dev/log", "/tmp/.X11")


@dataclass
class Ran:
    """One run of the command: how it ended (None where we killed it), and the ways that it took beside the proxy."""

    code: int | None
    seconds: float
    output: str
    timed_out: bool = False
    uncovered: Counter[str] = field(default_factory=Counter)
    kept_off: Counter[str] = field(default_factory=Counter)
    daemons: int = 0
    in_flight: list[str] = field(default_factory=list)
    """What the server was still doing long after the client had died."""

    @property
    def well(self) -> bool:
        return self.code == 0

    @property
    def words(self) -> str:
        """How it ended."""
        if self.timed_out:
            return "stuck"
        return "killed" if self.code is None else f"exit {self.code}"

    @property
    def said(self) -> str:
        """What it printed last, on one line."""
        return " / ".join(self.output.splitlines()) or "it printed nothing"


class Bench:
    """Everything of one drill on this machine; it lies in ``scratch``, a folder of its own, and goes with ``close``."""

    def __init__(self, value: PipelineDrill, scratch: Path, token: str) -> None:
        self.value = value
        self.scratch = scratch
        self.token = token
        self.copies: Copies
        self.proxy: WireProxy
        self.runs = 0
        self._stack = contextlib.ExitStack()
        self._left: list[str] = []
        # Here already: a signal may come before anything is started in it.
        self._stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        self._kept_off = _originals(value)

    def start(self) -> None:
        """Start server and proxy, and fill the stores; errors say which store cannot be copied, and why."""
        self.scratch.mkdir()
        # Whatever the umask says: the server's account has to pass.
        self.scratch.chmod(0o711)
        servers = self.scratch / "server"
        self._stack.callback(Janitor.start(self.scratch, servers / "copies").close)
        self._stack.callback(shutil.rmtree, self.scratch, ignore_errors=True)
        servers.mkdir()
        # By a signal that comes while it starts, too.
        self._stack.callback(end_server, servers / "copies")
        self.copies = Copies.start(servers)
        self._stack.callback(lambda: self._left.extend(self.copies.close()))
        self.proxy = WireProxy(("127.0.0.1", self.copies.node.port)).start()
        self._stack.callback(self.proxy.close)
        for name, store in self.value.stores.items():
            file = Path(store.source) if store.source and store.original is None else None
            try:
                source = Source(self.value.database_of(name), self.value.user_of(name), file, store.original)
                self.copies.build(source)
            except UsageError as error:
                raise UsageError(f"stores.{name}: {error}") from None
        self._lay_out()

    def arrive(self, day: Day) -> None:
        """What has come by the beginning of a day."""
        for name, file in day.arrives.items():
            self.copies.run_script(self.value.database_of(name), file)

    def keep(self, name: str) -> None:
        """Keep stores and state as they are now."""
        self.copies.keep(name)
        kept = self.scratch / "kept" / name
        shutil.rmtree(kept, ignore_errors=True)
        _carry(self.work, kept, self.value.state)

    def restore(self, name: str) -> None:
        """Stores and state as they were kept."""
        self.copies.restore(name)
        _carry(self.scratch / "kept" / name, self.work, self.value.state)

    def let_sequences_go_on(self) -> None:
        """Move the sequences of all stores on, as lost transactions move them."""
        for name in self.value.stores:
            self.copies.let_sequences_go_on(self.value.database_of(name), _SEQUENCES_BY)

    def watch(self) -> Callable[[], Left]:
        """A way to ask what a crash would leave, counted from now on."""
        commits = Commits(self.copies)
        return lambda: Left(*commits.look(), files=digest(self.work, self.value.state))

    def run(
        self,
        gate: Gate,
        day: Day,
        *,
        reached: Callable[[], bool] = lambda: False,
        over: Callable[[], bool] = lambda: False,
        settled: Callable[[], None] = lambda: None,
    ) -> Ran:
        """Run the command once, until it ends, or ``reached`` or ``over`` says that it is to be killed.

        ``settled`` is called once nothing of a killed run is left, the server included, before anything is let go.
        """
        self.runs += 1
        self._lay_out()
        self.proxy.reset(gate)
        log = self.scratch / f"log-{self.runs}"
        mark = f"{self.token}-{self.runs}"
        tree = Tree(self._filled(self.value.command), self.work, self._variables(day), log, mark)
        began = time.monotonic()
        ran = Ran(None, 0, "")
        try:
            tree.start(self._refused)
            while (code := tree.code) is None and not reached() and not over():
                if time.monotonic() - began > self.value.timeout_s:
                    ran.timed_out = True
                    break
                time.sleep(_TICK_S)
            # A run that is at its point and has ended by itself in the same moment was not killed there.
            ran.code = code if code is not None else tree.code
            ran.seconds = time.monotonic() - began
            ran.daemons = len(tree.end()) if ran.code is not None else 0
        finally:
            tree.kill()
        self._settle(ran, settled, in_vain=ran.timed_out or over())
        ran.output = tree.output()
        ran.uncovered = Counter({a: n for a, n in tree.gate.opened.items() if self._is_uncovered(a)})
        ran.kept_off = tree.gate.kept_off
        return ran

    def living(self) -> set[int]:
        """Processes of any run of the command that are still there."""
        return marked(*(f"{self.token}-{number}" for number in range(1, self.runs + 1)))

    def close(self) -> list[str]:
        """Take everything away; what is left of it, in words."""
        self._left = [f"process {pid}" for pid in sorted(self.living())]
        self._stack.close()
        return [*self._left, *([str(self.scratch)] if self.scratch.exists() else [])]

    @property
    def work(self) -> Path:
        """The folder in which the command runs."""
        return self.scratch / "work"

    def _settle(self, ran: Ran, settled: Callable[[], None], *, in_vain: bool) -> None:
        """What the server was asked before the client died it does to its end; only then is the state what it is.

        ``in_vain`` it is not waited for: nobody judges that state.
        """
        patience_s = 0 if in_vain else _QUIET_S
        until = time.monotonic() + patience_s
        while not self.proxy.quiet() and time.monotonic() < until:
            time.sleep(_TICK_S)
        settled()
        self.proxy.reset()
        ran.in_flight = self.copies.wait_until_alone(patience_s)

    def _lay_out(self) -> None:
        """The folder as a new run finds it: the user's, fresh, and the state of the run before."""
        fresh = self.scratch / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        if self.value.folder is not None:
            shutil.copytree(self.value.folder, fresh, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        else:
            fresh.mkdir()
        if self.work.exists():
            _carry(self.work, fresh, self.value.state)
            shutil.rmtree(self.work, ignore_errors=True)
        fresh.rename(self.work)

    def _variables(self, day: Day) -> dict[str, str]:
        given = {name: self._fill(text) for name, text in {**self.value.variables, **day.variables}.items()}
        ours = {name: text for name, text in os.environ.items() if name not in _LIBPQ}
        return {**ours, **self._usual(), **given}

    def _usual(self) -> dict[str, str]:
        """libpq's own variables, where it is clear which database they would be for."""
        if len(self.value.stores) != 1:
            return {}
        (name,) = self.value.stores
        words = self._words(name)
        return {f"PG{key.upper()}": words[key] for key in ("host", "port", "user", "password", "database")}

    def _words(self, name: str) -> dict[str, str]:
        user, database = self.value.user_of(name), self.value.database_of(name)
        port, password = str(self.proxy.port), self.copies.node.password
        words = {"host": "127.0.0.1", "port": port, "user": user, "password": password, "database": database}
        quoted = [quote(word, safe="") for word in (user, password, database)]
        return words | {"url": "postgresql://{}:{}@127.0.0.1:{port}/{}".format(*quoted, port=port)}

    def _fill(self, text: str) -> str:
        for name in self.value.stores:
            for word, value in self._words(name).items():
                text = text.replace(f"{{{name}.{word}}}", value)
        return text

    def _filled(self, words: list[str]) -> list[str]:
        return [self._fill(word) for word in words]

    def _refused(self, address: str) -> bool:
        """Whether a connection would reach a database that is no copy of ours, or ours past the proxy."""
        if address == f"127.0.0.1:{self.proxy.port}":
            return False
        past = address.endswith(f":{self.copies.node.port}")
        return past or address in self._kept_off or address.endswith(_POSTGRESQL_PORT) or "/.s.PGSQL." in address

    def _is_uncovered(self, address: str) -> bool:
        ours = address == f"127.0.0.1:{self.proxy.port}" or address.startswith(_HARMLESS)
        return not ours and not any(fnmatchcase(address, pattern) for pattern in self.value.reads_from)


def digest(folder: Path, names: list[str]) -> str:
    """What is in these files and folders; empty where none is named."""
    if not names:
        return ""
    said = hashlib.sha256()
    for path in sorted(_files(folder, names)):
        said.update(str(path.relative_to(folder)).encode() + b"\0")
        with contextlib.suppress(OSError):
            said.update(hashlib.sha256(path.read_bytes()).digest())
    return said.hexdigest()


def stamps(folder: Path | None) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file: by these it is seen that somebody's folder was left alone."""
    if folder is None or not folder.is_dir():
        return {}
    found = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            found[str(path)] = (status.st_size, status.st_mtime_ns)
    return {name: stamp for name, stamp in found.items() if not Path(name).is_dir()}


def written(work: Path, original: Path | None) -> list[str]:
    """What a run left in its folder that was not there, or is changed: as paths that ``state`` takes."""
    found = set()
    for path in sorted(each for each in work.rglob("*") if each.is_file()):
        name = path.relative_to(work)
        before = original / name if original else None
        if "__pycache__" in name.parts or (before and before.is_file() and _same(before, path)):
            continue
        # A folder that is all new is named as one.
        whole = next((p for p in reversed(name.parents[:-1]) if original is None or not (original / p).exists()), None)
        found.add(f"{whole}/" if whole else str(name))
    return sorted(found)


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


def _files(folder: Path, names: list[str]) -> set[Path]:
    found: set[Path] = set()
    for name in names:
        path = folder / name
        found |= {path} if path.is_file() else {each for each in path.rglob("*") if each.is_file()}
    return found


def _carry(source: Path, destination: Path, names: list[str]) -> None:
    """Make the named files and folders of one folder those of another: what is not there goes."""
    destination.mkdir(parents=True, exist_ok=True)
    for name in names:
        old, new = source / name, destination / name
        if new.is_dir() and not new.is_symlink():
            shutil.rmtree(new)
        else:
            new.unlink(missing_ok=True)
        new.parent.mkdir(parents=True, exist_ok=True)
        if old.is_dir() and not old.is_symlink():
            shutil.copytree(old, new, symlinks=True)
        elif old.is_symlink() or old.exists():
            shutil.copy2(old, new, follow_symlinks=False)


def _originals(value: PipelineDrill) -> set[str]:
    """The addresses of the originals, by every number that their names stand for."""
    found = set()
    for original in value.originals().values():
        found.add(joined(original.host, original.port))
        with contextlib.suppress(OSError):
            for *_, where in socket.getaddrinfo(original.host, original.port, type=socket.SOCK_STREAM):
                found.add(joined(str(where[0]), original.port))
    return found
