"""The gate names everything that is missing at once, and lets a complete day through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaosday.drills.gameday.day import GameDay, load_day, parse_day
from chaosday.drills.gameday.readiness import gaps, monitors_now
from chaosday.errors import InvalidExperiment
from chaosday.model.document import read_mapping

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "deployments" / "gameday").glob("*.yaml"))
EXAMPLE = EXAMPLES[0]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_complete(file: Path) -> None:
    """A day that is written as the documentation says lacks nothing on paper."""
    assert gaps(load_day(file)) == []


def without(path: str, value: Any = None) -> GameDay:
    """The example with one field emptied; ``path`` is dotted, numbers are places in lists."""
    data = read_mapping(EXAMPLE)
    *parents, last = path.split(".")
    at: Any = data
    for part in parents:
        at = at[int(part) if part.isdigit() else part]
    at[int(last) if last.isdigit() else last] = value
    return parse_day(data)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("systems", [], "critical systems"),
        ("systems.0.owner", " ", "person who decides"),
        ("systems.0.contact", "", "how the owner is reached"),
        ("systems.0.slo", "", "what its users are promised"),
        ("systems.0.downtime_cost_per_minute", None, "a minute without it costs"),
        ("systems.0.monitors", [], "which signal tells"),
        ("people.0.name", "", "nobody has the role leader"),
        ("people.1.name", "", "nobody has the role observer"),
        ("people.2.contact", "", "how to reach this person"),
        ("people.1.name", "Red", "cannot play and observe"),
        ("abort", [], "what ends the day at once"),
        ("abort.0.watched_by", "", "nobody watches it"),
        ("abort.1.when", "", "in words what ends the day"),
        ("flags.options.0.where", "", "name to localise it"),
        ("flags.options.0.fault", {"kind": "cloud.ec2.terminate", "target": "here"}, "cannot be undone"),
        ("flags", {}, "nothing to hide"),
        ("phases", [{"name": "talk"}], "no phase is the hunt"),
        ("outages.first", None, "from which day on"),
        ("outages.outages.0.system", "unknown", "its cost is unknown"),
    ],
)
def test_each_gap_is_named(path: str, value: Any, words: str) -> None:
    """What was taken away is asked for, in words that say what to do."""
    said = [gap.line for gap in gaps(without(path, value))]
    assert any(words in line for line in said), said


def test_an_empty_day_is_asked_for_everything_at_once() -> None:
    """Nobody has to run it again and again to hear of the next gap."""
    where = {gap.where for gap in gaps(GameDay())}
    assert {"systems", "people", "abort", "flags.options", "outages"} <= where


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("flags.draw", 9, "cannot be drawn from"),
        ("flags.gap_max_s", 1, "less than gap_min_s"),
        ("flags.options.0.fault.target", "nowhere", "no target is called"),
        ("flags.options.1.name", "customers are missing", "a name of its own"),
        ("phases.0.kind", "hunt", "at most one"),
        ("outages.since", "2025-01-01", "after first"),
        ("titel", "x", "no such field"),
    ],
)
def test_what_contradicts_itself_is_refused(path: str, value: Any, words: str) -> None:
    """One line that names the field."""
    with pytest.raises(InvalidExperiment, match=words):
        without(path, value)


@pytest.mark.parametrize(("run", "words"), [("exit 1", "not healthy"), ("no-such-monitor", "no answer"), ("true", "")])
def test_monitors_have_to_be_healthy_at_the_start(run: str, words: str) -> None:
    """A monitor that rings, or that cannot, is a gap; a healthy one is none."""
    day = parse_day(
        {
            "targets": {"here": {"kind": "local_host"}},
            "systems": [{"monitors": [{"name": "m", "probe": {"kind": "command", "target": "here", "run": run}}]}],
        }
    )
    said = [gap.line for gap in monitors_now(day, day.targets)]
    assert len(said) == bool(words) and all(words in line for line in said)
