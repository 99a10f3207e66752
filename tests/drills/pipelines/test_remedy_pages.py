"""The pages of remedies: what each calls wrong is found, and leads to that page; what it calls right is right."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chaosday.drills.pipelines.attempts import CUT, END, KILL, LATE, Attempts
from chaosday.drills.pipelines.bench import Bench
from chaosday.drills.pipelines.golden import BASE, Golden
from chaosday.drills.pipelines.points import Recorder
from chaosday.drills.pipelines.remedies import REMEDIES
from chaosday.drills.pipelines.sighting import GOLDEN
from chaosday.drills.pipelines.story import causes, coverage
from chaosday.drills.pipelines.windows import Windows
from tests.docs.pages import ROOT, blocks
from tests.drills.pipelines.conftest import psql

FOLDER = ROOT / "docs" / "pipelines"
AT = {
    "unique-key.md": (KILL, "insert", "after", ["duplicated"]),
    "ledger.md": (END, "", "", ["duplicated"]),
    "lock.md": (LATE, "commit", "before", ["duplicated"]),
    "retry.md": (CUT, "commit", "after", ["duplicated"]),
    "names.md": (KILL, "insert", "before", ["never recovers", "orphan", "lost"]),
    "bookmark.md": (KILL, "write bookmark", "before", ["never recovers"]),
}
"""By page: where the first loader fails, and how; a page of torn windows has no such point."""
AFTER = {"bookmark.md": "update bookmarks"}
"""Where the second loader is killed, if it does not ask the same."""


def loader(page: str, place: int, folder: Path) -> list[str]:
    """The first (0) or second loader of a page, written to a file."""
    language = "python" if blocks(FOLDER / page, "python") else "sql"
    texts = blocks(FOLDER / page, language)[-2:]
    file = folder / f"loader-{place}.{language}"
    file.write_text(texts[place])
    return [sys.executable, str(file)] if language == "python" else [*psql(), "-f", str(file)]


def undisturbed(bench: Bench, page: str, place: int, folder: Path) -> tuple[Golden, Windows]:
    """What a loader of a page does if nobody disturbs it, on the tables of its page."""
    bench.copies.restore("origin")
    tables = folder / "tables.sql"
    tables.write_text("drop schema public cascade; create schema public;\n" + blocks(FOLDER / page, "sql")[0])
    bench.copies.run_script("shop", tables)
    settings = {"command": loader(page, place, folder), "outputs": ["shop.public.orders"], "state": ["bookmark"]}
    bench.value = bench.value.model_copy(update=settings)
    (bench.work / "bookmark").unlink(missing_ok=True)
    bench.keep(BASE)
    windows = Windows(bench.copies, bench.value)
    recorder = Recorder(bench.watch(), windows.committed)
    ran = bench.run(recorder, bench.value.days[-1])
    assert ran.well, ran.said
    golden = Golden(points=recorder.points, end=recorder.look())
    bench.keep(GOLDEN)
    return golden, windows


@pytest.mark.lab
@pytest.mark.parametrize("page", [pytest.param(p, marks=[pytest.mark.breadth] * (p > "n")) for p in sorted(AT)])
def test_what_a_page_calls_wrong_leads_to_it_and_what_it_calls_right_is_right(
    bench: Bench, page: str, tmp_path: Path
) -> None:
    """Both are run as they stand there, disturbed at the same place."""
    way, text, side, damage = AT[page]
    for place, expected in enumerate((damage, [])):
        golden, _ = undisturbed(bench, page, place, tmp_path)
        attempts = Attempts(bench, golden, lambda: False)
        asked = AFTER.get(page, text) if place else text
        points = [p for p in golden.points if asked in p.text.lower() and p.side == (side or p.side)]
        attempt = attempts.by(way, points[0])
        assert attempt is not None and attempt.hit, attempt
        assert [each.kind for each in attempt.differences] == expected, (page, place, attempt)
        found = causes([attempt], files=page == "bookmark.md")
        assert [cause.remedy and cause.remedy.page for cause in found] == [page] * bool(expected)
    assert not attempts.doubts


@pytest.mark.lab
def test_a_page_shows_a_torn_window_and_how_it_is_closed(bench: Bench, tmp_path: Path) -> None:
    """The first loader empties a table that somebody may read; of the second one nobody sees that."""
    seen = []
    for place in (0, 1):
        golden, windows = undisturbed(bench, "swap.md", place, tmp_path)
        comparator = Attempts(bench, golden, lambda: False).comparator
        golden.torn = windows.torn({n: comparator.digest(GOLDEN, t) for n, t in comparator.outputs(GOLDEN).items()})
        comparator.close()
        seen.append(any("docs/pipelines/swap.md" in line for line in coverage(golden, ["shop"], {})))
    assert seen == [True, False]


@pytest.mark.kernel
def test_every_remedy_has_its_page_and_every_page_a_test() -> None:
    """And the overview leads to each."""
    pages = {each.page for each in REMEDIES}
    assert pages == {path.name for path in FOLDER.glob("*.md")} - {"README.md"} == {*AT, "swap.md"}
    overview = (FOLDER / "README.md").read_text()
    assert all(f"]({page})" in overview for page in pages)
