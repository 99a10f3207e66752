"""Our end of the HTTP fault proxy: start it, add routes, and hold leases and rules on one of them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import orjson

from chaosday import errors
from chaosday.errors import ChaosdayError, LeaseError, TargetUnreachable, Unavailable
from chaosday.mechanisms.http_proxy import canary
from chaosday.mechanisms.http_proxy.canary import Seen
from chaosday.mechanisms.http_proxy.rule import Match, Rule
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.processes.python import python, python_environment

CONTROL_TIMEOUT_S = 10.0


class ProxyGone(TargetUnreachable):
    """The proxy does not run any more; and with it ended whatever it did."""


@runtime_checkable
class HttpRules(Protocol):
    """A route for HTTP on which rules can be put under a lease, and whose effect can be seen from a client's place."""

    def add(self, lease_id: str, rule: Rule) -> None:
        """Put a rule into force under an armed lease; ``LeaseError`` where it is not armed."""

    def counts(self, lease_id: str) -> dict[str, int]:
        """``requests`` seen on the route, ``seen`` and ``hit`` by the lease's rules; ``others``: those since its first
        rule that were no canaries, and how many of these were ``hurt``."""

    def canary(self, match: Match, *, timeout_s: float, upload: bool = False) -> Seen:
        """One harmless request that ``match`` fits, as its sender sees it; ``upload``: with a body."""

    def ask(self, method: str, target: str, headers: dict[str, str], *, timeout_s: float) -> Seen:
        """One real request through the route, as its sender sees it."""


class RouteControl:
    """The lease holder and the rules of one route, through the proxy's control socket."""

    def __init__(self, control: Path, route: str) -> None:
        self._control = control
        self._route = route

    def arm(self, lease: Lease) -> None:
        self._say("arm", lease=lease.model_dump(mode="json"))

    def renew(self, lease_id: str, ttl_s: float) -> None:
        self._say("renew", id=lease_id, ttl_s=ttl_s)

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        with contextlib.suppress(ProxyGone):
            self._say("heal", id=lease_id)

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        with contextlib.suppress(ProxyGone):
            return [str(line) for line in self._say("residue", id=lease_id)]
        return []

    def leases(self) -> list[LeaseState]:
        with contextlib.suppress(ProxyGone):
            return [LeaseState.model_validate(state) for state in self._say("leases")]
        return []

    def add(self, lease_id: str, rule: Rule) -> None:
        self._say("add", id=lease_id, rule=rule.model_dump(mode="json"))

    def counts(self, lease_id: str) -> dict[str, int]:
        counts: dict[str, int] = self._say("counts", id=lease_id)
        return counts

    def canary(self, match: Match, *, timeout_s: float, upload: bool = False) -> Seen:
        ticket = str(self._say("ticket", lasts_s=timeout_s))
        return canary.send(self.listen(), match, ticket, timeout_s=timeout_s, upload=upload)

    def ask(self, method: str, target: str, headers: dict[str, str], *, timeout_s: float) -> Seen:
        return canary.ask(self.listen(), method, target, headers, timeout_s=timeout_s)

    def listen(self) -> str:
        """``host:port`` that clients connect to."""
        return self._addresses()[0]

    def upstream(self) -> str:
        """The URL that the route leads to."""
        return self._addresses()[1]

    def _addresses(self) -> tuple[str, str]:
        routes = self._say("routes")
        if self._route not in routes:
            raise TargetUnreachable(f"the HTTP proxy at {self._control} has no route {self._route!r}: add it first")
        listen, upstream = routes[self._route]
        return listen, upstream

    def _say(self, verb: str, **said: Any) -> Any:
        return tell(self._control, {"do": verb, "route": self._route, **said})


def tell(control: Path, said: dict[str, Any]) -> Any:
    """One line to the control socket and its answer; the proxy's errors are raised here as what they are."""
    try:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(CONTROL_TIMEOUT_S)
            wire.connect(str(control))
            wire.sendall(orjson.dumps(said) + b"\n")
            with wire.makefile("rb") as lines:
                answer = orjson.loads(lines.readline() or b"{}")
    except (FileNotFoundError, ConnectionRefusedError):
        raise ProxyGone(f"no HTTP proxy runs at {control}: start one with chaosday http-proxy") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise TargetUnreachable(
            f"the HTTP proxy does not answer at {control} ({reason}): start it with chaosday http-proxy"
        ) from None
    if "error" in answer:
        kind = getattr(errors, answer.get("type", ""), LeaseError)
        raise kind(answer["error"]) if issubclass(kind, ChaosdayError) else LeaseError(answer["error"])
    return answer.get("ok")


class HttpProxyProcess:
    """A proxy of our own; a context manager that takes it away again.

    ``lifeline`` ends it when we die, which is right for a lab; a proxy that serves somebody's
    application must outlive the experimenter, and its leases end by its own timer.
    """

    def __init__(self, process: subprocess.Popen[bytes], control: Path) -> None:
        self._process = process
        self.control = control

    @classmethod
    def start(cls, control: Path, *, lifeline: bool = True) -> Self:
        """Start it with its control socket at ``control``; returns once it answers."""
        process = subprocess.Popen(
            [
                *python(),
                "-m",
                "chaosday.mechanisms.http_proxy",
                str(control),
                *(["--lifeline"] if lifeline else []),
            ],
            stdin=subprocess.PIPE if lifeline else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=python_environment(),
        )
        assert process.stdout is not None
        if process.stdout.readline().strip() != b"ready":
            process.kill()
            process.wait()
            raise Unavailable(f"the HTTP proxy did not start with its control socket at {control}")
        return cls(process, control)

    @property
    def pid(self) -> int:
        return self._process.pid

    def add_route(
        self,
        name: str,
        upstream: str,
        *,
        listen: str = "127.0.0.1:0",
        authority_file: str = "",
        certificate_file: str = "",
        key_file: str = "",
    ) -> str:
        """Lead ``listen`` to ``upstream`` (a URL); gives ``host:port`` as it is really listened on.

        With ``certificate_file`` clients speak TLS to it; ``key_file`` is its key, if that is not in the same file.
        """
        said = {
            "do": "add_route",
            "route": name,
            "upstream": upstream,
            "listen": listen,
            "authority_file": authority_file,
            "certificate_file": certificate_file,
            "key_file": key_file,
        }
        return str(tell(self.control, said)["listen"])

    def at_most_connections(self) -> int:
        """How many connections the system's limit of open descriptors lets it serve at once."""
        return int(tell(self.control, {"do": "room"})["at_most"])

    def wait(self) -> None:
        """Return when it has ended."""
        self._process.wait()

    def stop(self) -> None:
        """End it; any number of times."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self.control.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
