"""How a fault is undone, in words: the undo itself is data for programs, and stays whole in ``plan.json``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

NOTHING = "nothing to undo"
_PROGRAMS = frozenset(
    {"tc", "nft", "iptables", "ip6tables", "ip", "kill", "mount", "umount", "date", "rm", "mv", "cp", "systemctl"}
    | {"service", "docker", "podman", "dmsetup", "losetup", "fusermount3", "chmod", "chown", "sysctl", "python3"}
)
_COMMAND = re.compile(r"(?:^|[;&|({]|\b(?:do|then|else))\s*\b(?!do\b|then\b|else\b)([a-z][\w-]*)", re.MULTILINE)
_SHOWN = 3


def undo_in_words(undo: str | Mapping[str, Any], at: str = "the target") -> str:
    """One sentence, whatever the undo is: a shell script's text, or what a proxy, a cloud or a database keeps."""
    if isinstance(undo, str):
        return _script(undo, at)
    for field, words in _WORDS.items():
        if field in undo:
            return words(undo)
    named = ", ".join(map(str, undo))
    return f"what was kept is put back: {named}" if named else NOTHING


def _script(script: str, at: str) -> str:
    lines = [line for line in script.splitlines() if line.strip() and not line.startswith("PATH=")]
    # ":" is the shell's way of doing nothing.
    if not lines or [line.strip() for line in lines] == [":"]:
        return NOTHING
    programs = [name for name in dict.fromkeys(_COMMAND.findall(script)) if name in _PROGRAMS]
    length = f"{len(lines)} line{'s' if len(lines) > 1 else ''}"
    by = f", by {_listed(programs)}" if programs else ""
    return f"a script of {length} on {at} takes away what is ours{by}"


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= _SHOWN else [*names[:_SHOWN], f"{len(names) - _SHOWN} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _several(count: int, one: str) -> str:
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def _inside(undo: Mapping[str, Any], field: str) -> list[Any]:
    """What is kept in a field as JSON."""
    try:
        return list(orjson.loads(str(undo.get(field, "[]"))))
    except (orjson.JSONDecodeError, TypeError):
        return []


def _calls(undo: Mapping[str, Any]) -> str:
    calls = [f"{call.get('service')}.{call.get('operation')}" for call in _inside(undo, "calls")]
    asked = f"AWS is asked for {_listed(list(dict.fromkeys(calls)))}" if calls else "AWS is asked for nothing"
    return f"{asked}, and our tag taken off {_several(len(_inside(undo, 'resources')), 'resource')}"


def _changes(undo: Mapping[str, Any]) -> str:
    return f"{_several(len(_inside(undo, 'changes')), 'change')} in the cluster taken back"


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "toxic": lambda undo: "the proxy takes it off the route",
    "effect": lambda undo: f"the proxy takes its rule off ({undo['effect']})",
    "switch": lambda undo: f"the rule is taken out of the program's switch, else by {undo['switch']}",
    "fis": lambda undo: "the experiment in FIS is stopped, and its actions revert",
    "objects": lambda undo: f"{_several(len(_inside(undo, 'objects')), 'object')} put back as kept in the bucket",
    "keys": lambda undo: f"{_several(len(_inside(undo, 'keys')), 'row')} of {undo.get('table')} put back as kept",
    "changes": _changes,
    "calls": _calls,
}
