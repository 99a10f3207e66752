"""Anything that answers HTTP: an application, a metrics server, an alert manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SecretStr

from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.http_proxy.web import Web, WebClient
from chaosday.model.target import Target


class WebService(Target):
    """A base address, and what every request to it carries."""

    kind: Literal["web_service"] = "web_service"
    base_url: str = Field(default="http://127.0.0.1:9090", pattern=r"^https?://[^\s@]+$")
    token: SecretStr | None = Field(default=None, title="Bearer token")
    token_header: str = "Authorization"
    timeout_s: float = Field(default=5, gt=0)

    def capabilities(self) -> Mapping[type[Any], Any]:
        return {Web: self._client()}

    def reach(self) -> str:
        """Any whole answer will do; what it says is for probes to judge."""
        seen = self._client().ask("GET", "/", {}, timeout_s=self.timeout_s)
        if seen.status is None:
            raise TargetUnreachable(f"{self.base_url} does not answer: {seen.error}")
        return f"{self.base_url}, which answered {seen.status} in {seen.seconds * 1000:.0f} ms"

    def _client(self) -> WebClient:
        if self.token is None:
            return WebClient(self.base_url, {})
        secret = self.token.get_secret_value()
        return WebClient(self.base_url, {self.token_header: f"Bearer {secret}"})
