"""A rule of advice: the settings that it needs, what they can lose, where that is written, and what would show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Shown = Literal["crash", "power", "failover", ""]
"""What would show it: a server killed, its power cut, its replica promoted; empty where we have nothing that would."""


@dataclass(frozen=True)
class Settings:
    """What a system said of itself: values as it writes them, and why others could not be read."""

    values: Mapping[str, str]
    unread: Mapping[str, str] = field(default_factory=dict)
    data: str = ""
    """Where its data lies on this machine; empty where that is not known, or elsewhere."""


@dataclass(frozen=True)
class Rule:
    """``loses`` gives what can be lost, in words, and nothing where the settings are sound."""

    name: str
    needs: tuple[str, ...]
    loses: Callable[[Mapping[str, str]], str]
    risk: int
    """3: acknowledged data is lost by one usual event; 2: by a rarer one; 1: damage would not be seen, or spreads."""
    cites: str
    shown_by: Shown = ""
    finding: str = ""
    """The twin in deployments/findings that shows it in the lab, sound and unsound."""


def unless(name: str, sound: tuple[str, ...], words: str) -> Callable[[Mapping[str, str]], str]:
    """Words where a setting has none of the sound values; the value may stand in them as ``{value}``."""

    def loses(values: Mapping[str, str]) -> str:
        value = values[name].strip().lower()
        return "" if value in sound else words.format(value=value)

    return loses


NAMED = 3
"""Named one by one, of many that are alike."""


def some_of(names: Iterable[str]) -> str:
    """The first of them by name, and how many more there are; empty for none."""
    listed = sorted(names)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more
