"""The README's two commands on a clean machine: a Debian of nothing but Python and git, with an empty home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,git,ca-certificates"
NEEDED = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")
"""What a machine gets from its network: names, the package index of the house, the certificates it trusts."""


def clean_machine(folder: Path) -> dict[str, float | str]:
    """Wall time of each, installing included. ``where`` says whether it was a machine of its own or only a clone."""
    if os.geteuid() == 0 and shutil.which("mmdebstrap"):
        with _chroot(folder / "machine") as command:
            return {"where": f"a chroot of Debian {SUITE}, minbase with {PACKAGES}", **_timed(command, folder)}
    return {"where": "a clone with an empty home", **_timed([], folder)}


@contextmanager
def _chroot(root: Path) -> Iterator[list[str]]:
    made = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)]
    subprocess.run(made, check=True, capture_output=True)
    for name in NEEDED:
        if Path("/", name).is_file():
            (root / name).unlink(missing_ok=True)
            shutil.copyfile(Path("/", name), root / name)
    # Mounts of a namespace of its own: gone with the last process in it, however that ends.
    mounts = f'mount --rbind /dev {root}/dev && mount -t proc proc {root}/proc && exec chroot {root} "$@"'
    yield ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", mounts, "chroot"]
    shutil.rmtree(root, ignore_errors=True)


def _timed(prefix: list[str], folder: Path) -> dict[str, float | str]:
    base = Path("/") if prefix else folder
    outside = folder / "machine" if prefix else folder
    subprocess.run(["git", "clone", "-q", str(ROOT), str(outside / "clone")], check=True)
    (outside / "home" / "new").mkdir(parents=True)
    path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" if prefix else os.environ["PATH"]
    python = [] if prefix else [f"PYTHON={getattr(sys, '_base_executable', 'python3')}"]
    clean = ["env", "-i", f"HOME={base / 'home' / 'new'}", f"PATH={path}", *python]
    found: dict[str, float | str] = {}
    for name, key in (("demo", "demo_s"), ("test", "tests_s")):
        inner = [*clean, "sh", "-c", f"cd {base / 'clone'} && exec ./run {name}"]
        began = time.monotonic()
        done = subprocess.run([*prefix, *inner], capture_output=True, text=True, check=False)
        found[key] = round(time.monotonic() - began, 1)
        if done.returncode:
            found[f"{name}_failed"] = (done.stdout + done.stderr)[-2000:]
    return found
