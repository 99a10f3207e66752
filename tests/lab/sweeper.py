"""``python -m tests.lab.sweeper PID``: waits until a test run is over, SIGKILL included, and takes away what is left.

Standard input gives the run's folder and ends with the run. Whatever was still there is said on standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from chaosday.mechanisms.disks import cover
from chaosday.model.target import ProcessIdentity
from chaosday.processes.process_table import identity, is_running
from chaosday.servers import shared_memory
from tests.lab import registry
from tests.leftovers import processes_of

PATIENCE_S = 60


def sweep(folder: Path, spared: set[int]) -> list[str]:
    """End and remove everything of the run in ``folder`` but the folder; what there was of it, in words."""
    covers = _covers_below(folder)
    found = _end_processes(folder, spared)
    for entry in sorted((folder / registry.THINGS).glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        thing = json.loads(entry.read_text())
        found.append(thing["what"])
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(thing["undo"], cwd=registry.ROOT, capture_output=True, timeout=PATIENCE_S, check=False)
    found += _end_processes(folder, spared)
    for mounted in sorted(_mounts_below(folder), reverse=True):
        found.append(f"mount {mounted}")
        subprocess.run(["umount", "-l", mounted], capture_output=True, check=False)
    for control in covers:
        shutil.rmtree(control, ignore_errors=True)
    for version in folder.rglob("PG_VERSION"):
        shared_memory.release(version.parent)
    return found


def sweep_abandoned(parent: Path) -> None:
    """Sweep what runs left whose sweeper was killed with them: nobody holds their lock."""
    for folder in parent.glob(f"{registry.PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.geteuid() and (lock := registry.locked(folder)) is not None:
                sweep(folder, set())
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _end_processes(folder: Path, spared: set[int]) -> list[str]:
    """Kill every process that the folder's path is on, until there is none; their command lines."""
    found: dict[int, str] = {}
    until = time.monotonic() + PATIENCE_S
    while left := [each for each in processes_of(str(folder)) if each.pid not in spared]:
        for process in left:
            with contextlib.suppress(psutil.Error):
                found.setdefault(process.pid, f"process {process.pid}: {' '.join(process.cmdline())[:160]}")
                process.send_signal(signal.SIGKILL)
        if time.monotonic() > until:
            break
        psutil.wait_procs(left, timeout=1)
    return list(found.values())


def _covers_below(folder: Path) -> set[Path]:
    """Where the fault file systems over the run's directories are told what to do: killed, they leave that behind."""
    found = set()
    for process in processes_of(str(folder)):
        with contextlib.suppress(psutil.Error):
            found.add(Path(process.cwd()))
    return {place for place in found if place.name.startswith(cover.STANDING)}


def _mounts_below(folder: Path) -> list[str]:
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        lines = []
    places = [line.split()[1].replace("\\040", " ") for line in lines]
    return [place for place in places if Path(place).is_relative_to(folder)]


def _wait(owner: ProcessIdentity) -> None:
    """Until standard input ends. A child that was forked off keeps it open: so the process itself is asked, too."""
    while is_running(owner):
        if select.select([sys.stdin], [], [], 0.2)[0]:
            return


def main() -> int:
    """Wait and sweep."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    owner = identity(int(sys.argv[1]))
    folder = Path(sys.stdin.readline().rstrip("\n"))
    if not folder.is_absolute():
        return 0
    sweep_abandoned(Path(tempfile.gettempdir()))
    _wait(owner)
    found = sweep(folder, {os.getpid(), owner.pid})
    with contextlib.suppress(OSError):
        sys.stdout.writelines(f"{each}\n" for each in found)
        sys.stdout.flush()
    # Whoever reads that goes on. What they have in the folder themselves they may still want to take away.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    while is_running(owner):
        time.sleep(0.2)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
