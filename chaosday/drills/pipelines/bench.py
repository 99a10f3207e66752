"""Where a pipeline is drilled: copies of its stores, a copy of its folder, a proxy, and one run of its command."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

from chaosday.drills.pipelines import embedded
from chaosday.drills.pipelines.drill import Day, PipelineDrill
from chaosday.drills.pipelines.file_gate import FileGate
from chaosday.drills.pipelines.folders import carry, digest
from chaosday.drills.pipelines.points import Aim, Left
from chaosday.errors import ChaosdayError, UsageError
from chaosday.mechanisms.wire.conversation import Gate
from chaosday.mechanisms.wire.proxy import WireProxy
from chaosday.processes.file_acts import Files
from chaosday.processes.forking import ForkServer, program_of
from chaosday.processes.tree import Tree, marked
from chaosday.servers.copies import Commits, Copies, Source
from chaosday.servers.janitor import Janitor, end_server

_TICK_S = 0.005
_QUIET_S = 120.0
_LOOK_S = 0.2
_SEQUENCES_BY = 1009
_POSTGRESQL_PORT = 5432
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
    unseen: Counter[str] = field(default_factory=Counter)
    """What changes files without asking."""
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


@dataclass
class Held:
    """A run that stands still at its point, or is dead while its last message is on the way; see ``Bench.held``."""

    bench: Bench
    tree: Tree
    ran: Ran
    over: Callable[[], bool]
    dead: bool = False
    gone_on: bool = False
    in_the_way: bool = False
    """Whether it went on because another run waited for its locks."""
    _looked_s: float = 0

    def let_through(self) -> None:
        """Go on if somebody waits for a lock of it: no server would have them wait for longer than it takes."""
        if self.gone_on or time.monotonic() - self._looked_s < _LOOK_S:
            return
        self._looked_s = time.monotonic()
        if self.bench.copies.wait_for(self.bench.proxy.ports_aside()):
            self.in_the_way = True
            self._release()

    def go_on(self) -> Ran:
        """Let it go on to its end: the message arrives, the process does what it would have done; how it ended."""
        if not self.gone_on:
            self._release()
        if not self.dead and self.ran.code is None:
            self.bench.until(self.tree, self.ran, self.over)
        self.ran.in_flight = self.bench.copies.wait_until_alone(0 if self.over() else _QUIET_S)
        return self.ran

    def _release(self) -> None:
        self.gone_on = True
        self.tree.go_on()
        self.bench.proxy.release()


class Bench:
    """Everything of one drill on this machine; it lies in ``scratch``, a folder of its own, and goes with ``close``."""

    def __init__(self, value: PipelineDrill, scratch: Path, token: str) -> None:
        self.value = value
        self.scratch = scratch
        self.token = token
        self.copies: Copies
        self.proxy: WireProxy
        self.runs = 0
        self.forks: ForkServer | None = None
        """Where runs of the command begin, if not each in a process of its own."""
        self._stack = contextlib.ExitStack()
        self._left: list[str] = []
        self._beside: Held | None = None
        # Here already: a signal may come before anything is started in it.
        self._stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        self._kept_off = {original.port for original in value.originals().values()}

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
        self._stack.callback(self.do_not_fork)
        for name, store in self.value.servers.items():
            file = Path(store.source) if store.source and store.original is None else None
            try:
                source = Source(self.value.database_of(name), self.value.user_of(name), file, store.original)
                self.copies.build(source)
            except UsageError as error:
                raise UsageError(f"stores.{name}: {error}") from None
        self._lay_out()
        for name, path in self.value.embedded.items():
            try:
                embedded.build(self.value.stores[name].type, self.work / path, self.value.stores[name].source)
            except ChaosdayError as error:
                raise type(error)(f"stores.{name}: {error}") from None

    def arrive(self, day: Day) -> None:
        """What has come by the beginning of a day."""
        for name, file in day.arrives.items():
            if path := self.value.embedded.get(name):
                embedded.run_script(self.value.stores[name].type, self.work / path, file)
                continue
            self.copies.run_script(self.value.database_of(name), file)

    def keep(self, name: str) -> None:
        """Keep stores and state as they are now."""
        self.copies.keep(name)
        kept = self.scratch / "kept" / name
        shutil.rmtree(kept, ignore_errors=True)
        carry(self.work, kept, self.value.lives_on)

    def restore(self, name: str) -> None:
        """Stores and state as they were kept."""
        self.copies.restore(name)
        carry(self.scratch / "kept" / name, self.work, self.value.lives_on)

    def let_sequences_go_on(self) -> None:
        """Move the sequences of all stores on, as lost transactions move them."""
        for name in self.value.servers:
            self.copies.let_sequences_go_on(self.value.database_of(name), _SEQUENCES_BY)

    def watch(self) -> Callable[[], Left]:
        """A way to ask what a crash would leave, counted from now on."""
        commits = Commits(self.copies)
        return lambda: Left(*commits.look(), files=digest(self.work, self.value.lives_on))

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
        tree = self._tree(gate, day)
        ran = Ran(None, 0, "")
        try:
            tree.start(self._refused, self._files(gate))
            self.until(tree, ran, lambda: reached() or over())
            ran.daemons = len(tree.end()) if ran.code is not None else 0
        finally:
            tree.kill()
        if self._beside is not None and self._beside.gone_on:
            # Which of the connections are whose nobody knows any more: both have to come to their end.
            self._beside.go_on()
        self._settle(ran, settled, in_vain=ran.timed_out or over())
        return self._told(ran, tree)

    @contextlib.contextmanager
    def held(self, aim: Aim, day: Day, *, dead: bool, over: Callable[[], bool] = lambda: False) -> Iterator[Held]:
        """Run the command until ``aim`` holds it at its point; there it stands still, or is ``dead`` with its last
        message on the way. Other runs may come and go meanwhile; what is left of it in the end is ended."""
        tree = self._tree(aim, day)
        held, aside = Held(self, tree, Ran(None, 0, ""), over), self.scratch / f"aside-{self.runs}"
        try:
            tree.start(self._refused, self._files(aim))
            self.until(tree, held.ran, lambda: aim.reached.is_set() or over())
            tree.kill() if dead or held.ran.code is not None else tree.stop()
            held.dead = dead
            self.proxy.set_aside()
            self._set_aside(aside)
            self._beside = held
            yield held
        finally:
            self._beside = None
            tree.kill()
            self.proxy.drop()
            shutil.rmtree(aside, ignore_errors=True)
            self._told(held.ran, tree)

    def _tree(self, gate: Gate, day: Day) -> Tree:
        self.runs += 1
        self._lay_out()
        self.proxy.reset(gate)
        log, mark = self.scratch / f"log-{self.runs}", f"{self.token}-{self.runs}"
        variables = self._variables(day)
        forks = self.forks if self.forks and self.forks.variables == variables else None
        return Tree(self._filled(self.value.command), self.work, variables, log, mark, forks)

    def _files(self, gate: Gate) -> Files | None:
        """What is watched of the files of a run; None where none live on."""
        names = self.value.lives_on
        return Files(self.work, names, FileGate(self.proxy, gate)) if names else None

    def fork(self, day: Day) -> ForkServer | None:
        """Have runs of that day begin in an interpreter that forks, with nothing imported yet; None where the command
        is no program of Python's."""
        self.do_not_fork()
        self._lay_out()
        variables = self._variables(day)
        program = program_of(self._filled(self.value.command), self.work, variables.get("PATH", os.defpath))
        if program is None:
            return None
        self.forks = ForkServer(program, self.work, variables)
        return self.forks

    def do_not_fork(self) -> None:
        """Every run is a process of its own again; any number of times."""
        if self.forks is not None:
            self.forks.close()
            self.forks = None

    def until(self, tree: Tree, ran: Ran, enough: Callable[[], bool]) -> None:
        """Wait until it ends, or it is enough, or too long."""
        began = time.monotonic()
        while (code := tree.code) is None and not enough() and self.proxy.failed is None:
            if time.monotonic() - began > self.value.timeout_s:
                ran.timed_out = True
                break
            if self._beside is not None:
                self._beside.let_through()
            time.sleep(_TICK_S)
        # A run that is at its point and has ended by itself in the same moment was not killed there.
        ran.code = code if code is not None else tree.code
        ran.seconds += time.monotonic() - began
        self._sound()

    def _sound(self) -> None:
        """A run of which a connection ended because we could not look says nothing about the command."""
        if self.proxy.failed is not None:
            raise self.proxy.failed

    def _told(self, ran: Ran, tree: Tree) -> Ran:
        ran.output = tree.output()
        ran.uncovered = Counter({a: n for a, n in tree.gate.opened.items() if self._is_uncovered(a)})
        ran.kept_off = tree.gate.kept_off
        ran.unseen = tree.gate.unseen
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
        self._sound()
        settled()
        self.proxy.reset()
        ran.in_flight = self.copies.wait_until_alone(patience_s, self.proxy.ports_aside())

    def _set_aside(self, aside: Path) -> None:
        """The folder of a run that stands still is its own; the next one finds a copy of its state."""
        self.work.rename(aside)
        carry(aside, self.work, self.value.lives_on)

    def _lay_out(self) -> None:
        """The folder as a new run finds it: the user's, fresh, and the state of the run before."""
        fresh = self.scratch / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        if self.value.folder is not None:
            shutil.copytree(self.value.folder, fresh, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        else:
            fresh.mkdir()
        if self.work.exists():
            carry(self.work, fresh, self.value.lives_on)
            shutil.rmtree(self.work, ignore_errors=True)
        fresh.rename(self.work)

    def _variables(self, day: Day) -> dict[str, str]:
        given = {name: self._fill(text) for name, text in {**self.value.variables, **day.variables}.items()}
        ours = {name: text for name, text in os.environ.items() if name not in _LIBPQ}
        return {**ours, **self._usual(), **given}

    def _usual(self) -> dict[str, str]:
        """libpq's own variables, where it is clear which database they would be for."""
        if len(self.value.servers) != 1:
            return {}
        (name,) = self.value.servers
        words = self._words(name)
        return {f"PG{key.upper()}": words[key] for key in ("host", "port", "user", "password", "database")}

    def _words(self, name: str) -> dict[str, str]:
        if path := self.value.embedded.get(name):
            place = str(self.work.absolute() / path)
            return {"path": place, "url": f"{self.value.stores[name].type}:///{place}"}
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
        # By the port: a server has more addresses than the one by which it was named.
        ports = {_POSTGRESQL_PORT, self.copies.node.port, *self._kept_off}
        return address.endswith(tuple(f":{port}" for port in ports)) or ".s.PGSQL." in address

    def _is_uncovered(self, address: str) -> bool:
        ours = address == f"127.0.0.1:{self.proxy.port}" or address.startswith(_HARMLESS)
        return not ours and not any(fnmatchcase(address, pattern) for pattern in self.value.reads_from)
