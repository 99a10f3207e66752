"""A function of somebody's own package, called by its path; whatever it does comes back as an answer or an error."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from chaosday.errors import CapabilityMissing, TargetUnreachable, UsageError
from chaosday.processes.limits.within import Underway, in_a_line

PATH = r"^([A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*:[A-Za-z][A-Za-z0-9_]*)?$"
"""``package.module:function``, or nothing; names with a leading underscore are nobody else's business."""


def called(path: str, arguments: Mapping[str, Any], timeout_s: float) -> Any:
    """What the function returns; ``TargetUnreachable`` for what it raises and where it takes longer.

    ``CapabilityMissing`` where there is no such function here.
    """
    if not path:
        raise UsageError("say which function to call: package.module:function")
    module, _, name = path.partition(":")
    asked = Underway(lambda: getattr(importlib.import_module(module), name)(**arguments))
    if not asked.ended(timeout_s):
        raise TargetUnreachable(f"{path} did not return within {timeout_s:g} s")
    said = asked.outcome()
    if isinstance(said, (ImportError, AttributeError)):
        raise CapabilityMissing(f"{path} cannot be called here: {in_a_line(said)}")
    if isinstance(said, BaseException):
        raise TargetUnreachable(f"{path} failed: {in_a_line(said)}")
    return said
