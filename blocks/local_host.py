"""The block for the worker's own machine."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from blocks.target_block import TargetBlock
from chaosday.model.target import Target
from chaosday.targets.local_host import LocalHost


class WorkersHost(TargetBlock):
    """The machine that the worker runs on. Whatever is hurt there is hurt for the worker too."""

    _model: ClassVar[type[Target]] = LocalHost
    _block_type_name = "chaosday worker's own host"
    _block_type_slug = "chaosday-local-host"
    _description = "The machine that the worker itself runs on."

    state_dir: str = Field(default="", title="Lease directory", description="Empty: the usual one for the account")
