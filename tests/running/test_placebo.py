"""Zero dose with all the machinery: what is found then convicts the tool."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.errors import MalformedInput
from chaosday.judging.verdict import Verdict, conclude, of_placebo
from chaosday.model.experiment import parse
from chaosday.model.finding import Anomaly, Finding, Outcome, judged
from chaosday.model.target import Postgres
from chaosday.record.journal import open_faults, read
from chaosday.record.run_directory import RunDirectory
from chaosday.running.placebo import COUNTS, is_placebo_turn
from chaosday.running.playing import play
from chaosday.running.run import Run
from chaosday.servers.postgres import Node
from tests.commands.test_bad_input import chaosday, experiment, written

SLOW_MACHINE = {"baseline_s": 0.2, "baseline_at_most_s": 300, "sight_budget_s": 600}


def ran(
    node: Node, root: Path, *, before_verify: Callable[[Run], None] | None = None, **changes: Any
) -> tuple[RunDirectory, Verdict]:
    """One placebo run on a real server."""
    data = experiment(node) | SLOW_MACHINE | changes
    directory = RunDirectory.create(root, "placebo", SystemClock())
    with Run(ExperimentKind(parse(data)), directory, placebo=True) as run:
        play(run)
        if before_verify is not None:
            before_verify(run)
        run.verify()
        run.prove()
        verdict = run.conclude()
        run.clean_up()
    return directory, verdict


@pytest.mark.lab
def test_a_placebo_arms_everything_and_injects_nothing(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """Every act of a run but the injection and the operator's answer to it; the verdict says placebo and passes."""
    directory, verdict = ran(
        pair[0], tmp_path, actions=[{"kind": "postgresql.promote", "target": "db"}], settle={"timeout_s": 5}
    )
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    assert verdict.placebo
    assert "placebo" in verdict.words
    assert "1 planned fault was not injected" in verdict.proofs["bite"].lines[0]
    assert verdict.bites == []
    assert [clean.clean for clean in verdict.cleans] == [True]
    journal = read(directory.journal_path)
    events = Counter(record.event for record in journal.records)
    assert {"planned", "arming", "armed", "abstaining", "abstained", "healing", "clean"} <= events.keys()
    assert not {"injecting", "injected", "action"} & events.keys()
    assert open_faults(journal) == []
    assert directory.read_json("plan.json")["placebo"] is True


@pytest.mark.lab
def test_damage_in_a_placebo_convicts_the_tool(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """A row that is lost without any fault is found, and the words say that no fault can be blamed for it."""

    def lose_one(run: Run) -> None:
        table = f"chaosday.ledger_{run.directory.token}"
        with run.targets["db"].capability(Postgres).connect() as connection:
            connection.execute(f"delete from {table} where id = (select min(id) from {table})")

    _, verdict = ran(pair[0], tmp_path, before_verify=lose_one)
    assert verdict.outcome is Outcome.VIOLATED
    assert "nothing was injected, which convicts the tool itself" in verdict.words
    assert any("1 lost" in reason for reason in verdict.reasons)


def _finding(anomalies: int) -> Finding:
    found = [Anomaly(name="lost", count=anomalies, keys=[1])] if anomalies else []
    return judged("ledger", examined=9, anomalies=found)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("anomalies", "placebo", "words"),
    [(2, False, "Damage was found:"), (2, True, "convicts the tool itself")],
)
def test_the_words_of_a_violation_name_the_culprit(anomalies: int, placebo: bool, words: str) -> None:
    """The same finding blames the faults where there were some, and the tool where there were none."""
    verdict = conclude(findings=[_finding(anomalies)], bites=[], faults=0 if placebo else 1, cleans=[])
    verdict = of_placebo(verdict, 1) if placebo else verdict
    assert verdict.outcome is Outcome.VIOLATED
    assert words in verdict.words
    assert verdict.proofs["bite"].held is placebo


@pytest.mark.kernel
@pytest.mark.parametrize("every", [1, 2, 5])
def test_one_in_so_many_runs_is_a_placebo(tmp_path: Path, every: int) -> None:
    """Exactly one in each round, the same one in every round, counted for each series by itself."""
    for series in ("a", "b"):
        turns = [is_placebo_turn(tmp_path, series, every, seed=3) for _ in range(4 * every)]
        rounds = [turns[n : n + every] for n in range(0, len(turns), every)]
        assert all(sum(each) == 1 for each in rounds)
        assert all(each == rounds[0] for each in rounds)


@pytest.mark.kernel
def test_the_turn_follows_from_seed_and_name(tmp_path: Path) -> None:
    """The same series counted anew gives the same turns; different series do not all pause together."""

    def first(folder: str, series: str) -> int:
        return [is_placebo_turn(tmp_path / folder, series, 20) for _ in range(20)].index(True)

    firsts = {name: first("one", name) for name in "abcdefgh"}
    assert {name: first("two", name) for name in firsts} == firsts
    assert len(set(firsts.values())) > 1


@pytest.mark.kernel
def test_runs_at_once_do_not_lose_a_turn(tmp_path: Path) -> None:
    """Twenty runs that count at the same time take twenty turns, one in four of them a placebo."""
    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(lambda _: is_placebo_turn(tmp_path, "x", 4), range(20)))
    assert sum(turns) == 5


@pytest.mark.kernel
@pytest.mark.parametrize("content", ["[1]", "{", '{"x": "y"}'])
def test_a_broken_count_is_said(tmp_path: Path, content: str) -> None:
    """A file that does not hold counts stops the run in one line, and is left as it was."""
    (tmp_path / COUNTS).write_text(content)
    with pytest.raises(MalformedInput, match="remove it"):
        is_placebo_turn(tmp_path, "x", 2)
    assert (tmp_path / COUNTS).read_text() == content


@pytest.mark.kernel
def test_no_share_counts_nothing(tmp_path: Path) -> None:
    """Without a share there is no placebo and no file."""
    assert not any(is_placebo_turn(tmp_path, "x", 0) for _ in range(5))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.lab
def test_a_share_of_the_runs_from_the_command_line_is_a_placebo(
    pair: tuple[Node, Node], tmp_path: Path, with_prefect: str
) -> None:
    """``chaosday run --placebo-every 1``: the run says that it is one, in JSON and on its page, and counts itself;
    Prefect has its verdict, kill matrix, progress and timeline as artifacts."""
    data = experiment(pair[0]) | SLOW_MACHINE
    data["targets"]["db"]["password"] = pair[0].password
    done = chaosday("run", str(written(tmp_path, data)), "--placebo-every", "1", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["placebo"] is True
    assert "placebo: nothing was injected" in (Path(said["run"]) / "report.html").read_text()
    token = Path(said["run"]).name.rsplit("-", 1)[-1]
    asked = json.dumps({"artifacts": {"key": {"like_": token}}}).encode()
    request = urllib.request.Request(f"{with_prefect}/artifacts/filter", asked, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        artifacts = {each["key"]: each["type"] for each in json.load(answer)}
    assert artifacts == {
        f"chaosday-{token}": "markdown",
        f"chaosday-matrix-{token}": "table",
        f"chaosday-progress-{token}": "progress",
        f"chaosday-timeline-{token}": "image",
    }
    assert json.loads((tmp_path / "runs" / COUNTS).read_text()) == {"bad input": 1}
