"""Looking again at faults while they are meant to last: a first look alone cannot tell one that died a moment later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from chaosday.clock import Clock
from chaosday.errors import ChaosdayError
from chaosday.model.fault import Bite, FaultPlan, Met
from chaosday.model.target import Target
from chaosday.record.journal import Journal
from chaosday.running.hiding import Placed, may_hide
from chaosday.running.lifecycle import Lifecycle
from chaosday.undo.undoing import Attempt

LAST_LOOK_S = 60.0
"""How long the last look is waited for at the least: one that is under way has to end before it begins."""
LOOKS = 3
"""The last look is waited for as long as so many looks took: that one, and a last one that looks twice."""
STEP_S = 0.05


class Watch:
    """One fault, from its injection to its end, looked at in a thread of its own.

    What is gone in two looks, one right after the other, is gone: one look may be mistaken on a busy machine.
    """

    def __init__(self, lifecycle: Lifecycle, journal: Journal, clock: Clock, plan: FaultPlan) -> None:
        self.plan = plan
        self.first: Bite | None = None
        self.told: Bite | None = None
        """What all looks together say of it, once it has ended."""
        self.began_ns = self.seen_ns = clock.monotonic_ns()
        self.ended_ns = 0
        self.behind = ""
        """The kind of a fault that came later and may hide this one."""
        self._lifecycle, self._journal, self._clock = lifecycle, journal, clock
        self._looks, self._missed, self._first_s, self._longest_s = 1, 0, 0.0, 0.0
        self._gone_ns, self._unseen_ns, self._why, self._silent, self._nothing = 0, 0, "", "", False
        self._met: Met | None = None
        self._wake, self._dropped = threading.Event(), False
        self._thread: threading.Thread | None = None

    def injected(self) -> None:
        """It is on from now."""
        self.began_ns = self.seen_ns = self._clock.monotonic_ns()

    def begin(self, bite: Bite, *, meant_to_last: bool) -> None:
        """Its first bite was measured; look from now on."""
        self.first, self.seen_ns = bite, self._clock.monotonic_ns()
        self._first_s = (self.seen_ns - self.began_ns) / 1e9
        if bite.bit and meant_to_last:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Let the last look begin."""
        self._wake.set()

    def end(self, hurried: Callable[[], bool], *, demanded: bool, asked_s: float) -> None:
        """Await the last look, asked for at ``asked_s`` (monotonic), unless somebody is in a hurry.

        ``demanded``: there were clients who should have met it.
        """
        if self.ended_ns:
            return
        limit_s = max(LAST_LOOK_S, LOOKS * (self._longest_s or self._first_s))
        while self._thread is not None and self._thread.is_alive() and not hurried():
            if time.monotonic() > asked_s + limit_s:
                self._silent = f"no answer in {limit_s:.0f} s"
                self._unseen_ns = self._unseen_ns or self._clock.monotonic_ns()
                break
            self._thread.join(STEP_S)
        self._dropped = True
        self.ended_ns = self._gone_ns or self._clock.monotonic_ns()
        self.told = self._judged(self.first, demanded) if self.first is not None else None

    def _watch(self) -> None:
        while not self._nothing:
            last = self._wake.wait(self._lifecycle.fault_of(self.plan).look_every_s)
            if self._dropped:
                return
            began_s = time.monotonic()
            self._look()
            self._longest_s = max(self._longest_s, time.monotonic() - began_s)
            if last:
                return

    def _look(self) -> None:
        at_ns = self._clock.monotonic_ns()
        found = self._found() or self._found()
        if self._dropped or self._nothing:
            return
        # No answer is no look.
        self._looks += not self._silent
        if found:
            self.seen_ns, self._unseen_ns = at_ns, 0
        else:
            self._missed += not self._silent
            self._unseen_ns = self._unseen_ns or at_ns
        if not found and not self._silent and not self._gone_ns and not self.behind:
            self._gone_ns = at_ns
        lease, words = self.plan.lease, "" if found else self._silent or self._why
        # A full disk, or the run's end, may keep it from being written.
        with suppress(OSError, ChaosdayError):
            self._journal.append(
                "looked", lease=lease.id, fault=lease.fault, target=lease.target, found=found, words=words
            )

    def _found(self) -> bool:
        """Whether it is there; no answer is no look."""
        tried, bite = Attempt("looking"), None
        self._silent = ""
        with tried:
            bite = self._lifecycle.look(self.plan)
            self._met = self._lifecycle.met(self.plan) or self._met
        if tried.error:
            self._silent = tried.error.removeprefix("looking: ")
            return False
        self._nothing = bite is None
        if bite is not None and not bite.bit and not self._gone_ns:
            self._why = bite.why
        return bite is None or bite.bit

    def _judged(self, first: Bite, demanded: bool) -> Bite:
        said, seen_s = {"looks": self._looks, "met": self._met}, (self.seen_ns - self.began_ns) / 1e9
        if self._gone_ns:
            after_s = round((self._gone_ns - self.began_ns) / 1e9, 1)
            why = f"no bite from {after_s} s on: {self._why}; at first: {first.why}"
            return first.model_copy(update={**said, "bit": False, "gone_after_s": after_s, "why": why})
        if self._silent and not self.behind:
            why = f"it was last seen {seen_s:.1f} s after the injection, and not at its end: {self._silent}"
            return first.model_copy(update={**said, "bit": False, "why": f"{why}; at first: {first.why}"})
        if demanded and self._met is not None and not self._met.hurt:
            why = f"nobody met it but its own canaries: {self._met.words}; to these: {first.why}"
            return first.model_copy(update={**said, "bit": False, "why": why})
        return first.model_copy(update={**said, "why": f"{first.why}{self._still(seen_s)}"})

    def _still(self, seen_s: float) -> str:
        """In how many looks it was found, and since when not, where another fault may have hidden it."""
        found = f"each of {self._looks}" if not self._missed else f"{self._looks - self._missed} of {self._looks}"
        still = f"; in {found} looks, the last after {seen_s:.1f} s" if self._looks > 1 else ""
        if self._unseen_ns:
            still += f"; not seen any more since {(self._unseen_ns - self.began_ns) / 1e9:.1f} s"
        hidden = self._thread is not None and self.behind
        return f"{still}; {self.behind} was on later as well, and may have hidden it" if hidden else still


