"""Every error chaosday raises on purpose, in one tree; each class carries the exit code of a program that it ends.

::

    ChaosdayError               could not be done; 69
    ├── UsageError              the caller's mistake; nothing was done; 64
    │   ├── InvalidExperiment   a file or form that is not an experiment
    │   └── UnknownName         no fault, check, target ... of that name
    ├── MalformedInput          data that cannot be read as what it claims to be; 64
    │   ├── MalformedHistory    a history file, with the line at fault
    │   └── MalformedJournal    a journal whose chain is broken
    ├── EvidenceMissing         a run directory lacks what was asked of it; 64
    ├── EvidenceUnwritable      a run's evidence, or an output that was asked for, cannot be written; 74
    ├── Refused                 we could, but we will not; nothing was injected; 69
    │   ├── BlastRadiusExceeded more targets resolved than the cap allows
    │   ├── ForeignState        somebody else's state is where ours would go
    │   ├── ScratchMarkMissing  a damaging fault on something not marked as scratch
    │   └── Halted              the halt switch is on, or cannot be read
    └── Unavailable             something that is needed is not there; 69
        ├── CapabilityMissing   the target cannot do what the fault needs; says what to install
        ├── TargetUnreachable   no answer, or not in time
        ├── AccessDenied        it answered, and said no
        └── LeaseError          an undo could not be made durable, renewed or run

A message is one line, says what to do about it, and never holds a secret. Inside a run these become reasons of its
verdict, and the verdict's exit code (0 to 3) is the program's.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_UNWRITABLE = 74


class ChaosdayError(Exception):
    """Base of every error raised on purpose; ``str()`` of it is fit to show to a person."""

    exit_code: ClassVar[int] = EXIT_UNAVAILABLE


class UsageError(ChaosdayError):
    """The caller asked for something that cannot be; nothing was done."""

    exit_code = EXIT_USAGE


class InvalidExperiment(UsageError):
    """A file or form is not a valid experiment; the message names the field."""


class UnknownName(UsageError):
    """No member of that name in a family; the message lists near ones."""


class MalformedInput(ChaosdayError):
    """Data is not what it claims to be."""

    exit_code = EXIT_USAGE


class MalformedHistory(MalformedInput):
    """A history cannot be read; ``line`` is the 1-based line at fault, where there is one."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(f"line {line}: {message}" if line is not None else message)


class MalformedJournal(MalformedInput):
    """A journal's hash chain is broken: somebody or something changed the record."""


class Refused(ChaosdayError):
    """Possible, but not permitted; nothing was injected."""


class BlastRadiusExceeded(Refused):
    """The selection resolved to more targets than the cap allows."""


class ForeignState(Refused):
    """State that is not ours stands where ours would go; it is left alone."""


class ScratchMarkMissing(Refused):
    """A fault that damages data was pointed at something not marked as scratch."""


class Halted(Refused):
    """The halt switch is on, or could not be read, which means the same."""


class Unavailable(ChaosdayError):
    """Something that is needed is not there: a target, a tool, a server, an account's right."""


class CapabilityMissing(Unavailable):
    """The target lacks a tool, a privilege or a capability that the fault needs."""


class TargetUnreachable(Unavailable):
    """The target gave no answer within the time allowed."""


class AccessDenied(Unavailable):
    """The target answered and refused us."""


class LeaseError(Unavailable):
    """An undo could not be made durable, renewed, or run."""


class EvidenceMissing(ChaosdayError):
    """A run directory does not hold what was asked of it."""

    exit_code = EXIT_USAGE


class EvidenceUnwritable(ChaosdayError):
    """Evidence, or an output that was asked for, could not be written: a full disk, a read-only folder."""

    exit_code = EXIT_UNWRITABLE
