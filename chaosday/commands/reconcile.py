"""``chaosday reconcile``: is the sink of a stream what its source was, while both are at work?"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from chaosday.errors import ChaosdayError, TargetUnreachable, UsageError
from chaosday.progress import listening
from chaosday.reporting.terminal import say, say_json

if TYPE_CHECKING:
    from chaosday.data.following import Follower, Reading

LEAST_S = 0.1


@click.command("reconcile", short_help="Compare a stream's sink with its source while both are at work.")
@click.argument("source")
@click.argument("sink")
@click.option("--follow", is_flag=True, help="Go on reading until Ctrl-C, or for --readings.")
@click.option("--readings", type=click.IntRange(min=1), help="With --follow: how many readings.")
@click.option("--every", default=5.0, show_default=True, metavar="SECONDS", help="Time from a reading to the next.")
@click.option("--timeout", default=30.0, show_default=True, metavar="SECONDS", help="How long a mark is waited for.")
@click.option("--key", "-k", multiple=True, help="Columns that identify a row, with commas; none: the primary key.")
@click.option("--ignore", "-i", multiple=True, help="Leave these columns out, with commas between.")
@click.option("--confirm", default=2, show_default=True, type=click.IntRange(min=1),
              help="Readings one after the other in which a row has to differ.")  # fmt: skip
@click.option("--mark", "marks", metavar="TABLE", help="The table for marks; by default chaosday.stream_marks.")
@click.option("--make-mark", is_flag=True, help="First make that table on both sides, where it is not there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a reading, on a line of its own.")
def command(source: str, sink: str, follow: bool, readings: int | None, as_json: bool, **given: object) -> None:
    """Compare the table SINK with the table SOURCE that it is replicated from, up to a mark that is set in the source
    and waited for at the sink; exit 0 equal, 1 different, 2 inconclusive, 69 where a side cannot be reached, 130 after
    Ctrl-C.

    Both are postgresql://HOST/DATABASE#SCHEMA.TABLE. A mark is a row in a table of its own that travels in the same
    stream. Rows that somebody touched in the source meanwhile are in flight, and no difference. Without --follow it
    reads as often as a difference has to be confirmed.
    """
    if readings and not follow:
        raise UsageError("--readings goes with --follow")
    every_s = float(str(given["every"]))
    if not LEAST_S <= every_s < 1e6:
        raise UsageError(f"--every is a number of seconds from {LEAST_S:g} on")
    follower = _follower(source, sink, given)
    with listening(lambda step: say(step.words, err=True)):
        if given["make_mark"]:
            follower.make_marks()
        most = readings if follow else int(str(given["confirm"]))
        sys.exit(_read(follower, most, every_s, as_json, follow=follow))


def _follower(source: str, sink: str, given: dict[str, object]) -> Follower:
    from chaosday.commands.diff import names
    from chaosday.data.following import Follower, Following
    from chaosday.data.following.marks import TABLE

    following = Following(
        key=tuple(names(given["key"])),
        ignored=frozenset(names(given["ignore"])),
        marks=str(given["marks"] or TABLE),
        timeout_s=float(str(given["timeout"])),
        confirm=int(str(given["confirm"])),
    )
    return Follower(source, sink, following)


def _read(follower: Follower, most: int | None, every_s: float, as_json: bool, *, follow: bool) -> int:
    """Read and say it, ``most`` times or until Ctrl-C; the exit code. Only the worst and the last are kept."""
    from chaosday.data.following.reading import exit_code_of

    kept: list[Reading] = []
    count = 0
    try:
        while most is None or count < most:
            if count:
                time.sleep(every_s if follow else min(every_s, 1.0))
            reading = _one(follower, follow=follow and count > 0)
            count += 1
            if reading is not None:
                _say(reading, as_json)
                kept = [*[each for each in kept if each.equal is False][:1], reading]
            if not follow and reading is not None and reading.equal:
                break
    except KeyboardInterrupt:
        if not as_json:
            bad = sum(each.equal is False for each in kept)
            say(f"ending after {count} readings{', with differences' if bad else ''}", err=True)
        raise
    return exit_code_of(kept)


def _one(follower: Follower, *, follow: bool) -> Reading | None:
    """A reading; what a side that is away for a while makes of it is said, and followed on."""
    try:
        return follower.read()
    except TargetUnreachable as error:
        if not follow:
            raise
        say(f"no reading: {error}", err=True)
        from chaosday.data.following import Reading

        return Reading(0, None, 0.0, reasons=[str(error)])
    except ChaosdayError:
        raise


def _say(reading: Reading, as_json: bool) -> None:
    if as_json:
        say_json(reading.to_dict())
        return
    say(reading.words())
    for note in reading.notes:
        say(f"  note: {note}")
