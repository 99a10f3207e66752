"""Several questions in one call, and the worst of their exit codes."""

from __future__ import annotations

import pytest

from chaosday.errors import ChaosdayError, EvidenceUnwritable, TargetUnreachable, UsageError
from chaosday.reporting.several import each_of, worst_exit

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("codes", "worst"),
    [([0, 2], 2), ([2, 69], 69), ([69, 64], 69), ([74, 69], 74), ([69, 1], 1), ([74, 1, 2], 1), ([1, 3], 3), ([0], 0)],
)
def test_the_worst_code_wins(codes: list[int], worst: int) -> None:
    """3, then 1, then the code of an error, then 2, then 0."""
    assert worst_exit(codes) == worst_exit(codes[::-1]) == worst


def test_each_question_has_its_answer_or_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    """An error ends its own question only, and is named; standing alone it is raised."""
    answers: dict[str, int | ChaosdayError] = {
        "1.x": 0, "2.x": TargetUnreachable("nobody is there"), "3.x": EvidenceUnwritable("3.x is full"), "4.x": 2,
    }  # fmt: skip

    def answer(name: str) -> int:
        found = answers[name]
        if isinstance(found, ChaosdayError):
            raise found
        return found

    assert each_of([*answers], answer, shown=str, unread=lambda name, words: {"of": name, "error": words}) == 74
    said = capsys.readouterr()
    assert said.err.splitlines() == ["chaosday: 2.x: nobody is there", "chaosday: 3.x is full"]
    assert [line.partition(",")[0] for line in said.out.splitlines()] == ['{"of":"2.x"', '{"of":"3.x"']
    answers["2.x"] = UsageError("wrong")
    with pytest.raises(UsageError):
        each_of(["2.x"], answer, shown=str)
