"""Which tests a run takes, and which of them stay together on one worker."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

SHARE = 4
"""Of the cases of a test that is there for breadth, one in so many is drawn, and never none."""
SEED = 20180612
"""The same for every run: a change is blamed for what it did, not for the cases that its day drew."""
ONE_SERVER = ("tests/ui/", "tests/stores/")
"""Folders whose tests share one costly server: all of a folder's files go to one worker."""
LONGEST = ("tests/docs/", "tests/ui/", "tests/findings/", "tests/flows/", "tests/broken/", "tests/conformance/")
"""What takes minutes begins first, so that the workers end together."""


def drawn(items: Sequence[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests to run and those left to ``--all``: of each function marked ``breadth`` a seeded share of its cases.

    The draw is by the function's own name, so that a test added elsewhere changes nobody's cases.
    """
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("breadth") is not None:
            cases[item.nodeid.partition("[")[0]].append(item)
    left: set[pytest.Item] = set()
    for name, all_of_it in cases.items():
        kept = random.Random(f"{SEED}:{name}").sample(all_of_it, -(-len(all_of_it) // SHARE))
        left.update(set(all_of_it) - set(kept))
    return [item for item in items if item not in left], [item for item in items if item in left]


def place(nodeid: str) -> str:
    """Which tests are run by the same worker: those of one file, or of one folder that shares a server."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in ONE_SERVER if file.startswith(folder)), file)


def begun(item: pytest.Item) -> int:
    """When a test's place is begun: a key to sort by, which keeps the order within and among places of one rank."""
    return next((rank for rank, folder in enumerate(LONGEST) if item.nodeid.startswith(folder)), len(LONGEST))


class ByPlace(LoadScopeScheduling):
    """xdist's scheduling by scope, where a scope is a file.

    Fixtures of a module are then started once, not once a worker. Groups by ``xdist_group`` would do the same, but
    xdist 3.8 appends their names to node ids and pytest 9.2 no longer takes that.
    """

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False  # xdist would begin with the file of the most tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return place(nodeid)
