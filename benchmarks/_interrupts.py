"""Test runs that are interrupted at random moments: what is left of them, by an account that knows nothing of theirs.

Each run is in namespaces of its own (processes, network, mounts, shared memory), so that all that is there when it is
over is its own, marked or not. What namespaces do not divide, it is asked for by the names that the run registered.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from chaosday.mechanisms.disks import cover
from tests.lab import hosts, registry
from tests.lab.containers import ENGINE

ROOT = Path(__file__).resolve().parent.parent
FILES = (
    "tests/commands/test_cover.py",
    "tests/data/reconcile/test_stores_manifest.py",
    "tests/faults/cloud/test_s3_ledger.py",
    "tests/faults/test_container_faults.py",
    "tests/faults/test_process_faults.py",
    "tests/faults/test_volatile_cache.py",
    "tests/flows/test_halt.py",
    "tests/lab/test_lab.py",
    "tests/mechanisms/proxy/test_proxy.py",
    "tests/stores/test_stores.py",
    "tests/undo/test_watchdog.py",
    "tests/workloads/test_sql_workloads.py",
)
"""One or more of each thing that tests start; each interrupted run is of some of them."""
AT_ONCE = 3
LATEST_S, PATIENCE_S = 45.0, 120.0
WAYS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
INSIDE = "mount -t tmpfs tmpfs /dev/shm && mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip link set lo up"


def interrupts(count: int, seed: int = 18) -> dict[str, Any]:
    """``interrupts``, ``interrupt_residue`` (things left, of all runs) and, where there are any, ``interrupt_left``."""
    chance = random.Random(seed)
    left: list[str] = []
    # Itself a run that may be interrupted: what it has started is undone then, too.
    of_all = registry.begin()
    try:
        for _ in range(count):
            way, after_s = chance.choice(WAYS), chance.uniform(0.5, LATEST_S)
            left += interrupted(way, after_s, chance.sample(FILES, AT_ONCE))
    finally:
        of_all.close()
    return {"interrupts": count, "interrupt_residue": len(left)} | ({"interrupt_left": left} if left else {})


def interrupted(way: signal.Signals, after_s: float, files: list[str]) -> list[str]:
    """Run the tests of ``files``, end them so after ``after_s``; what is left of them. Needs root."""
    with tempfile.TemporaryDirectory(prefix="cdi-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        inner = [sys.executable, "-m", "benchmarks._interrupts", folder, str(int(way)), str(after_s), *files]
        apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--net", "--ipc"]
        command = [*apart, "sh", "-c", f'{INSIDE} && exec "$@"', "sh", *inner]
        environment = {name: value for name, value in os.environ.items() if name != registry.VARIABLE}
        done = subprocess.run(
            command, cwd=ROOT, env=environment | {"TMPDIR": folder}, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(f"the run that was to be interrupted could not be started: {done.stderr[-500:]}")
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return [f"{way.name} after {after_s:.1f} s of {', '.join(files)}: {each}" for each in found]


def _inside(folder: Path, way: int, after_s: float, files: list[str]) -> list[str]:
    """The same as the first process of the namespaces, to which every orphan comes."""
    before = _things(folder, set())
    # What a shell starts in the background ignores Ctrl-C, and so would all that is started from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tests = [sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", *files]
    # A group of its own: the terminal's Ctrl-C goes to all of a group.
    process = subprocess.Popen(
        tests, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    names: set[str] = set()
    over = time.monotonic() + after_s
    while time.monotonic() < over and process.poll() is None:
        names |= _registered(folder)
        time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if way == signal.SIGINT else os.kill)(process.pid, way)
    names |= _registered(folder)
    patience = time.monotonic() + PATIENCE_S
    left = ["not looked yet"]
    while left and time.monotonic() < patience:
        process.poll()
        _reap(process.pid)
        time.sleep(0.2)
        left = sorted(_things(folder, names) - before)
    return left


def _registered(folder: Path) -> set[str]:
    """What the run has said by now that it makes, and what it has laid over directories."""
    found = set()
    for entry in folder.glob(f"{registry.PREFIX}*/{registry.THINGS}/*.json"):
        with contextlib.suppress(OSError, json.JSONDecodeError):
            found.add(json.loads(entry.read_text())["what"])
    covers = [line.split()[0] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return found | {f"cover {name}" for name in covers if name.startswith(cover.STANDING)}


def _reap(spared: int) -> None:
    """Wait for orphans that have ended, which only their new parent can do."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ChildProcessError):
            pid, state = int(path.parent.name), path.read_text().rpartition(")")[2].split()
            if state[:2] == ["Z", str(os.getpid())] and pid != spared:
                os.waitpid(pid, os.WNOHANG)


def _things(folder: Path, names: set[str]) -> set[str]:
    """Everything there is that a run could leave."""
    found = {f"file {path.name}" for path in folder.iterdir()}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if int(path.parent.name) != os.getpid():
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.add(f"process {path.parent.name} {line[:120]}")
    found |= {f"mount {line.split()[1]}" for line in Path("/proc/self/mounts").read_text().splitlines()}
    found |= {f"segment {line.split()[1]}" for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}
    # Podman keeps its lock for good, by design: one for each account of the machine, and no run's.
    found |= {f"shared memory {path.name}" for path in Path("/dev/shm").iterdir() if path.name != "libpod_lock"}
    for words in (["ip", "-o", "link"], ["nft", "list", "tables"], ["ip", "netns", "list"]):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        found |= {f"{words[0]} {' '.join(line.split()[:5])}" for line in done.stdout.splitlines() if not _others(line)}
    loops = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=False).stdout
    return found | {line for line in loops.splitlines() if str(folder) in line} | _of_the_machine(names)


def _others(line: str) -> bool:
    """Whether what is listed is of a slot that another run has taken by now, who clears it before its first use."""
    slot = re.search(r"\bcdl([0-9a-f])", line)
    return slot is not None and hosts.taken(int(slot[1], 16))


def _of_the_machine(names: set[str]) -> set[str]:
    """What a namespace does not keep apart: slots of the lab, unless somebody has them again, containers, /run."""
    found = set()
    for name in names:
        last = name.split()[-1]
        if name.startswith("container "):
            there = subprocess.run([*ENGINE, "container", "exists", last], capture_output=True, check=False)
            found |= {name} if there.returncode == 0 else set()
        elif name.startswith("cover "):
            found |= {name} if Path("/run", last).exists() else set()
        elif name.startswith("hosts of "):
            found |= {f"{name}: {each}" for each in hosts.left_in(int(last.removeprefix("cdl"), 16))}
    return found


if __name__ == "__main__":
    place = Path(sys.argv[1])
    print(json.dumps(_inside(place, int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])))
    shutil.rmtree(place, ignore_errors=True)
