"""A system that dies in the middle of an answer is one that does not answer, whatever its client library calls that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chaosday.errors import TargetUnreachable


@contextmanager
def answering(where: str, *errors: type[BaseException]) -> Iterator[None]:
    """What is asked in here and ends in one of ``errors`` is ``TargetUnreachable``, in one line that begins with
    ``where``."""
    try:
        yield
    except errors as error:
        words = " ".join(f"{type(error).__name__} {error}".split())
        raise TargetUnreachable(f"{where} does not answer: {words[:160]}") from None
