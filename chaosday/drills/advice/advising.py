"""Advice on a target: what of its settings can lose data, ranked, and the experiment that would show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from chaosday.drills.advice import etcd, files, kafka, mariadb, nats, postgresql, redis, s3
from chaosday.drills.advice.rule import Rule, Settings
from chaosday.errors import CapabilityMissing
from chaosday.model.base import Model
from chaosday.model.target import Target
from chaosday.record.foreign_words import one_line


@dataclass(frozen=True)
class System:
    """How one kind of target is read, and the rules for it."""

    read: Callable[[Any], Settings]
    rules: Sequence[Rule]


SYSTEMS: Mapping[str, System] = {
    "postgresql": System(postgresql.read, postgresql.RULES),
    "mariadb": System(mariadb.read, mariadb.RULES),
    "redis": System(redis.read, redis.RULES),
    "sqlite_file": System(files.read_sqlite, files.SQLITE_RULES),
    "etcd": System(etcd.read, etcd.RULES),
    "kafka": System(kafka.read, kafka.RULES),
    "nats": System(nats.read, nats.RULES),
    "s3_store": System(s3.read, s3.RULES),
    "duckdb_file": System(files.read_duckdb, files.MOUNT_RULES),
}


class Advice(Model):
    """One rule on one target. ``unread``: nobody knows, which is no good news."""

    system: str
    rule: str
    state: Literal["can lose", "unread"]
    risk: int
    words: str
    cites: str
    setting: dict[str, str] = {}
    finding: str = ""
    """The file in deployments/findings whose twins show it in the lab."""
    draft: dict[str, Any] | None = None
    """The experiment that would show it on this target; None where a lab is needed for that."""


def advise(target: Target) -> list[Advice]:
    """Read the target's settings and say what they can lose, worst first; sound ones are not spoken of.

    Nothing is written. ``CapabilityMissing`` for a kind of target that there are no rules for.
    """
    kind = str(getattr(target, "kind", ""))
    if kind not in SYSTEMS:
        raise CapabilityMissing(f"there is no advice on {kind}; there is on {', '.join(SYSTEMS)}")
    system = SYSTEMS[kind]
    settings = system.read(target)
    found = [_judged(rule, settings, target) for rule in system.rules]
    if settings.data:
        below = files.mount_of(Path(settings.data))
        found += [_judged(rule, below, target) for rule in files.MOUNT_RULES]
    return sorted((each for each in found if each), key=lambda each: (each.state == "unread", -each.risk, each.rule))


def drafted(advice: Advice) -> str:
    """The experiment as a file, which a person reads and completes before it is run."""
    assert advice.draft is not None
    lines = [
        f"{advice.system}, {advice.rule}: {one_line(advice.words)}.",
        f"Source: {advice.cites}",
        "On a scratch copy, not on what people use. Say how the process is found and started again, then:",
        "  chaosday plan THIS, chaosday run THIS. A pass of it is what closes this advice, not a setting.",
    ]
    return "".join(f"# {line}\n" for line in lines) + yaml.safe_dump(advice.draft, sort_keys=False, width=110)


def _judged(rule: Rule, settings: Settings, target: Target) -> Advice | None:
    missing = [name for name in rule.needs if name not in settings.values]
    words = "" if missing else rule.loses(settings.values)
    if not missing and not words:
        return None
    if missing:
        words = f"cannot be read: {settings.unread.get(missing[0], f'it does not say {missing[0]}')}"
    return Advice(
        system=str(getattr(target, "kind", "")),
        rule=rule.name,
        state="unread" if missing else "can lose",
        risk=rule.risk,
        words=words,
        cites=rule.cites,
        setting={name: settings.values[name] for name in rule.needs if name in settings.values},
        finding=f"deployments/findings/{rule.finding}.yaml" if rule.finding else "",
        draft=_draft(rule, target, settings.data),
    )


def _draft(rule: Rule, target: Target, data: str) -> dict[str, Any] | None:
    """For what a killed process or a cut power shows; a failover needs a pair that a lab has."""
    if rule.shown_by not in ("crash", "power"):
        return None
    place = data or str(getattr(target, "path", "") or "/path/to/its/data")
    kill = {"at_s": 3, "fault": {"kind": "process.kill", "target": "process", "ttl_s": 60}}
    # No process of this machine has such arguments: whoever runs the file has to say which it is.
    process = {"kind": "local_process", "pattern": "SAY-WHICH-PROCESS", "restart": "exit 1 # SAY HOW IT IS STARTED"}
    draft: dict[str, Any] = {
        "title": f"{rule.name}: {'the power goes' if rule.shown_by == 'power' else 'a crash'}",
        "hypothesis": "Every acknowledged write is there afterwards.",
        "targets": {"server": target.public(), "process": process},
        "workloads": [{"kind": "set", "target": "server", "clients": 4}],
        "steady_state": [{"kind": "answers", "target": "server"}],
        "baseline_s": 1,
        "faults": [kill],
        "fault_window_s": 0.2,
        "settle": {"probe": {"kind": "answers", "target": "server"}},
        "checks": [{"kind": "set"}],
    }
    if rule.shown_by == "power":
        # Before the server is started: chaosday cover PLACE
        cache = {"kind": "storage.volatile_cache", "target": "host", "path": place, "ttl_s": 120}
        draft["targets"]["host"] = {"kind": "local_host"}
        draft["faults"] = [{"at_s": 0, "fault": cache}, kill]
        draft["actions"] = [{"kind": "storage.power_cut", "target": "server", "path": place}]
        draft["blast_radius"] = {"max_targets": 2}
    return draft
