"""A whole machine under emulation: its own kernel, clock and disks, and a power supply that can be cut.

``python -m chaosday.lab.vm build`` makes its images once (root; about two minutes) under the user's cache directory;
``python -m chaosday.lab.vm run`` starts the machine, prints how to log in and waits. Emulated (``-accel tcg``) on
purpose: the KVM of a nested machine may hang before the kernel prints a word.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chaosday.errors import CapabilityMissing, UsageError
from chaosday.processes.login import cache_folder
from chaosday.running.ends import Ending
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server

BUILD = Path(__file__).with_name("vm_build.sh")
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "busybox": "busybox-static",
    "cpio": "cpio",
}
IMAGES = ("vmlinuz", "initrd", "root.ext4", "postgresql.ext4", "client_key", "host_key.pub")
KERNEL = "console=ttyS0 quiet loglevel=3 mitigations=off tsc=reliable nokaslr audit=0 panic=-1 rootfstype=ext4"


def cache() -> Path:
    """Where the images are kept."""
    return cache_folder() / "vm"


def why_none() -> str:
    """Why no machine can be started here, in words; empty where one can."""
    if shutil.which("qemu-system-x86_64") is None:
        return "qemu-system-x86_64 is not installed: apt-get install qemu-system-x86"
    if not all((cache() / name).exists() for name in IMAGES):
        return "the virtual machine has no images yet: python -m chaosday.lab.vm build"
    return ""


def build() -> None:
    """Make the images anew."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        raise CapabilityMissing(f"building needs root and {', '.join(TOOLS.values())}; missing: {', '.join(missing)}")
    cache().mkdir(parents=True, exist_ok=True)
    subprocess.run(["sh", str(BUILD), str(cache())], check=True)


def command(ports: dict[int, int], *, disk: Path | None = None) -> list[str]:
    """qemu in the foreground. ``ports`` of the machine are those of the loopback; ``disk`` is its second one.

    What it writes to its first disk is gone with it. What it writes to the second is in the image, and synced there
    when the machine asks its disk to flush. It reaches nothing but what asks for ``ports``.
    """
    if why := why_none():
        raise CapabilityMissing(why)
    folder = cache()
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{ours}-:{theirs}" for theirs, ours in ports.items())
    words = [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-M", "q35", "-m", "384", "-smp", "1"),
        *("-display", "none", "-nodefaults", "-serial", "stdio"),
        *("-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initrd"), "-append", KERNEL),
        *("-drive", f"file={folder}/root.ext4,if=none,id=d0,format=raw,snapshot=on"),
        *("-device", "virtio-blk-pci,drive=d0"),
        *("-netdev", f"user,id=n0,restrict=on{forwards}"),
        *("-device", "virtio-net-pci,netdev=n0,romfile=", "-device", "virtio-rng-pci"),
    ]
    if disk is not None:
        words += ["-drive", f"file={disk},if=none,id=d1,format=raw,cache=writeback,file.locking=off"]
        words += ["-device", "virtio-blk-pci,drive=d1"]
    return words


def known_hosts(port: int) -> Path:
    """A file that knows the machine's key at this port."""
    folder = cache()
    key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    path = folder / "known_hosts"
    path.write_text(f"[127.0.0.1]:{port} {key}\n")
    return path


def main() -> None:
    """``build`` or ``run``."""
    if sys.argv[1:] == ["build"]:
        began = time.monotonic()
        build()
        print(f"built in {time.monotonic() - began:.0f} s under {cache()}")
    elif sys.argv[1:] == ["run"]:
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            machine = Server("machine", command({22: port}), Path(folder))
            machine.start(lambda: None)
            key = cache() / "client_key"
            print(f"ssh -i {key} -o UserKnownHostsFile={known_hosts(port)} -p {port} root@127.0.0.1", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
            machine.stop()
    else:
        raise UsageError("say what to do: python -m chaosday.lab.vm build|run")


if __name__ == "__main__":
    with Ending("chaosday.lab.vm") as end:
        main()
    sys.exit(end.code)
