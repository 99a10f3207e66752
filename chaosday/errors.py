"""Every error chaosday raises on purpose, in one tree.

::

    ChaosdayError
    ├── UsageError              the caller's mistake; exit code 64
    │   ├── InvalidExperiment   a file or form that is not an experiment
    │   └── UnknownName         no fault, check, target ... of that name
    ├── MalformedInput          data that cannot be read as what it claims to be; exit code 64
    │   ├── MalformedHistory    a history file, with the line at fault
    │   └── MalformedJournal    a journal whose chain is broken
    ├── Refused                 we could, but we will not; nothing was injected
    │   ├── BlastRadiusExceeded more targets resolved than the cap allows
    │   ├── ForeignState        somebody else's state is where ours would go
    │   ├── ScratchMarkMissing  a damaging fault on something not marked as scratch
    │   └── Halted              the halt switch is on, or cannot be read
    ├── CapabilityMissing       the target cannot do what the fault needs; says what to install
    ├── TargetUnreachable       no answer, or not in time
    ├── AccessDenied            it answered, and said no
    ├── LeaseError              an undo could not be made durable, renewed or run
    └── EvidenceMissing         a run directory lacks what a check needs

A message is one line, says what to do about it, and never holds a secret.
"""

from __future__ import annotations

EXIT_USAGE = 64


class ChaosdayError(Exception):
    """Base of every error raised on purpose; ``str()`` of it is fit to show to a person."""


class UsageError(ChaosdayError):
    """The caller asked for something that cannot be; nothing was done."""


class InvalidExperiment(UsageError):
    """A file or form is not a valid experiment; the message names the field."""


class UnknownName(UsageError):
    """No member of that name in a family; the message lists near ones."""


class MalformedInput(ChaosdayError):
    """Data is not what it claims to be."""


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


class CapabilityMissing(ChaosdayError):
    """The target lacks a tool, a privilege or a capability that the fault needs."""


class TargetUnreachable(ChaosdayError):
    """The target gave no answer within the time allowed."""


class AccessDenied(ChaosdayError):
    """The target answered and refused us."""


class LeaseError(ChaosdayError):
    """An undo could not be made durable, renewed, or run."""


class EvidenceMissing(ChaosdayError):
    """A run directory does not hold what was asked of it."""
