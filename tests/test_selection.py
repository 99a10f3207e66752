"""What a run takes of the tests, and that the workers of one run agree on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from tests.selection import SHARE, begun, drawn, place

pytestmark = pytest.mark.kernel


@dataclass(frozen=True)
class Case:
    """What the draw asks of a test."""

    nodeid: str
    mark: str | None = "breadth"

    def get_closest_marker(self, name: str) -> str | None:
        """The mark, where it is that one."""
        return self.mark if self.mark == name else None


def cases(name: str, count: int, mark: str | None = "breadth") -> list[Any]:
    return [Case(f"tests/x/test_it.py::{name}[{number}]", mark) for number in range(count)]


@pytest.mark.parametrize(("count", "kept"), [(1, 1), (2, 1), (4, 1), (5, 2), (SHARE * 10, 10)])
def test_a_share_is_drawn_and_never_none(count: int, kept: int) -> None:
    """Of a function's cases a quarter, rounded up; what is left is named."""
    ran, left = drawn(cases("test_many", count))
    assert (len(ran), len(left)) == (kept, count - kept)


def test_what_is_not_there_for_breadth_is_always_run() -> None:
    """Only the mark makes a draw, and the order stays."""
    always = cases("test_one", 5, None)
    ran, left = drawn([*always, *cases("test_many", 6)])
    assert ran[:5] == always and not set(left) & set(always)


def test_another_test_changes_nobodys_cases() -> None:
    """The same function draws the same cases, whatever is collected beside it: workers of one run agree."""
    alone, _ = drawn(cases("test_many", 30))
    beside, _ = drawn([*cases("test_new", 9), *cases("test_many", 30)])
    assert [each for each in beside if "test_many" in each.nodeid] == alone


def test_a_file_stays_on_one_worker_and_a_shared_server_too() -> None:
    """Modules of the UI share one server, so they go together; of the rest each file is a place."""
    assert place("tests/ui/test_form.py::a[x::y]") == place("tests/ui/test_serve.py::b") != "tests/ui/test_form.py"
    assert place("tests/docs/test_commands.py::a[b::c]") == "tests/docs/test_commands.py"


def test_what_takes_longest_is_begun_first() -> None:
    """So that no worker is left with it at the end."""
    items = [cast(pytest.Item, Case(f"tests/{name}/test_x.py::t")) for name in ("workloads", "ui", "docs", "checks")]
    assert [each.nodeid.split("/")[1] for each in sorted(items, key=begun)] == ["docs", "ui", "workloads", "checks"]
