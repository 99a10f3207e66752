"""A host reached over SSH that needs nothing but a POSIX shell and the tools its faults name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from chaosday.errors import AccessDenied, UsageError
from chaosday.mechanisms.hosts.connection import Address, Hop, Patience
from chaosday.mechanisms.hosts.logging_in import Login
from chaosday.mechanisms.hosts.shell_processes import ShellProcesses
from chaosday.mechanisms.hosts.ssh import SshShell
from chaosday.mechanisms.hosts.ssh_config import way
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Processes, Shell, Target
from chaosday.undo.lease import ROOT_STATE_DIR, ShellLeases


class SshHost(Target):
    """Where the host is, who we are there, and what of it may be hurt.

    The host key is always verified: a key that is unknown, or not the one it had, is a refusal which
    says how to accept it. What is not said here comes from OpenSSH's own configuration (``~/.ssh/config``).
    """

    kind: Literal["ssh_host"] = "ssh_host"
    offers_with: ClassVar[Mapping[type[Any], str]] = {Shell: "host", LeaseHolder: "host", Processes: "process_pattern"}
    host: str = Field(default="", description="Name, address, or a Host of ssh's configuration")
    port: int = Field(default=0, ge=0, le=65_535, description="0: what ssh's configuration says, else 22")
    user: str = Field(default="", description="Empty: what ssh's configuration says, else root")
    jump: str = Field(
        default="", description="[user@]host[:port],... to go through; 'none' against ssh's configuration"
    )
    known_hosts: str = Field(default="", description="Empty: what ssh's configuration says, else ~/.ssh/known_hosts")
    ssh_config: str = Field(default="~/.ssh/config", description="OpenSSH's configuration; empty: none is read")
    agent: bool = Field(default=True, description="Ask the SSH agent for keys")
    key_file: str = ""
    key_text: SecretStr = SecretStr("")
    key_passphrase: SecretStr = SecretStr("")
    password: SecretStr = SecretStr("")
    sudo_password: SecretStr = Field(default=SecretStr(""), description="Empty where sudo asks for none")
    labels: dict[str, str] = Field(default={}, description="What selections choose by")
    process_pattern: str = Field(default="", description="Extended regular expression on command lines")
    state_dir: str = Field(default=ROOT_STATE_DIR, description="Where leases are kept; survives a reboot")
    connect_timeout_s: float = Field(default=10, gt=0, le=300)
    keep_alive_s: float = Field(default=15, ge=1, le=3600)
    attempts: int = Field(default=3, ge=1, le=20, description="Tries to connect, each after a longer pause")

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Shell, LeaseHolder, and Processes where there is a pattern to find them by."""
        offered: dict[type[Any], Any] = {Shell: self._shell, LeaseHolder: self._leases}
        if self.process_pattern:
            offered[Processes] = ShellProcesses(self._shell, self.process_pattern)
        return offered

    def fences(self, affected: Sequence[str]) -> list[str]:
        there = self._way[-1].address
        return [f"host {there.host}:{there.port}"]

    def things(self) -> list[str]:
        """Also what the name stands for in ssh's configuration: an alias is no way around a protected name."""
        return [*super().things(), *(hop.address.host for hop in self._way if hop.address.host != self.host)]

    def reach(self) -> str:
        """Log in, become root, and say who answered."""
        said = self._shell.run("echo $(uname -snr), as $(id -un)", sudo=True)
        if said.code:
            raise AccessDenied(f"{self._shell.address}: {said.err.strip() or said.code}; allow this user sudo")
        return f"{said.out.strip()}, through {self._shell.address}"

    def close(self) -> None:
        """Let go of the connection; the next use opens it again."""
        self._shell.close()

    @cached_property
    def _leases(self) -> ShellLeases:
        return ShellLeases(self._shell, self.state_dir, sudo=True)

    @cached_property
    def _way(self) -> tuple[Hop, ...]:
        if not self.host:
            raise UsageError("an ssh_host target needs its host: a name or an address")
        login = Login(
            agent=self.agent,
            key_file=self.key_file,
            key_text=self.key_text.get_secret_value(),
            key_passphrase=self.key_passphrase.get_secret_value(),
            password=self.password.get_secret_value(),
            known_hosts=(self.known_hosts,) if self.known_hosts else (),
            sudo_password=self.sudo_password.get_secret_value(),
        )
        return way(Address(self.host, self.port, self.user), self.jump, login, self.ssh_config)

    @cached_property
    def _shell(self) -> SshShell:
        patience = Patience(connect_s=self.connect_timeout_s, attempts=self.attempts, keep_alive_s=self.keep_alive_s)
        return SshShell(self._way, patience)
