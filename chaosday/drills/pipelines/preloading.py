"""Runs that begin where the imports of a Python program end, if by that nothing can be told from a fresh process.

One run is forked before anything is imported, and writes down which installed modules it has imported in the end. They
are imported once under watch: where that opens a connection, or leaves threads, processes, files or other variables,
nothing is preloaded. Then they are imported for all, and a last undisturbed run has to ask the same, commit as often
and leave the same outputs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable

from chaosday.drills.pipelines.bench import Bench, Ran
from chaosday.drills.pipelines.comparing import Comparator
from chaosday.drills.pipelines.golden import BASE, Golden
from chaosday.drills.pipelines.points import BEFORE, Left, Point, Recorder
from chaosday.drills.pipelines.sighting import GOLDEN
from chaosday.errors import Unavailable
from chaosday.mechanisms.wire.conversation import Gate
from chaosday.mechanisms.wire.messages import kin
from chaosday.processes.forking import ForkServer

WORTH = 8
"""With fewer attempts the runs that it takes are more than it saves."""


def preload(bench: Bench, golden: Golden, over: Callable[[], bool]) -> str:
    """Have the bench's runs forked from a process with the imports done; why not, in words, where it stays as it is."""
    try:
        why = _preload(bench, golden, over)
    except Unavailable as error:
        why = str(error)
    if why:
        bench.do_not_fork()
    return why


def _preload(bench: Bench, golden: Golden, over: Callable[[], bool]) -> str:
    names = bench.scratch / "modules"
    names.unlink(missing_ok=True)
    forks = _begun(bench)
    if forks is None:
        return "the command is no script that Python is given without options"
    forks.extra = {"learn": str(names)}
    if why := _as_ever(bench, golden, over):
        return why
    if not names.is_file():
        return "it ends without letting its interpreter finish"
    forks = _begun(bench)
    if forks is None:
        raise Unavailable("the program is gone")
    forks.extra = {"probe": str(names)}
    why = _harm(bench.run(Gate(), bench.value.days[-1], over=over))
    forks.extra = {}
    if not why and (left := forks.preload(names, bench.work)):
        why = f"its imports leave {', '.join(left)}"
    return why or _as_ever(bench, golden, over)


def _begun(bench: Bench) -> ForkServer | None:
    bench.restore(BASE)
    return bench.fork(bench.value.days[-1])


def _harm(ran: Ran) -> str:
    """What imports do beyond importing: that cannot be shared."""
    if reached := [*ran.uncovered, *ran.kept_off]:
        return f"its imports connect to {reached[0]}"
    try:
        left = json.loads(ran.output) if ran.well else None
    except ValueError:
        left = None
    if left is None:
        return f"its imports cannot be repeated apart: {ran.said}"
    if ran.daemons and not left:
        left = [f"{ran.daemons} process{'es' if ran.daemons > 1 else ''}"]
    return f"its imports leave {', '.join(left)}" if left else ""


def _as_ever(bench: Bench, golden: Golden, over: Callable[[], bool]) -> str:
    """Run it once more, undisturbed: what differs from a fresh process; empty where nothing does."""
    bench.restore(BASE)
    recorder = Recorder(bench.watch())
    ends: list[Left] = []
    ran = bench.run(recorder, bench.value.days[-1], over=over, settled=lambda: ends.append(recorder.look()))
    if over():
        return "there was no time for it"
    comparator = Comparator(bench.copies, bench.value, bench.scratch)
    try:
        differences = comparator.compare(GOLDEN) if ran.well else []
    finally:
        comparator.close()
    if not ran.well:
        return f"forked it ends with {ran.words}: {ran.said}"
    if differences:
        return f"forked it leaves {differences[0].output} {differences[0].kind}"
    if _asked(recorder.points) != _asked(golden.points) or ends[0] != golden.end:
        return "forked it does not ask the same"
    if set(ran.uncovered) != set(golden.uncovered):
        return "forked it connects to others"
    golden.seconds = ran.seconds
    return ""


def _asked(points: Iterable[Point]) -> Counter[str]:
    return Counter(kin(point.text) for point in points if point.side == BEFORE)
