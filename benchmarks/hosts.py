"""Faults on real hosts over SSH: do they conform, do they end, do they leak, how do they scale.

Hosts of ``tests/lab`` (root, Linux). Every figure is counted or measured here; nothing is assumed.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from chaosday.clock import SystemClock
from chaosday.errors import ChaosdayError
from chaosday.model.fault import Fault, FaultPlan, PlanContext
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target
from chaosday.record.journal import Journal, open_faults, read
from chaosday.registry import member
from chaosday.running.lifecycle import Lifecycle
from chaosday.undo.fanout import fan_out
from chaosday.undo.recovery import recover
from tests.conformance import child
from tests.conformance.benches import BENCHES, Bench
from tests.conformance.child import BOUNDARIES
from tests.conformance.host_benches import HOST_BENCHES, NEEDS_A_MACHINE
from tests.lab import machine
from tests.lab.hosts import Lab, LabHost
from tests.lab.pool import pool

QUICK = ("network.partition", "network.latency", "host.cpu", "host.disk_fill", "storage.errno")
DISCONNECTED = "cut"
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.conformance.child"])
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}


def run(quick: bool) -> dict[str, Any]:
    """All the figures; ``quick`` takes five faults, fewer cycles and sessions."""
    if why := machine.why_no_lab():
        return {"skipped": why}
    kinds = sorted(QUICK if quick else set(HOST_BENCHES) - NEEDS_A_MACHINE)
    figures: dict[str, Any] = {"faults": len(kinds)}
    conformant = [kind for kind in kinds if _conforms(kind)]
    figures |= {"conformant": len(conformant), "not_conformant": sorted(set(kinds) - set(conformant))}
    figures |= sweep(kinds, ("armed", "injected") if quick else BOUNDARIES, quick)
    figures |= soak(60 if quick else 2000)
    figures |= fanout(24 if quick else 200)
    return figures | fuzz(500 if quick else 20_000)


def _conforms(kind: str) -> bool:
    """Bites by its own reading and by ours, heals five times, and reads as before, beside foreign state."""
    with tempfile.TemporaryDirectory() as scratch, BENCHES[kind](Path(scratch)) as bench:
        journal = Journal.create(Path(scratch) / "run" / "journal.jsonl", "bench-run")
        foreign = bench.foreign()
        try:
            with Lifecycle("bench-run", journal, bench.targets, max_affected=64) as life:
                plan = life.plan(bench.fault)
                life.arm(plan)
                life.start_heartbeat()
                life.inject(plan)
                hit = life.attest(plan).bit and bench.hurt()
                cleans = [life.heal(plan).clean for _ in range(5)]
        except ChaosdayError as error:
            print(f"{kind}: {error}", file=sys.stderr)
            return False
        finally:
            journal.close()
        return hit and all(cleans) and bench.hurt() is bench.stays and bench.foreign() == foreign


def sweep(kinds: list[str], boundaries: tuple[str, ...], quick: bool) -> dict[str, Any]:
    """End the run's whole process tree, or its network, at every boundary of every fault; only the lease is left."""
    cases = [(kind, boundary, how) for kind in kinds for boundary in boundaries for how in ("SIGKILL",)]
    if not quick:
        others = (*[name for name in SIGNALS if name != "SIGKILL"], DISCONNECTED)
        cases += [(kind, boundary, how) for kind in kinds for boundary in ("armed", "injected") for how in others]
    removed, left = [], []
    together = [case for case in cases if case[2] != DISCONNECTED]
    # Cutting the control network cuts every host of the lab: those come one by one.
    with ThreadPoolExecutor(3) as workers:
        ended = list(workers.map(lambda case: _ended(*case), together))
    ended += [_ended(*case) for case in cases if case[2] == DISCONNECTED]
    for case, (seconds, residue) in zip(together + [c for c in cases if c[2] == DISCONNECTED], ended, strict=True):
        if residue:
            left.append(f"{'/'.join(case)}: {residue}")
        if seconds is not None:
            removed.append(seconds)
    shares = np.percentile(removed, [50, 99, 100]) if removed else [float("nan")] * 3
    names = ("p50", "p99", "max")
    return {
        "kill_points": len(cases),
        "residues": len(left),
        "residue_words": left[:10],
        "removal_after_deadline_s": {name: round(float(s), 2) for name, s in zip(names, shares, strict=True)},
    }


def _ended(kind: str, boundary: str, how: str) -> tuple[float | None, str]:
    """One case; a run that did not come to its boundary is a residue too, and does not end the sweep."""
    try:
        return _case(kind, boundary, how)
    except (RuntimeError, EOFError, ChaosdayError) as error:
        return None, f"the case could not be played: {error}"


