"""The virtual machine of the lab, for what a namespace cannot have: netem, its own clock, a reboot."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType

import pytest

from chaosday.errors import TargetUnreachable
from chaosday.lab import vm
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server
from chaosday.targets.ssh_host import SshHost
from tests.lab import machine


def need_vm() -> None:
    """Skip with the reason where there is no emulator or no image; fail where the lab is required to have one."""
    why = vm.why_none()
    if why and os.environ.get(machine.REQUIRED) == "1":
        pytest.fail(f"the virtual machine is required but cannot run: {why}")
    if why:
        pytest.skip(why)


class Vm:
    """The machine, from start to SIGKILL; what it writes is gone with it."""

    def __enter__(self) -> Vm:
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="chaosday-vm-")
        self.server = Server("machine", vm.command({22: self.port}), Path(self.folder.name))
        self.known_hosts = vm.known_hosts(self.port)
        try:
            self.server.start(self._answers, 120)
        except TargetUnreachable:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stop()
        self.folder.cleanup()

    def target(self, **fields: object) -> SshHost:
        """How chaosday reaches it."""
        key = str(vm.cache() / "client_key")
        login = {"known_hosts": str(self.known_hosts), "key_file": key, "agent": False}
        where = {"host": "127.0.0.1", "port": self.port, "connect_timeout_s": 60, "attempts": 5}
        return SshHost.model_validate({**where, **login, **fields})

    def _answers(self) -> None:
        try:
            there = machine.ssh_banner("127.0.0.1", self.port)
        except OSError as error:
            raise TargetUnreachable(f"no SSH at port {self.port}: {error}") from None
        if not there:
            raise TargetUnreachable(f"no SSH at port {self.port} yet")
