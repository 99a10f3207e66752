"""Starting a fault proxy, and talking to one."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from chaosday.errors import AccessDenied, LeaseError, TargetUnreachable, UsageError
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.processes.forks import close_in_children
from chaosday.processes.local_shell import RUN_MARK
from chaosday.processes.python import python, python_environment
from chaosday.record.key import run_mark

_ERRORS = {"lease": LeaseError, "denied": AccessDenied, "usage": UsageError}


class ProxyGone(TargetUnreachable):
    """The proxy does not run any more; and with it ended whatever it did."""


class ProxyClient:
    """Commands a proxy through its state file, a connection a command; safe from any thread or process."""

    def __init__(self, state_file: Path | str) -> None:
        self.state_file = Path(state_file)

    def call(self, verb: str, timeout_s: float = 5, **arguments: Any) -> Any:
        """One command; ``ProxyGone`` where the proxy has ended, ``TargetUnreachable`` where it does not answer."""
        try:
            state = json.loads(self.state_file.read_text())
        except FileNotFoundError:
            raise ProxyGone(f"no fault proxy runs for {self.state_file}") from None
        except (OSError, ValueError) as error:
            raise TargetUnreachable(f"the proxy's state file {self.state_file} cannot be read: {error}") from None
        asked = json.dumps({"token": state["token"], "verb": verb, **arguments}).encode() + b"\n"
        try:
            with socket.create_connection((state["host"], state["port"]), timeout_s) as connection:
                connection.sendall(asked)
                with connection.makefile("rb") as answers:
                    line = answers.readline()
        except ConnectionRefusedError:
            raise ProxyGone(f"the fault proxy of {self.state_file} has ended") from None
        except OSError as error:
            raise TargetUnreachable(f"the fault proxy of {self.state_file} does not answer: {error}") from None
        if not line:
            raise TargetUnreachable(f"the fault proxy of {self.state_file} closed the connection without an answer")
        answer = json.loads(line)
        if "error" in answer:
            raise _ERRORS.get(answer["error"], UsageError)(answer["words"])
        return answer.get("result")


class ProxyProcess:
    """A fault proxy of our own: it ends when this process does, however that ends."""

    def __init__(self, process: subprocess.Popen[str], state_file: Path, *, tidy: bool = False) -> None:
        self._process = process
        self._tidy = tidy
        self.state_file = state_file
        self.client = ProxyClient(state_file)

    @classmethod
    def start(cls, state_file: Path, *, run: str = "", own_lease_s: float = 0, tidy: bool = False) -> Self:
        """Start it; its control address and token are in ``state_file`` when this returns.

        With ``tidy`` the proxy takes the (then empty) directory of its state file away at its end.
        """
        state_file.parent.mkdir(parents=True, exist_ok=True)
        environment = python_environment()
        if run:
            environment[RUN_MARK] = run_mark(run)
        command = [
            *python(),
            "-m",
            "chaosday.mechanisms.proxy",
            "--state",
            str(state_file),
            "--lease-s",
            str(own_lease_s),
        ]
        process = subprocess.Popen(
            [*command, "--tidy"] if tidy else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=environment,
        )
        # A forked child (a workload's process) would otherwise hold the pipe open after our death.
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        close_in_children(process.stdin.fileno())
        if process.stdout.readline().strip() != "ready":
            process.wait(5)
            said = process.stderr.read().strip().splitlines() or ["no word"]
            raise TargetUnreachable(f"the fault proxy did not start: {said[-1]}")
        process.stdout.close()
        return cls(process, state_file, tidy=tidy)

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def close(self) -> None:
        """End it and wait for it; any number of times."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            close_in_children(self._process.stdin.fileno(), forget=True)
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()
        self.state_file.unlink(missing_ok=True)
        if self._tidy:
            with contextlib.suppress(OSError):
                self.state_file.parent.rmdir()


class ProxyLeases:
    """A ``LeaseHolder`` whose timers are the proxy's; where the proxy has ended, so has every lease.

    ``client`` is asked for when a lease is: to say that there can be leases starts no proxy.
    """

    def __init__(self, client: Callable[[], ProxyClient]) -> None:
        self._client = client

    def arm(self, lease: Lease) -> None:
        """Start the timer in the proxy."""
        self._client().call("arm", lease_id=lease.id, run=lease.run, fault=lease.fault, ttl_s=lease.ttl_s)

    def renew(self, lease_id: str, ttl_s: float) -> None:
        """Move the deadline; ``LeaseError`` if it already fired."""
        self._client().call("renew", lease_id=lease_id, ttl_s=ttl_s)

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        """Take away every toxic that carries the lease's mark."""
        with contextlib.suppress(ProxyGone):
            self._client().call("heal", lease_id=lease_id)

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        """Toxics with the lease's mark, and its timer."""
        with contextlib.suppress(ProxyGone):
            return [str(line) for line in self._client().call("residue", lease_id=lease_id)]
        return []

    def leases(self) -> list[LeaseState]:
        """Every timer that runs."""
        with contextlib.suppress(ProxyGone):
            return [LeaseState.model_validate(state) for state in self._client().call("leases")]
        return []


def route_reading(client: ProxyClient, name: str) -> Mapping[str, Any]:
    """The route in numbers."""
    reading: Mapping[str, Any] = client.call("route", route=name)
    return reading
