"""What the ad-hoc forms ask for: flat, with units, and a tab for each fault.

The tabs are made from the registry. They leave out what a form answers by itself: the target's name and the lease.
Every field has a default, and a tab ignores what another one has filled in, because the UI re-submits both.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy as copy_of
from functools import reduce
from operator import or_
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from chaosday.model.meanings import meanings
from chaosday.registry import member

CONNECTION_FAULTS = (
    "network.proxy.latency",
    "network.proxy.reset",
    "network.proxy.blackhole",
    "network.proxy.down",
    "network.proxy.bandwidth",
    "network.proxy.partition",
    "network.proxy.slicer",
    "network.proxy.corrupt",
)
HOST_FAULTS = (
    "host.cpu",
    "host.memory",
    "host.io",
    "host.disk_fill",
    "host.service",
    "process.pause",
    "process.kill",
    "network.latency",
    "network.loss",
    "network.bandwidth",
    "network.partition",
    "network.dns",
)
# Longest first: "kb_per_s" before "s".
UNITS = {
    "_kb_per_s": "kB a second",
    "_percent": "%",
    "_bytes": "bytes",
    "_mbit": "Mbit a second",
    "_mb": "MB",
    "_ms": "ms",
    "_s": "seconds",
}
ANSWERED = ("kind", "target", "ttl_s", "accept_weak_lease")


class Tab(BaseModel):
    """A part of the form."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Durations(Tab):
    """How long each phase takes, in whole seconds."""

    baseline_s: int = Field(default=3, ge=1, le=3600, title="Before, undisturbed (seconds)")
    fault_s: int = Field(default=5, ge=1, le=3600, title="With the fault (seconds)")
    aftermath_s: int = Field(default=3, ge=1, le=3600, title="After it has settled (seconds)")


class Checks(Tab):
    """What is looked at afterwards."""

    ledger: bool = Field(default=True, title="Every acknowledged write is there, once and unchanged")
    bank: bool = Field(default=True, title="Money is neither made nor lost in transactions")
    indexes: bool = Field(default=False, title="Tables and indexes agree (pg_amcheck, installed on the worker)")


class Guards(Tab):
    """What ends the run early."""

    database_stops_answering: bool = Field(default=False, title="Stop when the database no longer takes writes")
    after_failures: int = Field(default=3, ge=1, le=100, title="After so many failures in a row")


def tabs(kinds: Iterable[str]) -> Any:
    """The union of these faults as the form shows it, a tab each. No discriminator: with one the form is raw JSON."""
    return reduce(or_, [_tab(kind) for kind in kinds])


def _tab(kind: str) -> type[Tab]:
    model = member("faults", kind)
    fields: dict[str, Any] = {
        name: (field.annotation, _labelled(name, field, meanings(model).get(name)))
        for name, field in model.model_fields.items()
        if name not in ANSWERED
    }
    fields["kind"] = (model.model_fields["kind"].annotation, Field(default=kind, title="Fault"))
    # The tab is called as the fault is; what stands below it is the first sentence of the fault's own words.
    words = (model.__doc__ or "").split("\n\n")[0]
    title = kind.removeprefix("network.proxy.")
    return create_model(model.__name__, __base__=Tab, __doc__=words, __cls_kwargs__={"title": title}, **fields)


def _labelled(name: str, field: FieldInfo, meaning: str | None) -> FieldInfo:
    """The field under a label that people read, and what it is for: ``delay_ms`` is "Delay (ms)"."""
    copy = copy_of(field)
    copy.description = meaning
    if field.title:
        return copy
    unit = next((unit for unit in UNITS if name.endswith(unit)), "")
    words = name.removesuffix(unit).replace("_", " ").capitalize()
    copy.title = f"{words} ({UNITS[unit]})" if unit else words
    return copy


ConnectionFault = tabs(CONNECTION_FAULTS)
HostFault = tabs(HOST_FAULTS)


def lease_s(durations: Durations) -> float:
    """How long a fault may outlive us: its own time and a little, renewed while we live."""
    return float(min(max(durations.fault_s, 10), 60))


def experiment_of(
    title: str, hypothesis: str, database: Any, fault: Tab, *, durations: Durations, checks: Checks, guards: Guards
) -> dict[str, Any]:
    """An experiment on a database's own account, as a file would say it; ``database`` is a PostgreSQL target.

    The fault's target is called ``door`` where it is a proxy's, and ``host`` elsewhere.
    """
    hurt = "door" if fault.kind.startswith("network.proxy.") else "host"  # type: ignore[attr-defined]
    write = {"kind": "postgresql.write", "target": "database"}
    workloads = [{"kind": "ledger", "target": "database"}]
    workloads += [{"kind": "bank", "target": "database"}] if checks.bank else []
    guard = {"probe": write, "breaches": guards.after_failures, "window": guards.after_failures}
    return {
        "title": title,
        "hypothesis": hypothesis,
        "targets": {"database": database},
        "workloads": workloads,
        "steady_state": [write],
        "faults": [{"fault": {**fault.model_dump(), "target": hurt, "ttl_s": lease_s(durations)}}],
        "guards": [guard] if guards.database_stops_answering else [],
        "settle": {"probe": write},
        "evidence": [{"kind": "postgresql.amcheck", "target": "database"}] if checks.indexes else [],
        "checks": [
            {"kind": kind}
            for kind, wanted in (("ledger", checks.ledger), ("bank", checks.bank), ("amcheck", checks.indexes))
            if wanted
        ],
        "baseline_s": durations.baseline_s,
        "fault_window_s": durations.fault_s,
        "after_s": durations.aftermath_s,
    }
