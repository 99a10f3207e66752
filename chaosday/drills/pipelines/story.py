"""What a drill says in the end: attempts grouped by cause, the story of the first of each, and the words above."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chaosday.checks.exactly_once import CRASHES, DISTURBED
from chaosday.drills.pipelines.attempts import CUT, END, KILL, LATE, NEVER_RECOVERS, STUCK, ZOMBIE, Attempt
from chaosday.drills.pipelines.golden import Golden
from chaosday.drills.pipelines.points import BEFORE
from chaosday.drills.pipelines.remedies import SWAP, Remedy, remedy_of

_TEXT = 90
_HOW = {KILL: "killed", CUT: "its connection was cut", LATE: "killed", ZOMBIE: "it stood still"}
_WENT_ON = {LATE: "what the dead one had asked arrived", ZOMBIE: "the first run went on"}


@dataclass(frozen=True)
class Cause:
    """Attempts that fail in the same way after the same commit: most likely one mistake."""

    what: str
    """What its attempts are: crash states, or what one of another way is called."""
    last_commit: str
    damage: tuple[tuple[str, str], ...]
    attempts: tuple[Attempt, ...]
    remedy: Remedy | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "after": self.last_commit,
            "damage": [list(each) for each in self.damage],
            "points": [each.point for each in self.attempts],
            "states": sorted({each.state for each in self.attempts}),
            "story": self.story(),
            "remedy": self.remedy.to_dict() if self.remedy else None,
        }

    @property
    def count(self) -> int:
        """How many crash states, or points, lead to it."""
        return len({each.place for each in self.attempts})

    def story(self) -> list[str]:
        """The first attempt of it, step by step."""
        first = self.attempts[0]
        lines = [_disturbed(first)]
        if first.ended and first.way == CUT:
            lines.append(f"it ended with {first.ended}" + ("" if first.reruns else ", and nobody ran it again"))
        if first.reruns:
            lines.append(f"it was run again: {', then '.join(first.reruns)}")
        if first.way in _WENT_ON:
            when = "while that waited for its locks" if first.in_the_way else "after that"
            ended = f", and ended with {first.ended}" if first.ended else ""
            lines.append(f"{_WENT_ON[first.way]} {when}{ended}")
        for each in first.differences:
            if each.kind in (NEVER_RECOVERS, STUCK):
                lines.append(f"{each.output}: {each.kind}")
                continue
            rows = f"{each.rows:,} row{'s' if each.rows != 1 else ''} {each.kind}"
            sample = f": {'; '.join(each.sample)}" if each.sample else ""
            lines.append(f"{each.output}: {rows}{sample}")
        lines += [f"its last words: {line}" for line in filter(str.strip, first.output.splitlines()[-3:])]
        if self.remedy is not None:
            lines.append(f"what helps: {self.remedy.words} (docs/pipelines/{self.remedy.page})")
        lines.append(f"again, this one alone: chaosday run FILE --only {first.point}")
        return lines


def causes(attempts: Sequence[Attempt], *, files: bool = False) -> list[Cause]:
    """Every attempt that went wrong, by the last commit before it and what is wrong; the first ones first.

    ``files`` is whether the pipeline keeps any of its own between runs: then other things help.
    """
    found: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        if attempt.differences:
            found[_what(attempt), attempt.last_commit, tuple(attempt.classes)].append(attempt)
    wrong = [attempt for of in found.values() for attempt in of]
    return [Cause(*common, tuple(of), remedy_of(of, wrong, files=files)) for common, of in found.items()]


def words(attempts: Sequence[Attempt], *, files: bool = False) -> list[str]:
    """One line a cause with its story, then the ways in which nothing was found."""
    hit = [each for each in attempts if each.hit]
    places: dict[str, set[object]] = defaultdict(set)
    for each in hit:
        places[_what(each)].add(each.place)
    lines, found = [], causes(hit, files=files)
    for cause in found:
        damage = " and ".join(f"{output} {kind}" for output, kind in cause.damage)
        after = f"after «{short(cause.last_commit)}»" if cause.last_commit else "before anything was committed"
        lines.append(f"{cause.count} of {len(places[cause.what])} {cause.what} leave {damage}: {after}")
        lines += [f"  {line}" for line in cause.story()]
    wrong = {cause.what for cause in found}
    sound = {what: len(of) for what, of in places.items() if what not in wrong}
    return lines + [f"0 of {n} {what} leave anything but what an undisturbed run leaves" for what, n in sound.items()]


def coverage(golden: Golden, stores: Sequence[str], not_covered: dict[str, int]) -> list[str]:
    """What was watched, and what was not."""
    lines = []
    if stores:
        lines.append(
            f"covered: {len(stores)} of {len(stores)} databases ({', '.join(stores)}), {golden.asks - golden.acts:,}"
            f" asks in {golden.connections} connection{'s' if golden.connections != 1 else ''}"
        )
    if golden.acts:
        between = f"; {golden.folded:,} writes in a row, between the first and the last, are no points"
        lines.append(f"covered: {golden.acts:,} changes of files that live on{between if golden.folded else ''}")
    lines.append(f"torn windows: {sum(map(len, golden.torn.values()))}")
    lines += [
        f"  {output} is neither as before nor as in the end after «{short(texts[0])}»"
        + (f", and {len(texts) - 1} times more" if len(texts) > 1 else "")
        for output, texts in golden.torn.items()
    ]
    if golden.torn:
        lines.append(f"  what helps: {SWAP.words} (docs/pipelines/{SWAP.page})")
    if golden.windows_left_out:
        lines.append(f"  after {golden.windows_left_out} asks nobody looked: it took too long, or they were locked")
    lines += [f"not covered: {count} to {address}" for address, count in sorted(not_covered.items())]
    return lines


def short(text: str) -> str:
    """A statement on one line, cut off."""
    line = " ".join(text.split())
    return line if len(line) <= _TEXT else f"{line[:_TEXT]}..."


def _what(attempt: Attempt) -> str:
    return DISTURBED.get(attempt.way, CRASHES)


def _disturbed(attempt: Attempt) -> str:
    if attempt.way == END:
        return "the run ended well, and its scheduler did not hear of it"
    before = attempt.point.split(".")[1] == BEFORE
    if attempt.of_files:
        side = "before the kernel had done" if before else "after the kernel had done"
        return f"{_HOW[attempt.way]} at point {attempt.point}, «{short(attempt.text)}»: {side} it"
    side = "when it was asked, before the server had" if before else "after the server had"
    done = "done anything of it" if before else "done it, before the client knew"
    return f"{_HOW[attempt.way]} at point {attempt.point}, «{short(attempt.text)}»: {side} {done}"
