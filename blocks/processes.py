"""The blocks for processes of the worker's machine."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from blocks.target_block import TargetBlock
from chaosday.model.target import Target
from chaosday.targets.local_process import LocalProcess
from chaosday.targets.python_process import PythonProcess


class WorkersProcess(TargetBlock):
    """A process on the worker's machine, chosen by number, by the file that holds its number, or by its arguments."""

    _model: ClassVar[type[Target]] = LocalProcess
    _block_type_name = "chaosday process"
    _block_type_slug = "chaosday-local-process"
    _description = "A process on the worker's machine that experiments may stop or end."

    pid: int = Field(default=0, ge=0, title="Number", description="0: chosen in one of the other ways")
    pid_file: str = Field(default="", description="A file whose first line is its number")
    pattern: str = Field(default="", description="A regular expression over its arguments")
    tree: bool = Field(default=False, description="Whether its descendants belong to it")
    restart: str = Field(default="", description="POSIX sh that starts it again; empty: only its supervisor may")
    state_dir: str = Field(default="", title="Lease directory", description="Empty: the usual one for the account")


class PythonProgram(TargetBlock):
    """A Python program on the worker's machine that was started under chaosday's switch."""

    _model: ClassVar[type[Target]] = PythonProcess
    _block_type_name = "chaosday Python program"
    _block_type_slug = "chaosday-python-process"
    _description = "A Python program whose functions experiments may delay, break, or answer for."

    pid: int = Field(default=0, ge=0, title="Process number")
    switch: str = Field(default="chaosday.switch", title="Switch file")
