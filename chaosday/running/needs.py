"""Whether a target offers what a fault needs, and which kinds of target would."""

from __future__ import annotations

from functools import cache
from typing import Any

from chaosday.errors import CapabilityMissing, UsageError
from chaosday.model.fault import Fault
from chaosday.model.target import Target
from chaosday.registry import members


def need_capabilities(fault: Fault, target: Target) -> None:
    """``CapabilityMissing`` that says what to set in the target, or which kinds of target to point the fault at."""
    offered = target.capabilities()
    for protocol in fault.requires:
        if protocol in offered:
            continue
        words = f"{fault.kind} needs {protocol.__name__}: {target.lacking(protocol)}"
        if protocol not in target.offers_with:
            words += f"; kinds that do: {', '.join(kinds_that_offer(*fault.requires)) or 'none here'}"
        raise CapabilityMissing(words)


def kinds_that_offer(*protocols: type[Any]) -> list[str]:
    """Kinds of target that offer all of them, of themselves or where a field is set."""
    return [kind for kind, offered in _offered().items() if offered.issuperset(protocols)]


@cache
def _offered() -> dict[str, frozenset[type[Any]]]:
    found = {}
    for kind, model in members("targets").items():
        if not issubclass(model, Target):
            continue
        try:
            offered = set(model.model_validate({}).capabilities())
        except UsageError:
            # One that has to be told more before it can say; what it offers then stands in offers_with.
            offered = set()
        found[kind] = frozenset(offered | set(model.offers_with))
    return found
