"""What decides whether an etcd cluster keeps what it acknowledged."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from typing import Any

from chaosday.clients.answering import answering
from chaosday.drills.advice.rule import Rule, Settings
from chaosday.processes.limits.sockets import Cutter
from chaosday.stores.etcd import LONGEST_BYTES
from chaosday.targets.etcd import Etcd

MANUAL = "etcd manual"
_FLAG = "unsafe-no-fsync"
ANSWER_S = 10.0
SYNCS_WHEN_MADE = 2


def read(target: Etcd) -> Settings:
    """The members; and of the one that was asked its arguments and what it counts."""
    where = f"etcd at {target.host}:{target.port}"
    with Cutter(ANSWER_S) as cutter, answering(where, OSError, http.client.HTTPException, ValueError):
        connection = target.connection(cutter, ANSWER_S)
        try:
            members = _asked(connection, "POST", "/v3/cluster/member/list").get("members")
            arguments = _asked(connection, "GET", "/debug/vars").get("cmdline")
            metrics = _said(connection, "GET", "/metrics").decode(errors="replace")
        finally:
            connection.close()
    values: dict[str, str] = {}
    unread: dict[str, str] = {}
    if isinstance(members, list):
        values["members"] = str(sum(isinstance(each, dict) and not each.get("isLearner") for each in members))
    else:
        unread["members"] = "it does not list its members to us"
    found = _fsync([str(each) for each in arguments] if isinstance(arguments, list) else [], metrics)
    if found:
        values["fsync"] = found
    else:
        unread["fsync"] = (
            f"neither its arguments nor its metrics say; look for {_FLAG} in its file and for "
            f"ETCD_{_FLAG.upper().replace('-', '_')} in its environment"
        )
    return Settings(values, unread)


def _fsync(arguments: list[str], metrics: str) -> str:
    """``on`` or ``off``; empty where that is not to be seen.

    The flag may stand in the arguments (Go's take one dash or two, and 1, t, true in any case), in a file or in the
    environment. Whatever said so, a member that syncs counts each time (``walFsyncSec`` of ``server/storage/wal``); one
    that does not has counted the making of its log, before it was told.
    """
    for each in arguments[1:]:
        name, equals, value = each.lstrip("-").partition("=")
        if name == _FLAG and each.startswith("-") and (not equals or value.lower() in ("1", "t", "true")):
            return "off"
    counted = re.search(r"^etcd_disk_wal_fsync_duration_seconds_count (\S+)$", metrics, re.MULTILINE)
    return "on" if counted is not None and float(counted[1]) > SYNCS_WHEN_MADE else ""


def _asked(connection: Any, method: str, path: str) -> dict[str, Any]:
    said = json.loads(_said(connection, method, path) or b"{}")
    return said if isinstance(said, dict) else {}


def _said(connection: Any, method: str, path: str) -> bytes:
    """The body of an answer; nothing where it is a refusal."""
    connection.request(method, path, "{}" if method == "POST" else None)
    answer = connection.getresponse()
    body: bytes = answer.read(LONGEST_BYTES)
    return body if answer.status == 200 else b""


def _members(values: Mapping[str, str]) -> str:
    count = int(values["members"])
    if count < 1:
        return "it has no member that votes: nothing is kept by agreement"
    if count == 1:
        return "it has one member: when that member's disk is lost, everything since the last snapshot is"
    if count % 2 == 0:
        return f"of {count} members no more may fail than of {count - 1}, and there is one more that can"
    return ""


RULES = (
    Rule(
        "unsafe-no-fsync", ("fsync",),
        lambda values: "" if values["fsync"] == "on" else (
            "nothing is synced: a power cut loses what this member acknowledged, and may leave it unable to start"
        ),
        3, f"{MANUAL}, Configuration options: https://etcd.io/docs/latest/op-guide/configuration/", "power",
        "etcd-lost-fsync",
    ),
    Rule("members", ("members",), _members, 2, f"{MANUAL}, FAQ: https://etcd.io/docs/latest/faq/"),
)  # fmt: skip
