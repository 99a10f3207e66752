"""A whole machine under emulation, for what a namespace cannot have: netem, its own clock, a reboot.

``python -m tests.lab.vm build`` makes the image once (root; about a minute) under the user's cache
directory; ``python -m tests.lab.vm run`` starts the machine, prints how to log in and waits. Emulated
(``-accel tcg``) on purpose: the KVM of a nested machine may hang before the kernel prints a word.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import pytest

from chaosday.targets.ssh_host import SshHost
from tests.lab import machine

BUILD = Path(__file__).with_name("vm_build.sh")
KERNEL = "console=ttyS0 quiet loglevel=3 mitigations=off tsc=reliable nokaslr audit=0 panic=-1 rootfstype=ext4"


def cache() -> Path:
    """Where the image is kept, outside the repository."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chaosday" / "vm"


def built() -> bool:
    """Whether there is an image to start."""
    return all((cache() / name).exists() for name in ("vmlinuz", "initrd", "root.ext4", "client_key", "host_key.pub"))


def need_vm() -> None:
    """Skip with the reason where there is no emulator or no image; fail where the lab is required to have one."""
    why = "" if shutil.which("qemu-system-x86_64") else "qemu-system-x86_64 is not installed (qemu-system-x86)"
    why = why or ("" if built() else "no image: python -m tests.lab.vm build")
    if why and os.environ.get(machine.REQUIRED) == "1":
        pytest.fail(f"the virtual machine is required but cannot run: {why}")
    if why:
        pytest.skip(why)


def build() -> None:
    """Make the image anew."""
    cache().mkdir(parents=True, exist_ok=True)
    subprocess.run(["sh", str(BUILD), str(cache())], check=True)


class Vm:
    """The machine, from start to SIGKILL; what it writes is gone with it."""

    def __enter__(self) -> Vm:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        folder = cache()
        self.process = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-M", "q35", "-m", "384", "-smp", "1"),
                *("-nographic", "-nodefaults", "-serial", f"file:{folder}/console"),
                *("-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initrd"), "-append", KERNEL),
                *("-drive", f"file={folder}/root.ext4,if=none,id=d0,format=raw,snapshot=on"),
                *("-device", "virtio-blk-pci,drive=d0"),
                *("-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{self.port}-:22,restrict=on"),
                *("-device", "virtio-net-pci,netdev=n0,romfile=", "-device", "virtio-rng-pci"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        (folder / "known_hosts").write_text(
            f"[127.0.0.1]:{self.port} {' '.join((folder / 'host_key.pub').read_text().split()[:2])}\n"
        )
        self._wait(120)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()

    def target(self, **fields: object) -> SshHost:
        """How chaosday reaches it."""
        folder = cache()
        login = {"known_hosts": str(folder / "known_hosts"), "key_file": str(folder / "client_key"), "agent": False}
        where = {"host": "127.0.0.1", "port": self.port, "connect_timeout_s": 60, "attempts": 5}
        return SshHost.model_validate({**where, **login, **fields})

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                assert self.process.stderr is not None
                raise RuntimeError(f"qemu ended: {self.process.stderr.read()[-500:]}")
            try:
                if machine.ssh_banner("127.0.0.1", self.port):
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the virtual machine did not answer within {seconds} s; see {cache() / 'console'}")


def main() -> None:
    """``build`` or ``run``."""
    if sys.argv[1:] == ["build"]:
        began = time.monotonic()
        build()
        print(f"built in {time.monotonic() - began:.0f} s under {cache()}")
    elif sys.argv[1:] == ["run"]:
        with Vm() as vm:
            key = cache() / "client_key"
            print(
                f"ssh -i {key} -o UserKnownHostsFile={cache() / 'known_hosts'} -p {vm.port} root@127.0.0.1", flush=True
            )
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    else:
        sys.exit("usage: python -m tests.lab.vm build|run")


if __name__ == "__main__":
    main()
