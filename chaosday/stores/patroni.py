"""Patroni, through the REST interface that each of its members has.

https://patroni.readthedocs.io/en/latest/rest_api.html
"""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chaosday.errors import AccessDenied, TargetUnreachable
from chaosday.mechanisms.http_proxy.canary import Seen
from chaosday.mechanisms.http_proxy.web import WebClient
from chaosday.model.failover import ClusterMember
from chaosday.model.tls import Tls, tls_trouble

ANSWER_S = 5.0
EVERY_S = 0.2
NOT_YET = 412
MOST_MEMBERS = 1000
FOLLOWING = ("running", "streaming")
"""States of a replica that is well; versions before 3.0 call one that streams running."""


@dataclass(frozen=True)
class PatroniCluster:
    """``addresses`` (``host:port``) are asked one after the other until one answers."""

    addresses: Sequence[str]
    user: str = ""
    password: str = field(default="", repr=False)
    scheme: str = "http"
    tls: Tls | None = None

    def members(self) -> list[ClusterMember]:
        """From ``GET /cluster``."""
        return [_member(each) for each in self._listed()]

    def reach(self) -> str:
        """Who leads, in words."""
        members = self.members()
        leader = next((each.name for each in members if each.leads), "nobody")
        return f"Patroni with {', '.join(each.name for each in members)}; {leader} leads"

    def switchover(self, leader: str, candidate: str, timeout_s: float) -> None:
        body = {"leader": leader} | ({"candidate": candidate} if candidate else {})
        until = time.monotonic() + timeout_s
        # What is not possible yet may be in a moment: a member that has come back is not waited for at once.
        while (seen := self._once("/switchover", body, timeout_s)).status == NOT_YET:
            if time.monotonic() > until:
                break
            time.sleep(EVERY_S)
        _refused(seen, "POST /switchover")

        def done(seen: list[ClusterMember]) -> bool:
            new = [each for each in seen if each.leads and each.name != leader]
            came = bool(new) and candidate in ("", new[0].name)
            return came and any(each.name == leader and each.follows for each in seen)

        self._until(done, f"the switchover from {leader}{_unanswered(seen)}", timeout_s)

    def failover(self, candidate: str, timeout_s: float) -> None:
        seen = self._once("/failover", {"candidate": candidate}, timeout_s)
        _refused(seen, "POST /failover")
        self._until(lambda now: _leads(now, candidate), f"the failover to {candidate}{_unanswered(seen)}", timeout_s)

    def reinit(self, member: str, timeout_s: float) -> None:
        address = self._address_of(member)
        _judged(self._sent(address, "POST", "/reinitialize", {"force": True}, timeout_s), "POST /reinitialize")
        # It is seen as it was until its Patroni has begun.
        began: list[bool] = []

        def done(seen: list[ClusterMember]) -> bool:
            follows = any(each.name == member and each.follows for each in seen)
            began.extend([True] if not follows else [])
            return follows and (bool(began) or time.monotonic() > least)

        least = time.monotonic() + min(10, timeout_s / 2)
        self._until(done, f"the new copy of {member}", timeout_s)

    def _address_of(self, member: str) -> str:
        """That member's, if it is one of ours: what an answer names might be anybody's, and the password goes there."""
        for each in self._listed():
            if each.get("name") == member and "api_url" in each:
                address = str(each["api_url"]).split("://", 1)[-1].split("/", 1)[0]
                if address not in self.addresses:
                    raise TargetUnreachable(f"{member} is said to be at {address}, which members does not name: add it")
                return address
        raise TargetUnreachable(f"Patroni has no member called {member!r}")

    def _listed(self) -> list[dict[str, Any]]:
        said = _object(self._answering("/cluster")[1])
        listed = said.get("members")
        if not isinstance(listed, list):
            raise TargetUnreachable("Patroni's answer to GET /cluster names no members")
        return [each for each in listed[:MOST_MEMBERS] if isinstance(each, dict)]

    def _until(self, done: Callable[[list[ClusterMember]], bool], what: str, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while True:
            seen = self.members()
            if done(seen):
                return
            if time.monotonic() > until:
                said = ", ".join(each.words for each in seen)
                raise TargetUnreachable(f"{what} is not over after {timeout_s:g} s: {said}")
            time.sleep(EVERY_S)

    def _once(self, path: str, body: dict[str, Any], timeout_s: float) -> Seen:
        """What is posted changes the cluster, and goes to one member alone: the first that answers a question.

        Where that one's answer does not come it may be done all the same; another member would do it again.
        """
        address, _ = self._answering("/cluster")
        return self._sent(address, "POST", path, body, timeout_s)

    def _answering(self, path: str) -> tuple[str, Seen]:
        """The first member that answers a question, and its answer."""
        errors = []
        for address in self.addresses:
            seen = self._sent(address, "GET", path, None, ANSWER_S)
            if seen.status is not None:
                return address, seen
            errors.append(f"{address}: {seen.error}")
        raise TargetUnreachable(f"no Patroni answers: {'; '.join(errors) or 'no members are given'}")

    def _sent(self, address: str, method: str, path: str, body: dict[str, Any] | None, timeout_s: float) -> Seen:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.user:
            login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {login}"
        data = json.dumps(body).encode() if body is not None else None
        client = WebClient(f"{self.scheme}://{address}", {}, self._context())
        seen = client.ask(method, path, headers, timeout_s=timeout_s, body=data)
        why = tls_trouble(OSError(seen.error), self.tls) if seen.error and self.scheme == "https" else ""
        return replace(seen, error=why) if why else seen

    def _context(self) -> ssl.SSLContext | None:
        return self.tls.context() if self.tls else None


def _judged(seen: Seen, what: str) -> None:
    said = " ".join(seen.body.decode(errors="replace").split())[:200]
    if seen.status in (401, 403):
        raise AccessDenied(
            f"Patroni refuses {what}: {said or seen.status}; give user and password of its REST interface"
        )
    if seen.status is None:
        raise TargetUnreachable(f"Patroni gave no answer to {what}, and may have done it: {seen.error}")
    if seen.status >= 300:
        raise TargetUnreachable(f"Patroni did not do {what}: {said or seen.error or seen.status}")


def _refused(seen: Seen, what: str) -> None:
    """Raises for what was not done; whether it was where no answer came is to be seen of the members."""
    if seen.status is not None:
        _judged(seen, what)


def _unanswered(seen: Seen) -> str:
    return f" (asked once, without an answer: {seen.error})" if seen.status is None else ""


def _object(seen: Seen) -> dict[str, Any]:
    try:
        said = json.loads(seen.body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise TargetUnreachable(f"what answers is no Patroni: status {seen.status}")
    return said


def _leads(seen: list[ClusterMember], name: str) -> bool:
    return any(each.name == name and each.leads for each in seen)


def _member(said: dict[str, Any]) -> ClusterMember:
    role, state, lag = str(said.get("role", "")), str(said.get("state", "")), said.get("lag")
    timeline = said.get("timeline")
    leads = role in ("leader", "master", "primary") and state == "running"
    return ClusterMember(
        name=str(said.get("name", "")),
        role=role,
        state=state,
        timeline=timeline if isinstance(timeline, int) else None,
        lag_bytes=lag if isinstance(lag, int) else None,
        leads=leads,
        follows=not leads and state in FOLLOWING and isinstance(lag, int),
        synchronous=role in ("sync_standby", "quorum_standby"),
    )
