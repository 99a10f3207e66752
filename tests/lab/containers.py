"""A container of podman on this machine, made from busybox alone: no registry, no network."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.lab.machine import absent
from tests.lab.registry import registered

IMAGE = "localhost/chaosday-lab:1"
# The limits that podman asks for by default are above what a container in a container may have.
LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
ENGINE = ("podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs")
TICKING = "while :; do /bin/busybox date +%s%N > /tick; /bin/busybox sleep 0.05; done"


def podman(*arguments: str, stdin: bytes = b"", cwd: str | None = None) -> str:
    """Run podman; what it printed, or ``RuntimeError`` with what it complained about."""
    done = subprocess.run([*ENGINE, *arguments], input=stdin, capture_output=True, check=False, cwd=cwd)
    if done.returncode:
        raise RuntimeError(f"podman {arguments[0]}: {done.stderr.decode().strip()}")
    return done.stdout.decode().strip()


def need_podman() -> None:
    """Skip with the reason where containers cannot run; fail where the lab is required."""
    if os.geteuid() != 0:
        absent("containers need root here: their control groups are the machine's")
    missing = [tool for tool in ("podman", "runc", "/bin/busybox") if shutil.which(tool) is None]
    if missing:
        absent(f"not installed: {', '.join(missing)}; see tests/lab/apt-packages-containers.txt")
    if subprocess.run([*ENGINE, "image", "exists", IMAGE], check=False).returncode:
        podman("import", "-", IMAGE, stdin=_busybox())


def _busybox() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        shell = tarfile.TarInfo("bin/sh")
        shell.type, shell.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(shell)
    return archive.getvalue()


@contextlib.contextmanager
def container(program: str = TICKING, *options: str, label: str = "") -> Iterator[str]:
    """The name of a container that runs ``program``; removed at the end."""
    need_podman()
    name = f"chaosday-{uuid.uuid4().hex[:8]}"
    labels = ("--label", label) if label else ()
    # Where it is started its monitor leaves a file called oom, once the container has no memory left.
    undo = registered(f"container {name}", *ENGINE, "rm", "-f", "-t", "0", name)
    with tempfile.TemporaryDirectory(prefix="chaosday-container-") as folder, undo:
        podman(
            *("run", "-d", "--name", name, "--network", "none", "--log-driver", "k8s-file", *LIMITS, *labels, *options),
            *(IMAGE, "/bin/busybox", "sh", "-c", program),
            cwd=folder,
        )
        try:
            yield name
        finally:
            subprocess.run([*ENGINE, "unpause", name], capture_output=True, check=False)
            podman("rm", "-f", "-t", "0", name)


def files_of(name: str) -> Path:
    """The container's file system, seen from outside."""
    return Path(podman("inspect", "-f", "{{.GraphDriver.Data.MergedDir}}", name))


def state_of(name: str) -> str:
    """What podman says about it: running, paused, exited."""
    return podman("inspect", "-f", "{{.State.Status}}", name)
