"""Registers: unique writes by zones, everything else by the general search."""

from __future__ import annotations

from typing import Any

from chaosday.checkers import zones
from chaosday.checkers.base import ResultMap, foreign_to, merge_valid, result_map
from chaosday.checkers.coding import coded
from chaosday.checkers.linear import STEPS, linearizable
from chaosday.checkers.models import Register
from chaosday.checkers.per_key import keyed
from chaosday.model.history import History


def check_register(
    history: History, *, initial: Any = None, nil_read: str = "wildcard", steps: int = STEPS
) -> ResultMap:
    """Whether reads and writes, key by key, could have come from one register each.

    Keys whose writes are unique are judged by their zones, all at once; keys on which a value was
    written twice (or the initial value written) by the search, within ``steps``.
    """
    if foreign_to(history, ("read", "r", "write", "w")):
        return linearizable(history, Register(initial, nil_read), steps=steps)
    keys, values = coded(history, "key"), coded(history, "value", "result")
    layout = zones.registers(history, keys, values, initial=initial, nil_is_wild=nil_read == "wildcard")
    examined = int(layout.reads.sum() + layout.writes.sum())
    named = keyed(history)
    zoned = zones.judge(layout, keys.name if named else lambda _: None)
    result = result_map(zoned.anomalies, examined=examined, decided="zones", keys=layout.keys)
    if not len(zoned.repeated_keys):
        return result
    hard = frozenset(keys.name(int(code)) if named else None for code in zoned.repeated_keys)
    searched = linearizable(history, Register(initial, nil_read), steps=steps, only_keys=hard)
    return _both(result, searched, examined)


def _both(zoned: ResultMap, searched: ResultMap, examined: int) -> ResultMap:
    result: ResultMap = {**searched, "examined": examined, "keys": zoned["keys"], "decided": "zones and search"}
    for part in ("anomalies", "anomaly-counts"):
        result[part] = dict(sorted({**zoned[part], **searched[part]}.items()))
    result["anomaly-types"] = sorted(result["anomalies"])
    # The keys with unique writes are decided; with no others the search has nothing to say of them.
    result["valid?"] = merge_valid([zoned["valid?"], searched["valid?"]])
    return result
