"""Several questions in one call: each has its own answer or its own error, and the worst of them is the exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from chaosday.errors import ChaosdayError
from chaosday.reporting.terminal import say, say_json

Question = TypeVar("Question")
# Damage that was found is not hidden by what could not be read, nor that by what could not be decided.
_RANKS = {0: 0, 2: 1, 1: 3, 3: 4}
_OF_ERRORS = 2


def worst_exit(codes: Sequence[int]) -> int:
    """The worst of several exit codes: 3, then 1, then the code of an error, then 2, then 0."""
    return max(codes, key=lambda code: (_RANKS.get(code, _OF_ERRORS), code))


def each_of(
    questions: Sequence[Question],
    answer: Callable[[Question], int],
    *,
    shown: Callable[[Question], str],
    unread: Callable[[Question, str], dict[str, Any]] | None = None,
) -> int:
    """Answer every question and give the worst exit code; the error of a question that stands alone is raised.

    ``answer`` prints its answer and gives its exit code. ``shown`` names a question in front of its error.
    ``unread`` makes the JSON object that stands for an answer that could not be given, where JSON is printed.
    """
    if len(questions) == 1:
        return answer(questions[0])
    codes = []
    for question in questions:
        try:
            codes.append(answer(question))
        except ChaosdayError as error:
            name = shown(question)
            words = str(error) if name in str(error) else f"{name}: {error}"
            if unread is not None:
                say_json(unread(question, words))
            say(f"chaosday: {words}", err=True)
            codes.append(error.exit_code)
    return worst_exit(codes)
