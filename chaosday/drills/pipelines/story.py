"""What a drill says in the end: attempts grouped by cause, the story of the first of each, and the words above."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chaosday.drills.pipelines.attempts import END, Attempt
from chaosday.drills.pipelines.golden import Golden

_TEXT = 90


@dataclass(frozen=True)
class Cause:
    """Attempts that fail in the same way after the same commit: most likely one mistake."""

    last_commit: str
    damage: tuple[tuple[str, str], ...]
    attempts: tuple[Attempt, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "after": self.last_commit,
            "damage": [list(each) for each in self.damage],
            "points": [each.point for each in self.attempts],
            "states": sorted({each.state for each in self.attempts}),
            "story": self.story(),
        }

    def story(self) -> list[str]:
        """The first attempt of it, step by step."""
        first = self.attempts[0]
        lines = [_killed(first)]
        if first.reruns:
            lines.append(f"it was run again: {', then '.join(first.reruns)}")
        for each in first.differences:
            rows = f"{each.rows:,} row{'s' if each.rows != 1 else ''} {each.kind}"
            sample = f": {'; '.join(each.sample)}" if each.sample else ""
            lines.append(f"{each.output}: {rows}{sample}")
        lines += [f"its last words: {line}" for line in first.output.splitlines()[-3:]]
        lines.append(f"again, this one alone: chaosday run FILE --only {first.point}")
        return lines


def causes(attempts: Sequence[Attempt]) -> list[Cause]:
    """Every attempt that went wrong, by the last commit before it and what is wrong; the first ones first."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        if attempt.differences:
            found[attempt.last_commit, tuple(attempt.classes)].append(attempt)
    return [Cause(commit, damage, tuple(of)) for (commit, damage), of in found.items()]


def words(attempts: Sequence[Attempt]) -> list[str]:
    """One line a cause, then what was covered."""
    hit = [each for each in attempts if each.hit]
    states = len({each.state for each in hit})
    lines = []
    for cause in causes(hit):
        damage = " and ".join(f"{output} {kind}" for output, kind in cause.damage)
        count = len({each.state for each in cause.attempts})
        after = f"after «{short(cause.last_commit)}»" if cause.last_commit else "before anything was committed"
        lines.append(f"{count} of {states} crash states leave {damage}: {after}")
        lines += [f"  {line}" for line in cause.story()]
    return lines or [f"0 of {states} crash states leave anything but what an undisturbed run leaves"]


def coverage(golden: Golden, stores: Sequence[str], not_covered: dict[str, int]) -> list[str]:
    """What was watched, and what was not."""
    lines = [
        f"covered: {len(stores)} of {len(stores)} databases ({', '.join(stores)}), {golden.asks:,} asks in"
        f" {golden.connections} connection{'s' if golden.connections != 1 else ''}"
    ]
    lines += [f"not covered: {count} to {address}" for address, count in sorted(not_covered.items())]
    return lines


def short(text: str) -> str:
    """A statement on one line, cut off."""
    line = " ".join(text.split())
    return line if len(line) <= _TEXT else f"{line[:_TEXT]}..."


def _killed(attempt: Attempt) -> str:
    if attempt.way == END:
        return "the run ended well, and its scheduler did not hear of it"
    side = "when it was asked, before the server had" if attempt.point.endswith("before") else "after the server had"
    done = "done anything of it" if attempt.point.endswith("before") else "done it, before the client knew"
    return f"killed at point {attempt.point}, «{short(attempt.text)}»: {side} {done}"