def _case(kind: str, boundary: str, how: str) -> tuple[float | None, str]:
    """Seconds from the deadline to the last trace (None where the run ended it itself), and what was left."""
    with tempfile.TemporaryDirectory() as scratch, BENCHES[kind](Path(scratch)) as bench:
        journal = Path(scratch) / "journal.jsonl"
        foreign = bench.foreign()
        with _child(bench, journal, boundary) as process:
            deadline = _deadline(bench)
            with _stopped(process, how):
                gone = _gone_at(bench, 60)
        late = None if gone is None or deadline is None else gone - deadline
        if gone is None:
            return None, "the effect or its lease after 60 s"
        done = recover([journal], {"victim": bench.target}, end_marked=False)
        words = [entry.words for entry in done if not entry.ok]
        words += ["open in the journal"] if open_faults(read(journal)) else []
        words += ["foreign state changed"] if bench.foreign() != foreign else []
        return (late if how in ("SIGKILL", DISCONNECTED) else None), "; ".join(words)


@contextlib.contextmanager
def _child(bench: Bench, journal: Path, boundary: str) -> Iterator[int]:
    """A run in a session of its own that stands at a boundary; its process number."""
    ours, theirs = FORKING.Pipe()
    said = (theirs, journal, bench.fault.model_dump_json(), json.dumps(bench.target.public()), (boundary, False))
    process = FORKING.Process(target=child.main, args=said)
    process.start()
    theirs.close()
    assert process.pid is not None
    try:
        if not ours.poll(120) or ours.recv() != boundary:
            raise RuntimeError(f"the run of {bench.fault.kind} did not come to {boundary}")
        yield process.pid
    finally:
        process.kill()
        process.join()
        ours.close()


@contextlib.contextmanager
def _stopped(pid: int, how: str) -> Iterator[None]:
    """End the run by a signal to its whole session, or cut it off and leave it alive."""
    if how == DISCONNECTED:
        pool().cut_control()
        try:
            yield
        finally:
            pool().restore_control()
        return
    os.killpg(pid, SIGNALS[how])
    yield


def _console(bench: Bench) -> LabHost:
    host = pool().host_at(str(bench.target.public()["host"]))
    if host is None:
        raise RuntimeError("the victim is not a host of the lab")
    return host


def _deadline(bench: Bench) -> float | None:
    """When the lease fires, on our monotonic clock (it is the machine's, and the lab's hosts have no other)."""
    found = (
        _console(bench)
        .run("cat /var/lib/chaosday/leases/cd-*/deadline 2>/dev/null; cut -d' ' -f1 /proc/uptime", check=False)
        .splitlines()
    )
    if len(found) < 2:
        return None
    left = int(found[0].split()[2]) / 100 - float(found[1])
    return time.monotonic() + left


def _gone_at(bench: Bench, patience_s: float) -> float | None:
    """When neither lease nor effect was seen any more; looked at from the host's console, not over SSH."""
    console, end = _console(bench), time.monotonic() + patience_s
    while time.monotonic() < end:
        if not console.run("ls -d /var/lib/chaosday/leases/cd-* 2>/dev/null", check=False).strip():
            seen = time.monotonic()
            if bench.stays or not bench.hurt():
                return seen
        time.sleep(0.02)
    return None


def soak(cycles: int) -> dict[str, Any]:
    """Inject and heal mixed faults on three hosts; what is left on them and in us at the end."""
    mixed: list[tuple[str, dict[str, Any]]] = [
        ("network.partition", {}),
        ("network.bandwidth", {}),
        ("network.latency", {}),
        ("host.disk_fill", {"path": "/srv/data", "reserve_mb": 2, "size_mb": 4}),
        ("host.cpu", {"load_percent": 20}),
        ("storage.errno", {}),
        ("process.syscall", {"pattern": "worker.py"}),
        ("host.file_descriptors", {"pattern": "worker.py", "left": 4}),
    ]
    lab = pool()
    failed: list[str] = []
    with contextlib.ExitStack() as stack:
        victims = [stack.enter_context(lab.victim()) for _ in range(3)]
        targets = {victim.name: lab.target(victim) for victim in victims}
        for target in targets.values():
            stack.callback(target.close)
            target.reach()
        # Once round on every host: imports are in, and iptables has made the lock file that it keeps.
        _cycles(targets, mixed, len(mixed) * len(targets), lab.peer.address, failed)
        before = [_counted(victim) for victim in victims]
        ours = psutil.Process()
        files, memory = ours.num_fds(), ours.memory_info().rss
        _cycles(targets, mixed, cycles, lab.peer.address, failed)
        leaks = [
            f"{v.name} {k}: {b} -> {a}"
            for v, was in zip(victims, before, strict=True)
            for (k, b), a in zip(was.items(), _counted(v).values(), strict=True)
            if a > b
        ]
        if ours.num_fds() > files:
            leaks.append(f"our file descriptors: {files} -> {ours.num_fds()}")
        growth = (ours.memory_info().rss - memory) / 2**20
    return {
        "soak_cycles": cycles,
        "soak_failed": len(failed),
        "soak_leaks": len(leaks),
        "soak_leak_words": (leaks + failed)[:10],
        "soak_memory_growth_mb": round(growth, 1),
    }


