"""Runs of true form by the thousand: what a run leaves on disk, written without the waiting for a disk."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from chaosday.campaign.summary import Judged, RunSummary, summary_of
from chaosday.model.fault import FaultPlan, Reading
from chaosday.model.lease import Lease, Undo
from chaosday.record.journal import GENESIS, Record
from chaosday.record.key import mac

SYSTEMS = ("PostgreSQL", "MariaDB", "etcd", "Redis", "RabbitMQ", "NATS", "SeaweedFS")
FAULTS = ("process.kill", "network.partition", "storage.lost_fsync", "host.clock")
CHECKS = ("ledger", "bank")


@dataclass(frozen=True)
class ARun:
    """One run to be written."""

    began: datetime
    title: str = "failover"
    system: str = "PostgreSQL 18.6"
    fault: str = "process.kill"
    checks: tuple[str, ...] = CHECKS
    outcome: str = "pass"
    lost: int = 0
    of: int = 1000
    placebo: bool = False
    fault_stays_open: bool = False
    evidence_bytes: int = 0
    token: str = "abcdef"

    @property
    def name(self) -> str:
        return f"{self.began.strftime('%Y%m%dT%H%M%S')}-{self.title.replace(' ', '-')}-{self.token}"


def a_year(count: int, *, until: datetime, seed: int, evidence_bytes: int = 0) -> list[ARun]:
    """So many runs of 28 experiments over the year before ``until``; one in fifty is no pass, one in ten a placebo."""
    rng = random.Random(seed)
    runs = []
    for number in range(count):
        began = until - timedelta(days=365) * (1 - (number + 1) / (count + 1))
        system = SYSTEMS[number % len(SYSTEMS)]
        version = f"{3 + (number * 3) // count}.{number % 2}"
        fault = FAULTS[(number // len(SYSTEMS)) % len(FAULTS)]
        ends = rng.random()
        outcome = "violated" if ends < 0.01 else "inconclusive" if ends < 0.02 else "pass"
        runs.append(
            ARun(
                began, title=f"{system} under {fault}", system=f"{system} {version}", fault=fault, outcome=outcome,
                lost=rng.randrange(1, 9) if outcome == "violated" else 0, placebo=number % 10 == 9,
                evidence_bytes=evidence_bytes, token=f"{number:06x}",
            )
        )  # fmt: skip
    return runs


def summary(run: ARun) -> RunSummary:
    """What a catalogue would keep of the run, without a disk."""
    documents = {"plan": _plan(run), "verdict": _verdict(run), "findings": _findings(run)}
    return summary_of(Judged.model_validate({"run": run.name, **documents}), began=run.began.isoformat())


def write(root: Path, run: ARun) -> Path:
    """The directory of the run, sealed and signed as the real ones are."""
    place = root / run.name
    for part in ("", "history", "rows", "observations"):
        (place / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    documents = {"plan.json": _plan(run), "verdict.json": _verdict(run), "findings.json": _findings(run)}
    for name, said in documents.items():
        (place / name).write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2))
    if run.evidence_bytes:
        (place / "history.parquet").write_bytes(random.Random(run.token).randbytes(run.evidence_bytes))
    sealed = {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }
    (place / "hashes.json").write_bytes(orjson.dumps(sealed))
    (place / "journal.jsonl").write_bytes(_journal(run))
    for path in place.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return place


def _plan(run: ARun) -> dict[str, Any]:
    return {
        "run": run.name,
        "title": run.title,
        "hypothesis": "No acknowledged write is lost.",
        "seed": 1,
        "targets": {"db": {"is": f"{run.system}, primary, as app@db:5432/orders"}, "p": {"is": "a process"}},
        "faults": [{"at_s": 0, "fault": {"kind": run.fault, "target": "p"}, "undo": "", "affects": ["p"]}],
        "experiment": {
            "workloads": [{"kind": "ledger", "target": "db"}],
            "checks": [{"kind": each} for each in run.checks],
        },
    }


def _verdict(run: ARun) -> dict[str, Any]:
    held = run.outcome != "inconclusive"
    proofs = {name: {"held": held, "lines": ["seen"]} for name in ("bite", "sight", "clean")}
    bites = [{"fault": run.fault, "target": "p", "bit": held and not run.placebo, "why": "gone for 2.1 s"}]
    return {
        "outcome": run.outcome, "words": f"{run.outcome}: {run.lost} lost", "reasons": [], "proofs": proofs,
        "bites": bites, "cleans": [], "placebo": run.placebo,
    }  # fmt: skip


def _findings(run: ARun) -> list[dict[str, Any]]:
    lost = [{"name": "lost", "count": run.lost, "keys": [], "detail": []}] if run.lost else []
    return [
        {
            "check": check,
            "outcome": run.outcome if run.outcome != "violated" or check == "ledger" else "pass",
            "examined": run.of,
            "examined_unit": "operations",
            "reasons": [],
            "anomalies": lost if check == "ledger" else [],
            "blind_to": [],
            "result": {"acknowledged_rows": run.of} if check == "ledger" else {},
        }
        for check in run.checks
    ]


def _journal(run: ARun) -> bytes:
    lease = Lease(id=f"cd-{run.token}-1", run=run.name, fault=run.fault, target="p", undo=Undo(script=":"), ttl_s=60)
    plan = FaultPlan(lease=lease, affected=["p"], snapshot={}, baseline=Reading(value=0, unit="u", by="b"), data={})
    planned = {
        "fault": {"kind": run.fault, "target": "p"},
        "target_name": "p",
        "target": {},
        "plan": plan.model_dump(mode="json"),
    }
    fault = [("planned", planned), *((event, {}) for event in ("arming", "armed", "injecting", "injected", "healing"))]
    events: list[tuple[str, dict[str, Any]]] = [
        ("opened", {"run": run.name, "host": "worker-1", "boot": "b", "pid": 2, "started": "never"}),
        ("preflight", {"kind": "experiment"}),
        *((event, {**data, "lease_id": lease.id}) for event, data in fault),
        *([] if run.fault_stays_open else [("clean", {"lease_id": lease.id})]),
        ("verdict", {"outcome": run.outcome, "reasons": []}),
    ]
    began = int(run.began.replace(tzinfo=run.began.tzinfo or UTC).timestamp()) * 10**9
    lines, prev = [], GENESIS
    for seq, (event, data) in enumerate(events):
        bare = Record(seq, began + seq * 10**9, seq * 10**9, event, data, prev, "")
        signed = replace(bare, mac=mac("record of a journal", bare.signed()))
        record = replace(signed, hash=signed.digest())
        prev = record.hash
        lines.append(record.line())
    return b"".join(lines)
