"""A saved run judged again: only where its evidence is what it was, and never with a traceback."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from chaosday.clock import SystemClock
from chaosday.commands import check, prove, report
from chaosday.errors import EvidenceMissing
from chaosday.judging.rejudging import judge_again
from chaosday.model.finding import Outcome
from chaosday.record.run_directory import RunDirectory

pytestmark = pytest.mark.kernel


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A sealed run of one check with rows that it can judge."""
    directory = RunDirectory.create(tmp_path, "saved", SystemClock())
    directory.journal_path.touch()
    directory.write_json("plan.json", {"experiment": {"checks": [{"kind": "ledger"}]}})
    directory.write_rows("survivor", pa.table({"id": [1]}))
    directory.seal()
    return directory


def _change(run: RunDirectory) -> None:
    run.write_rows("survivor", pa.table({"id": [2]}))


def _remove(run: RunDirectory) -> None:
    (run.path / "rows" / "survivor.parquet").unlink()


def _edit_the_seal(run: RunDirectory) -> None:
    run.write_json("hashes.json", {**run.read_json("hashes.json"), "plan.json": "0" * 64})


@pytest.mark.parametrize("alter", [_change, _remove, _edit_the_seal])
def test_altered_evidence_is_inconclusive(run: RunDirectory, alter: object) -> None:
    """One byte more or a file less than was sealed, and no check says anything of it."""
    assert callable(alter)
    assert not run.altered()
    alter(run)
    findings = judge_again(run)
    assert [finding.outcome for finding in findings] == [Outcome.INCONCLUSIVE]
    assert findings[0].reasons[0].startswith("evidence altered: ")


def test_a_report_does_not_seal_what_was_altered(run: RunDirectory) -> None:
    """Written again, the report would make new hashes of the altered evidence: refused, and so is a proof."""
    _change(run)
    sealed = (run.path / "hashes.json").read_bytes()
    for command in (report.command, prove.command):
        said = CliRunner().invoke(command, [str(run.path)], standalone_mode=False)
        assert said.return_value == 2
        assert "inconclusive: evidence altered: rows/survivor.parquet" in said.stderr
    assert (run.path / "hashes.json").read_bytes() == sealed


@pytest.mark.parametrize("plan", [b"", b'{"experiment": {"che', b"[]", b'{"experiment": 1}', b"null", b"\xff"])
def test_a_cut_plan_is_one_line(run: RunDirectory, plan: bytes) -> None:
    """A plan that is cut, or no plan, is said in one line that names the run."""
    (run.path / "plan.json").write_bytes(plan)
    error = CliRunner().invoke(check.command, [str(run.path)]).exception
    assert isinstance(error, EvidenceMissing)
    assert run.run in str(error)
    assert "\n" not in str(error)


def test_of_several_runs_each_has_its_answer(run: RunDirectory, tmp_path: Path) -> None:
    """A folder that is no run does not end the batch, and the worst of all is the exit code."""
    _change(run)
    said = CliRunner().invoke(check.command, [str(run.path), str(tmp_path), str(run.path)])
    assert (said.exit_code, said.stdout.count("evidence altered")) == (64, 2)
    assert f"{tmp_path} is not a run directory" in said.stderr