class Looking:
    """All faults of a run that were injected."""

    def __init__(self, lifecycle: Lifecycle, journal: Journal, clock: Clock, targets: Mapping[str, Target]) -> None:
        self._lifecycle, self._journal, self._clock, self._targets = lifecycle, journal, clock, targets
        self.watches: list[Watch] = []

    def begin(self, plan: FaultPlan) -> Watch:
        """A fault is about to be injected: from its first effect on it may hide others."""
        for other in self.watches:
            if not other.ended_ns and self._may_hide(plan, other.plan):
                other.behind = other.behind or plan.lease.fault
        watch = Watch(self._lifecycle, self._journal, self._clock, plan)
        self.watches.append(watch)
        return watch

    def end(self, hurried: Callable[[], bool], *, demanded: bool, plan: FaultPlan | None = None) -> None:
        """The last look at one fault, or at all of them at once: several that say nothing are waited for together."""
        chosen, asked_s = [each for each in self.watches if plan is None or each.plan is plan], time.monotonic()
        for watch in chosen:
            watch.wake()
        for watch in chosen:
            watch.end(hurried, demanded=demanded, asked_s=asked_s)

    def _may_hide(self, later: FaultPlan, earlier: FaultPlan) -> bool:
        new, old = (
            Placed(self._lifecycle.fault_of(plan), self._targets[plan.lease.target]) for plan in (later, earlier)
        )
        return may_hide(new, old, self._targets.values())

    def told(self, bite: Bite) -> Bite:
        """What all looks together say, for what the first one said."""
        return next((watch.told for watch in self.watches if watch.first is bite and watch.told), bite)
