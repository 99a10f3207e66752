"""Campaign, retention and ideas as flows: what they show in Prefect is what the commands say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaosday.drills.gameday.practice_book import Entry, PracticeBook
from chaosday.errors import InvalidExperiment
from flows.campaign import campaign
from flows.idea import idea
from flows.prune import retention
from tests.campaign.many_runs import ARun, write

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("prefect")]


def test_the_flows_of_a_year(prefect_api: None, tmp_path: Path) -> None:
    """One artifact says what is to be done, one what was proven; retention only shows until it is told to cut."""
    from prefect import get_client

    now = datetime.now(UTC)
    places = [
        write(tmp_path, ARun(now - timedelta(days=days), token=f"{days:06d}", evidence_bytes=4_000))
        for days in (2, 3, 500)
    ]
    write(tmp_path, ARun(now - timedelta(days=4), title="other", outcome="violated", lost=1))
    assert campaign(tmp_path, return_state=True).message == "2 things to do"
    assert retention(keep=2, runs=tmp_path, return_state=True).message == "1 runs would be cut"
    assert (places[2] / "history.parquet").exists()
    assert retention(dry_run=False, keep=2, runs=tmp_path, return_state=True).message == "1 runs were cut"
    assert not (places[2] / "history.parquet").exists()
    with get_client(sync_client=True) as client:
        shown = {each.key: str(each.data) for each in client.read_artifacts()}
    assert "other: it found damage" in shown["chaosday-next"].replace("\\", "")
    assert "never restored" in shown["chaosday-next"]
    assert "process.kill" in shown["chaosday-campaign"] and "history" not in shown["chaosday-prune"]


def test_an_idea_is_kept_and_its_runs_say_how_far_it_came(prefect_api: None, tmp_path: Path) -> None:
    """From a form into the book that `chaosday practice` reads; each is shown with what became of it."""
    from prefect import get_client

    now = datetime.now(UTC)
    first = idea("the cache is cold after a deploy", "ada", "nobody", runs=tmp_path, return_state=True)
    assert first.message.startswith("idea 1 is kept")
    judged = {"event": "judged", "person": "bob", "of": 1, "status": "drafted", "experiment": "cold cache"}
    PracticeBook(tmp_path).write(Entry.model_validate(judged))
    write(tmp_path, ARun(now, title="cold cache"))
    idea("<script>the vendor is gone</script>", "bob", runs=tmp_path, return_state=True)
    assert PracticeBook(tmp_path).entries()[0].words == "the cache is cold after a deploy"
    with get_client(sync_client=True) as client:
        tables = [each for each in client.read_artifacts() if each.key == "chaosday-ideas"]
    shown = str(max(tables, key=lambda each: each.created).data)
    assert "proven" in shown and "cold cache" in shown and "<script>" not in shown


@pytest.mark.parametrize("wrong", [{"what_could_break": " "}, {"who": ""}, {"what_could_break": "x" * 2000}])
def test_an_idea_without_words_is_refused_by_the_form(wrong: dict[str, str]) -> None:
    """By its rules, before anything is written."""
    import jsonschema
    from prefect.utilities.callables import parameter_schema

    given = {"what_could_break": "the cache", "who": "ada", **wrong}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given, parameter_schema(idea).model_dump())
    with pytest.raises(InvalidExperiment, match="Nothing was begun"):
        idea.validate_parameters(given)
