"""One switch that halts everything: live runs end their faults, and nothing new starts.

The switch is a file, so that a person with a shell and nothing else can throw it. A switch that cannot be read
is on: whoever cannot ask whether to stop has stopped.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import orjson

from chaosday.clock import Clock, SystemClock, iso
from chaosday.errors import ChaosdayError, EvidenceUnwritable, UsageError
from chaosday.model.base import Model
from chaosday.processes.limits.within import Underway, in_a_line
from chaosday.processes.login import user_name
from chaosday.record.run_directory import runs_root

VARIABLE = "CHAOSDAY_HALT"
POLL_S = 0.5
ANSWER_S = 60.0
"""Longer than Prefect's own client waits before it tries once more."""
NO_REASON = "say why, for whoever finds everything halted"


class HaltReading(Model):
    """Whether everything is halted, and in words by whom and why."""

    halted: bool
    words: str = ""


class HaltSwitch(Protocol):
    """Something that can be asked whether to stop; never raises. ``local`` ones answer at once."""

    @property
    def local(self) -> bool: ...

    def reading(self) -> HaltReading: ...


class HaltFile:
    """The switch of everybody who shares a file: there, it is on; away, it is off; unreadable, it is on."""

    local = True

    def __init__(self, path: Path | None = None) -> None:
        named = os.environ.get(VARIABLE)
        self.path = path or (Path(named) if named else runs_root() / "HALT")
        self._must_have_folder = path is not None or bool(named)

    def reading(self) -> HaltReading:
        try:
            # Whatever lies there means halted; only a file is read: a pipe would give its answer never.
            if not stat.S_ISREG(self.path.stat().st_mode):
                return HaltReading(halted=True, words=f"the halt switch {self.path} is no file, which means halted")
            said = orjson.loads(self.path.read_bytes())
            return HaltReading(halted=True, words=f"halted by {said['by']} at {said['at']}: {said['why']}")
        except FileNotFoundError:
            if os.path.lexists(self.path):
                return HaltReading(halted=True, words=f"the halt switch {self.path} leads nowhere, which means halted")
            # A switch that somebody named lies in a folder that somebody made: without it, the share is offline.
            if self._must_have_folder and not self.path.parent.is_dir():
                return HaltReading(
                    halted=True, words=f"the halt switch is out of reach: there is no {self.path.parent}"
                )
            return HaltReading(halted=False)
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
            words = f"the halt switch {self.path} cannot be read ({type(error).__name__}), which means halted"
            return HaltReading(halted=True, words=words)

    def halt(self, why: str, clock: Clock | None = None) -> None:
        """Throw the switch; it is durable when this returns. ``UsageError`` without a reason."""
        if not why.strip():
            raise UsageError(NO_REASON)
        said = {"why": why.strip(), "by": user_name(), "at": iso((clock or SystemClock()).wall_ns())}
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(orjson.dumps(said))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        except OSError as error:
            raise EvidenceUnwritable(f"the halt switch {self.path} cannot be thrown: {error.strerror}") from None

    def resume(self) -> bool:
        """Take it back; False where it was not on."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise EvidenceUnwritable(f"the halt switch {self.path} cannot be taken back: {error.strerror}") from None
        return True


class HaltWatch:
    """Asks every switch twice a second and calls ``stop`` with the words of one that is on.

    Each has a thread of its own: one that takes its time does not keep the others from being asked.
    """

    def __init__(self, switches: Sequence[HaltSwitch], stop: Callable[[str], None], *, every_s: float = POLL_S) -> None:
        self._stop_run, self._every_s = stop, every_s
        self._over, self._told = threading.Event(), False
        self._threads = [threading.Thread(target=self._watch, args=(switch,), daemon=True) for switch in switches]

    def start(self) -> None:
        """Begin asking."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No more; any number of times. One that still waits for an answer is left behind."""
        self._over.set()

    def blind(self) -> str:
        """Why nobody asks any more, empty while every switch is asked: for whoever relies on the watch."""
        gone = any(thread.ident is not None and not thread.is_alive() for thread in self._threads)
        if gone and not self._over.is_set() and not self._told:
            return "a watch on a halt switch ended by itself, which means halted"
        return ""

    def _watch(self, switch: HaltSwitch) -> None:
        while not self._over.wait(self._every_s):
            words = halted_by([switch])
            if words and not self._over.is_set():
                self._told = True
                self._stop_run(words)
                return


def halted_by(switches: Sequence[HaltSwitch]) -> str:
    """The words of the first switch that is on, empty where none is.

    One that raises, or says nothing within ``ANSWER_S``, cannot be read, which means halted.
    """
    for switch in switches:
        reading = _reading(switch)
        if reading.halted:
            return reading.words or "halted"
    return ""


def _reading(switch: HaltSwitch) -> HaltReading:
    asked = Underway(switch.reading)
    if not asked.ended(ANSWER_S):
        return HaltReading(halted=True, words=f"a halt switch said nothing within {ANSWER_S:g} s, which means halted")
    said = asked.outcome()
    if isinstance(said, BaseException):
        words = str(said) if isinstance(said, ChaosdayError) else in_a_line(said)
        return HaltReading(halted=True, words=f"a halt switch cannot be read ({words}), which means halted")
    return said
