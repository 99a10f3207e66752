"""What decides whether a Redis server keeps what it acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaosday.clients.answering import answering
from chaosday.drills.advice.rule import Rule, Settings, unless
from chaosday.targets.redis import Redis

PERSISTENCE = "Redis manual, Persistence: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/"
REPLICATION = "Redis manual, Replication: https://redis.io/docs/latest/operate/oss_and_stack/management/replication/"
EVICTION = "Redis manual, Key eviction: https://redis.io/docs/latest/develop/reference/eviction/"
_NAMED = (
    "appendonly", "appendfsync", "save", "no-appendfsync-on-rewrite", "stop-writes-on-bgsave-error",
    "min-replicas-to-write", "min-replicas-max-lag", "maxmemory", "maxmemory-policy",
)  # fmt: skip


def read(target: Redis) -> Settings:
    """``CONFIG GET`` and ``INFO``; a managed server that refuses CONFIG leaves its settings unread."""
    import redis

    client = target.connect(5)
    values: dict[str, str] = {}
    unread: dict[str, str] = {}
    try:
        with answering(f"Redis at {target.host}:{target.port}", redis.exceptions.RedisError, OSError):
            try:
                said: dict[str, Any] = client.config_get(*_NAMED)
                values |= {name: str(value) for name, value in said.items()}
            except redis.exceptions.ResponseError as error:
                unread |= dict.fromkeys(_NAMED, f"the server refuses CONFIG GET ({str(error)[:80]})")
            values["replicas"] = str(client.info("replication").get("connected_slaves", 0))
    finally:
        client.close()
    return Settings(values, unread)


def _log(values: Mapping[str, str]) -> str:
    if values["appendonly"] == "yes":
        return ""
    if values["save"].strip():
        return "it writes snapshots only: a crash loses everything since the last one, minutes as installed"
    return "it writes nothing to disk: a crash loses everything"


def _synced(values: Mapping[str, str]) -> str:
    if values["appendonly"] != "yes" or values["appendfsync"] == "always":
        return ""
    how = "a second" if values["appendfsync"] == "everysec" else "about thirty seconds"
    return f"with appendfsync {values['appendfsync']} a power cut loses {how} of acknowledged writes"


def _replicas(values: Mapping[str, str]) -> str:
    # Either of them at 0 switches both off, says redis.conf.
    asked = {values["min-replicas-to-write"], values["min-replicas-max-lag"]}
    if values["replicas"] in ("", "0") or not asked & {"", "0"}:
        return ""
    return (
        f"{values['replicas']} replicas follow, and it goes on acknowledging writes with none in reach: what they had "
        "not received when one takes over is gone"
    )


def _evicted(values: Mapping[str, str]) -> str:
    policy = values["maxmemory-policy"]
    if values["maxmemory"] in ("", "0") or policy == "noeviction" or policy.startswith("volatile-"):
        return ""
    return f"with {policy} any key may be thrown away once {values['maxmemory']} bytes are full, acknowledged or not"


RULES = (
    Rule("appendonly", ("appendonly", "save"), _log, 3, PERSISTENCE, "crash", "redis-crash"),
    Rule("appendfsync", ("appendonly", "appendfsync"), _synced, 3, PERSISTENCE, "power", "redis-power-cut"),
    Rule("min-replicas-to-write", ("replicas", "min-replicas-to-write", "min-replicas-max-lag"), _replicas, 3,
         REPLICATION, "failover", "redis-failover"),
    Rule("maxmemory-policy", ("maxmemory", "maxmemory-policy"), _evicted, 2, EVICTION),
    Rule("no-appendfsync-on-rewrite", ("appendonly", "no-appendfsync-on-rewrite"), lambda values: (
        "while the log is rewritten nothing is synced: a power cut then loses all of that time"
        if (values["appendonly"], values["no-appendfsync-on-rewrite"]) == ("yes", "yes") else ""
    ), 2, PERSISTENCE),
    Rule("stop-writes-on-bgsave-error", ("save", "stop-writes-on-bgsave-error"), lambda values: (
        unless("stop-writes-on-bgsave-error", ("yes",), "snapshots may fail for days, and it goes on acknowledging "
               "writes")(values) if values["save"].strip() else ""
    ), 2, PERSISTENCE),
)  # fmt: skip
