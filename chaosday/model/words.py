"""What a text may be that reaches a shell or a tool: patterns for fields, and the same for what a target says.

A value is never a program, and never an option: no word begins with a dash. Where a pattern is not enough (a path may
hold anything) the value is an argument of the script (``"$1"``) or quoted.
"""

from __future__ import annotations

import re

from chaosday.errors import MalformedInput

DEVICE = r"^([A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,127})?$"
"""A network interface, a block device, a service, a unit: one plain word, or nothing."""
ADDRESS = r"^([A-Za-z0-9_:.][A-Za-z0-9_.:%-]*|\[[0-9A-Fa-f:.]+\]:[0-9]+)?$"
"""An IP address or a host's name, with a port after a colon where one is meant, or nothing."""
KUBE_NAME = r"^([A-Za-z0-9][A-Za-z0-9.:_-]{0,252})?$"
"""The name of an object of a cluster, or nothing."""
NO_LOGIN = r"^(https?://[^\s@]+)?$"
"""The address of a service, or nothing; with a password in it, it would be written down and shown as addresses are."""
ABSOLUTE = r"^/[^\x00-\x1f\x7f]*$"
"""A path from the root on, without control characters."""
CONTAINER = r"^[0-9a-f]{12,64}$"
PROCESS = r"^[0-9]+:[0-9]+$"


def said(what: str, text: str, pattern: str) -> str:
    """``text`` as a target printed it, if it is what it should be; ``MalformedInput`` names ``what`` it is not."""
    if re.fullmatch(pattern.removesuffix("$").removeprefix("^"), text):
        return text
    raise MalformedInput(f"the target says {text[:80]!r}, which is no {what}: nothing was done with it")
