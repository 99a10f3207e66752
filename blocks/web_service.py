"""The block for a service that answers over HTTP."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from blocks.target_block import TargetBlock
from chaosday.model.target import Target
from chaosday.targets.web_service import WebService


class WebServiceBlock(TargetBlock):
    """A base address and the token that requests carry: what probes and guards ask, Prometheus among others."""

    _model: ClassVar[type[Target]] = WebService
    _block_type_name = "chaosday web service"
    _block_type_slug = "chaosday-web-service"
    _description = "A web service, or a Prometheus, that is asked whether all is well."

    base_url: str = Field(default="http://127.0.0.1:9090", pattern=r"^https?://[^\s@]+$", title="Address")
    token: SecretStr | None = Field(default=None, title="Bearer token")
    token_header: str = Field(default="Authorization")
    timeout_s: float = Field(default=5, gt=0, title="Longest wait for an answer, in seconds")
