"""Every end of a program of ours, and the exit code that says which it was.

Codes 0 to 3 are verdicts and nothing else: a script that reads ``violated`` from a 1 must never read it from a
traceback, a full disk or a server that was away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import click

from chaosday.errors import EXIT_UNAVAILABLE, EXIT_UNWRITABLE, EXIT_USAGE, ChaosdayError
from chaosday.record.foreign_words import one_line
from chaosday.running.signals import STOPPING, Stopped, StopSignals

EXIT_REVERT_FAILED = 3
EXIT_DEFECT = 70
EXIT_SIGNAL = 128
EXIT_BROKEN_PIPE = EXIT_SIGNAL + signal.SIGPIPE
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
"""What only a write can meet."""
OURS = ("chaosday", "flows", "tasks", "blocks")


@dataclass(frozen=True)
class End:
    """One way to end: its exit code, its name, and when it is taken."""

    code: int
    name: str
    when: str


ENDS = (
    End(0, "pass", "the verdict is pass; or a command that gives no verdict did what it was asked for"),
    End(1, "violated", "damage was found: rows lost, data that differ, a history that cannot be"),
    End(2, "inconclusive", "nothing can be concluded, and the reasons say why"),
    End(EXIT_REVERT_FAILED, "revert_failed", "a fault could not be undone; it stays open for chaosday recover"),
    End(EXIT_USAGE, "usage", "a mistake of the caller's, or data that are not what they should be; nothing was done"),
    End(EXIT_UNAVAILABLE, "unavailable", "something needed is not there, or refuses us: target, tool, server, right"),
    End(EXIT_DEFECT, "defect", "a defect of chaosday's own; the line names the file with the traceback"),
    End(EXIT_UNWRITABLE, "unwritable", "evidence or an output could not be written: disk full, read-only"),
    End(EXIT_SIGNAL + signal.SIGHUP, "SIGHUP", "stopped by SIGHUP; what was begun was undone"),
    End(EXIT_SIGNAL + signal.SIGINT, "SIGINT", "stopped by SIGINT, Ctrl-C; what was begun was undone"),
    End(EXIT_BROKEN_PIPE, "SIGPIPE", "whoever read the output went away; nothing is said"),
    End(EXIT_SIGNAL + signal.SIGTERM, "SIGTERM", "stopped by SIGTERM; what was begun was undone"),
)


class Ending:
    """A program's way out: ``with Ending() as end: end.code = program()``, and then ``sys.exit(end.code)``.

    Leaving the block never raises: whatever ended it is at most one line on standard error and a code of ``ENDS``.
    """

    def __init__(self, name: str = "chaosday") -> None:
        self._code = 0
        self._name = name
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        _open_standard_streams()
        self._stack.enter_context(StopSignals().handled())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        with self._stack:
            for number in STOPPING:
                # Nothing is left to be undone: a second Ctrl-C may take the words about the first.
                _take_default(number)
            code, words = _ended_by(error) if error is not None else (self._code, "")
            lost, why = _flushed()
            # A fault that is still on outranks the pipe that nobody reads.
            if lost and code != EXIT_REVERT_FAILED and code <= EXIT_UNWRITABLE:
                code, words = lost, why or words
            if words:
                _say(f"{self._name}: {words}")
            self._code = code
        return True

    @property
    def code(self) -> int:
        """What the program ended with; any value but a number stands for 0."""
        return self._code

    @code.setter
    def code(self, returned: object) -> None:
        self._code = returned if isinstance(returned, int) else 0


def quiet_from_now_on() -> None:
    """For the last moments of a process: a signal ends it without a traceback."""
    for number in STOPPING:
        _take_default(number)


def _ended_by(error: BaseException) -> tuple[int, str]:
    """Exit code and words of what a program raised."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code, ""
        case SystemExit():
            return (error.code, "") if isinstance(error.code, int) else (EXIT_USAGE, one_line(error.code or ""))
        case Stopped():
            return error.exit_code, one_line(error)
        case KeyboardInterrupt() | click.Abort():
            return EXIT_SIGNAL + signal.SIGINT, "stopped"
        case click.ClickException():
            return EXIT_USAGE, one_line(error.format_message())
        case ChaosdayError():
            return error.exit_code, one_line(error)
        case BrokenPipeError() if _nobody_reads():
            return EXIT_BROKEN_PIPE, ""
        case OSError(errno=failed) if failed in UNWRITABLE:
            return EXIT_UNWRITABLE, f"{one_line(error.filename or 'the output')} cannot be written: {error.strerror}"
        case ModuleNotFoundError(name=str(name)) if name.split(".")[0] not in OURS:
            words = f"this needs the Python package {name}, which is not installed: pip install 'chaosday[all]'"
            return EXIT_UNAVAILABLE, words
    number = getattr(error, "signal", None)
    if isinstance(number, int) and not isinstance(error, Exception):
        # Prefect's own exception for a SIGTERM that comes before a run hears signals by itself.
        return EXIT_SIGNAL + number, f"stopped by {signal.Signals(number).name}"
    return EXIT_DEFECT, _defect(error)


def _defect(error: BaseException) -> str:
    from chaosday.record.crash import keep, known_secrets, place_of, redacted

    said = redacted(one_line(f"{type(error).__name__}: {error}"), known_secrets())[:300]
    kept = keep(error)
    where = f"its traceback is in {kept}; please report it" if kept else "its traceback could not be kept anywhere"
    return f"a defect of chaosday's own at {place_of(error) or 'an unknown place'}: {said} ({where})"


def _say(words: str) -> None:
    # A terminal that has gone, or a log on a full disk, is no reason for another error.
    with contextlib.suppress(OSError, ValueError):
        print(words, file=sys.stderr, flush=True)


def _flushed() -> tuple[int, str]:
    """Get rid of what is still buffered; where that fails, the code and words of it, and quiet from then on."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return EXIT_BROKEN_PIPE, ""
    except (OSError, ValueError) as error:
        _silence()
        return EXIT_UNWRITABLE, f"the output cannot be written: {getattr(error, 'strerror', None) or error}"
    return 0, ""


def _silence() -> None:
    """What is in the buffer would fail again, with a traceback, when the interpreter ends."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _nobody_reads() -> bool:
    """Whether standard output or standard error is a pipe without a reader: other pipes break as well."""
    poll = select.poll()
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            poll.register(stream, select.POLLOUT)  # type: ignore[arg-type]
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _open_standard_streams() -> None:
    """Where 0, 1 or 2 is closed, the next file that is opened takes its number, and words go into evidence."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _take_default(number: int) -> None:
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
