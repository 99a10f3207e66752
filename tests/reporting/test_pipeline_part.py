"""The lane picture and the causes of a pipeline drill, as the report shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest

from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.lanes import COLUMNS, LANES, picture
from chaosday.reporting.page import html
from tests.reporting.test_machines import a_run

pytestmark = pytest.mark.kernel
SVG = "{http://www.w3.org/2000/svg}"


def attempt(point: str, *kinds: str) -> dict[str, Any]:
    way = [*point.split("."), "", "kill"][2] or "kill"
    return {"point": point, "way": way, "hit": True, "differences": [{"kind": kind} for kind in kinds]}


def seen(asks: int = 3, channels: int = 2) -> dict[str, Any]:
    """A drill of inserts that each leave something; the second one fails, killed and cut."""
    return {
        "lanes": {
            "asks": [
                {"number": n, "channel": f"connection {n % channels}", "text": f"insert {n} <b>", "before": n,
                 "after": n + 1}
                for n in range(1, asks + 1)
            ],
            "left_out": 7,
        },
        "attempts": [
            attempt("1.after"), attempt("2.after", "lost"), attempt("2.after.cut", "lost"), attempt("end", "lost"),
        ],
        "causes": [
            {"what": "crash states", "after": "insert 2", "damage": [["shop.orders", "lost"]],
             "points": ["2.after", "end"], "states": [2, 4], "story": ["killed <there>"],
             "remedy": {"words": "a ledger", "page": "ledger.md"}},
            {"what": "cut connections", "after": "", "damage": [["shop.orders", "lost"]], "points": ["2.after.cut"],
             "states": [2], "story": ["cut there"], "remedy": None},
        ],
        "known": ["2.after.cut"],
    }  # fmt: skip


def drawn(said: dict[str, Any]) -> xml.Element:
    return xml.fromstring(picture(said).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1))


def test_failing_points_are_marked_and_lead_to_their_stories() -> None:
    """One mark a point, whatever ways were tried there; a tried point that is well is a circle, and leads nowhere."""
    svg = drawn(seen())
    links = [(each.get("href"), each.get("aria-label")) for each in svg.iter(f"{SVG}a")]
    assert links == [
        ("#cause-1", "2.after, insert 2 <b>: kill: lost; cut: lost"),
        ("#cause-1", "the end: kill: lost"),
    ]
    assert [each.get("class") for each in svg.iter(f"{SVG}circle")] == ["tried"]
    bands = [title.text for each in svg.iter(f"{SVG}rect") if (title := each.find(f"{SVG}title")) is not None]
    assert [text for text in bands if str(text).startswith("crash state")] == [f"crash state {n}" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(("asks", "rows"), [(1, 1), (COLUMNS - 1, 1), (COLUMNS, 2), (COLUMNS * 3 + 1, 4)])
def test_long_runs_go_on_in_the_next_row(asks: int, rows: int) -> None:
    """The end has a place of its own behind the last ask; more channels than lanes share the last one."""
    svg = drawn(seen(asks, channels=LANES + 3))
    assert len(list(svg.findall(f"{SVG}g"))) == rows
    labels = {text.text for text in svg.iter(f"{SVG}text") if not str(text.text).isdigit()}
    assert len(labels) == min(asks, LANES) and ("4 others" in labels) == (asks > LANES)
    assert sum(each.get("class", "").startswith("ask") for each in svg.iter(f"{SVG}rect")) == asks


def test_the_report_has_the_picture_the_causes_and_what_helps(tmp_path: Path) -> None:
    """Each cause with its remedy, or that none is known; words of the pipeline are never markup."""
    page = reported(tmp_path, seen())
    assert '<svg class="lanes"' in page and "7 asks that left nothing" in page
    assert 'id="cause-1"' in page and 'id="cause-2"' in page
    assert "killed &lt;there&gt;" in page and "insert 2 <b>" not in page
    assert "a ledger: <a href=" in page and "docs/pipelines/ledger.md" in page and "no known remedy" in page
    assert "1, known" not in page and "2, known" in page


def test_what_former_versions_saw_is_shown_without_a_picture(tmp_path: Path) -> None:
    """Their evidence has no lanes and no remedies; what never came to its points has no such part."""
    said = seen()
    del said["lanes"]
    for cause in said["causes"]:
        del cause["remedy"]
    page = reported(tmp_path, said)
    assert '<svg class="lanes"' not in page and 'id="cause-1"' in page
    assert "Their stories" not in html(a_run(tmp_path / "other", "pass"))


def reported(root: Path, said: dict[str, Any]) -> str:
    directory: RunDirectory = a_run(root, "violated", lost=1)
    directory.write_json("observations/pipeline.json", said)
    return html(directory)
