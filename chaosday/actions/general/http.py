"""A request as an action: a flag that is set, a drain that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.http_proxy.web import Web
from chaosday.model.action import Reversible
from chaosday.model.target import Target

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class HttpAction(Reversible):
    """Asks a ``web_service``; a status of 400 or more did not work. ``undo_path`` is asked as the run ends."""

    kind: Literal["http"] = "http"
    method: Method = "POST"
    path: str = Field(default="/", pattern=r"^/[^\s]*$")
    body: str = ""
    content_type: str = Field(default="application/json", pattern=r"^[\x20-\x7e]*$")
    undo_method: Method = "POST"
    undo_path: str = Field(default="", pattern=r"^(/[^\s]*)?$")
    undo_body: str = ""
    timeout_s: float = Field(default=10, gt=0, le=3600)

    @property
    def has_undo(self) -> bool:
        return bool(self.undo_path)

    def act(self, targets: Mapping[str, Target]) -> str:
        return self._ask(targets[self.target], self.method, self.path, self.body)

    def take_back(self, targets: Mapping[str, Target]) -> str:
        return self._ask(targets[self.target], self.undo_method, self.undo_path, self.undo_body)

    def _ask(self, target: Target, method: str, path: str, body: str) -> str:
        headers = {"Content-Type": self.content_type} if body else {}
        seen = target.capability(Web).ask(
            method, path, headers, timeout_s=self.timeout_s, body=body.encode() if body else None
        )
        if seen.status is None or seen.status >= 400:
            raise TargetUnreachable(f"{method} {path}: {seen.error or seen.status}")
        return f"{method} {path}: {seen.status} in {seen.seconds * 1000:.0f} ms"