def _cycles(
    targets: dict[str, Any], mixed: list[tuple[str, dict[str, Any]]], cycles: int, peer: str, failed: list[str]
) -> None:
    def work(share: tuple[int, str]) -> None:
        number, name = share
        for cycle in range(number, cycles, len(targets)):
            kind, fields = mixed[cycle // len(targets) % len(mixed)]
            more = {"peers": [peer]} if kind.startswith("network.") else {}
            fault = member("faults", kind).model_validate({"target": name, **fields, **more})
            assert isinstance(fault, Fault)
            try:
                _cycle(fault, targets[name], f"cd-soak-{cycle}-{number}")
            except ChaosdayError as error:
                failed.append(f"{kind} on {name}: {error}")

    with ThreadPoolExecutor(len(targets)) as workers:
        list(workers.map(work, enumerate(targets)))


def _cycle(fault: Fault, target: Target, lease_id: str) -> FaultPlan:
    plan = fault.plan(target, PlanContext(run="soak", lease_id=lease_id, seed=1, clock=SystemClock()))
    target.capability(LeaseHolder).arm(plan.lease)
    try:
        fault.inject(target, plan)
    finally:
        fault.heal(target, plan.lease)
    left = fault.residue(target, plan.lease)
    if left:
        raise ChaosdayError(f"left behind: {left}")
    return plan


def _counted(victim: LabHost) -> dict[str, int]:
    """Everything on a host that a fault could leave behind; the least of ten looks, because some is on its way out."""
    looks = []
    for _ in range(10):
        answers = victim.run(
            "ls -d /proc/[0-9]* | wc -l; find /srv/data /run /var/lib/chaosday /var/tmp -xdev | wc -l; "
            "nft list ruleset | wc -l; tc qdisc show | wc -l; wc -l < /proc/self/mounts; "
            "ss -tnH state established | wc -l"
        )
        looks.append([int(number) for number in answers.split()])
        time.sleep(0.1)
    names = ("processes", "files", "nft rules", "qdiscs", "mounts", "connections")
    return dict(zip(names, (min(column) for column in zip(*looks, strict=True)), strict=True))


def fanout(sessions: int) -> dict[str, Any]:
    """Arm, inject and attest on many SSH sessions at once, beside fabric running one command on the same ones."""
    import fabric

    with Lab() as lab:
        hosts = [lab.start(disk_mb=64) for _ in range(4)]
        which = [hosts[number % len(hosts)] for number in range(sessions)]
        fields = {"known_hosts": str(lab.known_hosts), "key_file": str(lab.key), "agent": False}
        targets = {
            f"s{number}": member("targets", "ssh_host").model_validate({"host": host.address, **fields})
            for number, host in enumerate(which)
        }

        def hurt(name: str, target: Any) -> FaultPlan:
            fault = member("faults", "host.disk_fill").model_validate(
                {"target": name, "path": "/srv/data", "size_mb": 0.01, "reserve_mb": 0, "ttl_s": 600}
            )
            assert isinstance(fault, Fault)
            context = PlanContext(run="fanout", lease_id=f"cd-fan-{name}", seed=1, clock=SystemClock())
            plan = fault.plan(target, context)
            target.capability(LeaseHolder).arm(plan.lease)
            fault.inject(target, plan)
            if not fault.attest(target, plan).bit:
                raise ChaosdayError("no bite")
            return plan

        began = time.monotonic()
        outcomes = fan_out(targets, hurt, at_once=64, deadline_s=300)
        ours = time.monotonic() - began
        healed = fan_out(
            targets,
            lambda name, target: target.capability(LeaseHolder).heal(f"cd-fan-{name}"),
            at_once=64,
            deadline_s=300,
        )
        for target in targets.values():
            target.close()
        group = fabric.ThreadingGroup.from_connections(
            fabric.Connection(
                host.address,
                user="root",
                connect_kwargs={
                    "key_filename": str(lab.key),
                    "look_for_keys": False,
                    "allow_agent": False,
                    # It begins with all of them at once: on a busy machine the last is heard late.
                    "banner_timeout": 300,
                    "auth_timeout": 300,
                },
            )
            for host in which
        )
        began = time.monotonic()
        group.run("true", hide=True)
        theirs = time.monotonic() - began
        group.close()
        failed = [
            f"{name}: {outcome.error}"
            for name, outcome in {**outcomes, **{f"{n} heal": o for n, o in healed.items()}}.items()
            if not outcome.ok
        ]
    return {
        "fanout_hosts": sessions,
        "fanout_failed": len(failed),
        "fanout_failed_words": failed[:5],
        "fanout_s": round(ours, 2),
        "fabric_s": round(theirs, 2),
        "fanout_ratio": round(ours / theirs, 2),
    }


def fuzz(files: int) -> dict[str, Any]:
    """Random faults against a target that only records: an error of ours or a plan; never an injection."""
    from benchmarks._fuzz import fuzz_faults

    return fuzz_faults(files)


if __name__ == "__main__":
    threading.excepthook = lambda arguments: sys.exit(f"{arguments.thread}: {arguments.exc_value}")
    print(json.dumps(run("--quick" in sys.argv), indent=1))
