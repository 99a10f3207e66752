"""A system that dies in the middle of an answer is one that does not answer, whatever its client library calls that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chaosday.errors import ChaosdayError, TargetUnreachable
from chaosday.processes.limits.within import GARBLED, in_a_line


@contextmanager
def answering(where: str, *errors: type[BaseException]) -> Iterator[None]:
    """What is asked in here and ends in one of ``errors``, or in what a library makes of an answer that is none, is
    ``TargetUnreachable``, in one line that begins with ``where``."""
    try:
        yield
    except ChaosdayError:
        raise
    except errors + GARBLED as error:
        raise TargetUnreachable(f"{where} does not answer: {in_a_line(error)}") from None
