"""pg_amcheck and pg_checksums on a real server: what they say, what is made of it, and what they miss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from chaosday.checks.amcheck import Amcheck
from chaosday.checks.pg_checksums import PgChecksums
from chaosday.errors import CapabilityMissing, MalformedInput, TargetUnreachable
from chaosday.judging.proof import sight_of
from chaosday.mechanisms.hosts.postgres_tools import (
    PAGE_BYTES,
    PostgresTools,
    Server,
    disposable_copy,
    observe_amcheck,
    observe_checksums,
    relation_path,
)
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Finding, Outcome
from chaosday.probes.postgresql.amcheck import PostgresAmcheck
from chaosday.probes.postgresql.checksums import PostgresChecksums
from chaosday.processes.local_shell import OUTPUT_LIMIT_BYTES
from chaosday.targets.postgresql import PostgreSQL
from tests.judging.proving import prove
from tests.mechanisms.hosts.cluster import TABLE, Cluster, cluster, sql

pytestmark = pytest.mark.lab
NOWHERE = Path("/nonexistent")


def judge(check: Amcheck | PgChecksums, said: Any) -> Finding:
    return check.judge(Evidence(NOWHERE).replaced(observations={check.kind: said}))


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with cluster() as started:
        yield started


@pytest.fixture(scope="module")
def checked(running: Cluster) -> dict[str, Any]:
    """What pg_checksums says of an undamaged copy, with the table's first pages."""
    copy = disposable_copy(running.tools, running.server, running.scratch / "copy")
    path = relation_path(running.tools, running.server, TABLE)
    return observe_checksums(running.tools, copy, relation=path)


def test_what_a_tool_prints_has_a_bound(tmp_path: Path) -> None:
    """Damage without end is no evidence without end: the rest is read and thrown away, and the end is the tool's."""
    (tmp_path / "flood").write_text("#!/bin/sh\nhead -c 40000000 /dev/zero\nexit 3\n")
    (tmp_path / "flood").chmod(0o755)
    ended = PostgresTools(tmp_path).run("flood")
    assert (ended.exit_code, len(ended.out)) == (3, OUTPUT_LIMIT_BYTES)


def test_a_sound_cluster_passes(running: Cluster, checked: dict[str, Any]) -> None:
    """Both tools examine real pages, and both checks pass; no secret is kept."""
    said = observe_amcheck(running.tools, running.server)
    for finding in (judge(Amcheck(), said), judge(PgChecksums(), checked)):
        assert finding.outcome is Outcome.PASS, finding.reasons
        assert finding.examined > 500
    assert said["relations"] > 100
    assert said["checksums"] is checked["checksums"] is True
    assert "PostgreSQL" in said["version"]
    assert running.server.password not in f"{said}{checked}"


def test_a_flipped_page_is_found_by_both_and_named(running: Cluster) -> None:
    """A page damaged on disk is named by pg_checksums with its block, and by pg_amcheck with its table."""
    path = relation_path(running.tools, running.server, TABLE)
    with cluster() as other:
        tools, server = other.tools, other.server
        file = other.data / relation_path(tools, server, TABLE)
        tools.run("pg_ctl", "-w", "-D", str(other.data), "-m", "fast", "stop")
        with file.open("r+b") as pages:
            pages.seek(2 * PAGE_BYTES + 5_000)
            byte = pages.read(1)[0]
            pages.seek(2 * PAGE_BYTES + 5_000)
            pages.write(bytes([byte ^ 4]))
        by_page = judge(PgChecksums(), observe_checksums(tools, other.data))
        tools.run("pg_ctl", "-w", "-D", str(other.data), "-l", str(other.scratch / "log"), "start")
        by_table = judge(Amcheck(), observe_amcheck(tools, server, [TABLE]))
        copy = disposable_copy(tools, server, other.scratch / "copy")
        by_copy = judge(PgChecksums(), observe_checksums(tools, copy))
    assert path.startswith("base/")
    for finding in (by_page, by_copy):
        assert finding.outcome is Outcome.VIOLATED
        assert finding.damaged_keys() == {f"{path} block 2"}
    assert by_table.outcome is Outcome.VIOLATED
    assert f"postgres.public.{TABLE} block 2" in by_table.damaged_keys(), by_table.anomalies


def test_without_data_checksums_nothing_is_claimed() -> None:
    """On a cluster without checksums the page check is inconclusive and says why, and amcheck names its blindness."""
    with cluster(checksums=False) as bare:
        copy = disposable_copy(bare.tools, bare.server, bare.scratch / "copy")
        by_page = judge(PgChecksums(), observe_checksums(bare.tools, copy))
        by_table = judge(Amcheck(), observe_amcheck(bare.tools, bare.server, [TABLE]))
    assert by_page.outcome is Outcome.INCONCLUSIVE
    assert "data checksums are off" in by_page.reasons[0]
    assert by_table.outcome is Outcome.PASS
    assert "no data checksums" in by_table.blind_to[0]


def test_damage_planted_in_real_pages(checked: dict[str, Any]) -> None:
    """pg_checksums sees every flipped, torn and misdirected page, and is blind to zeroed and missing ones."""
    evidence = Evidence(NOWHERE).replaced(observations={"pg_checksums": checked})
    proof = prove(evidence, [PgChecksums()], sizes=[1, 4], repetitions=2, budget_s=120)
    cells = {cell.corruption: cell.status for cell in proof.cells if cell.planted}
    assert cells == {
        "page_bit_flip": "caught",
        "page_torn": "caught",
        "page_misdirected": "caught",
        "page_zeroed": "missed",
        "page_tail_truncated": "missed",
    }
    assert all(cell.localised == cell.caught for cell in proof.cells)
    assert sight_of(proof).proven, sight_of(proof).reasons
    assert not sight_of(proof, ["page_zeroed"]).proven


def test_a_report_of_damage_would_be_read(running: Cluster) -> None:
    """The tool's own words for damage, added to a real report, are read back block by block."""
    said = observe_amcheck(running.tools, running.server, [TABLE])
    evidence = Evidence(NOWHERE).replaced(observations={"amcheck": said})
    proof = prove(evidence, [Amcheck()], sizes=[1, 10], repetitions=2, budget_s=120)
    (cell,) = [cell for cell in proof.cells if cell.planted]
    assert (cell.corruption, cell.status, cell.localised) == ("amcheck_report", "caught", 4)
    assert sight_of(proof).proven


def test_a_tool_that_did_not_work_is_inconclusive(running: Cluster) -> None:
    """No such table, or no answer, is neither damage nor health."""
    missing = judge(Amcheck(), observe_amcheck(running.tools, running.server, ["no_such_table"]))
    wrong = judge(Amcheck(), observe_amcheck(running.tools, Server(running.server.port, password="wrong")))
    running_data = judge(PgChecksums(), observe_checksums(running.tools, running.data))
    for finding in (missing, wrong, running_data):
        assert (finding.outcome, finding.examined) == (Outcome.INCONCLUSIVE, 0)
        assert "ended with 1" in finding.reasons[0]
    assert sql(running.tools, running.server, f"select count(*) from {TABLE}") == "3000"


def test_errors_in_words(running: Cluster, tmp_path: Path) -> None:
    """A missing program or table, and observations that are something else, are errors in one line."""
    with pytest.raises(CapabilityMissing, match=r"no pg_amcheck in"):
        observe_amcheck(PostgresTools(tmp_path), running.server)
    with pytest.raises(TargetUnreachable, match=r"no_such_table"):
        relation_path(running.tools, running.server, "no_such_table")
    for check in (Amcheck(), PgChecksums()):
        with pytest.raises(MalformedInput):
            judge(check, {"something": "else"})


def test_the_probes_collect_what_the_checks_judge(running: Cluster) -> None:
    """Aimed at a target, both probes answer and leave the observation that their check reads."""
    target = PostgreSQL(
        port=running.server.port,
        password=SecretStr(running.server.password),
        data_directory=running.data,
        bin_directory=running.tools.bin_directory,
    )
    pages = PostgresChecksums(slice_schema="public")
    assert pages.read(target).healthy is True
    assert PostgresAmcheck(tables=[TABLE]).read(target).healthy is True
    collected = pages.collect(target, running.scratch) | PostgresAmcheck(tables=[TABLE]).collect(
        target, running.scratch
    )
    evidence = Evidence(NOWHERE).replaced(observations=collected)
    assert [check.judge(evidence).outcome for check in (PgChecksums(), Amcheck())] == [Outcome.PASS] * 2
    assert collected["pg_checksums"]["slice"]["relation"].startswith("base/")
    unreachable = target.model_copy(update={"port": 1})
    assert pages.read(unreachable).healthy is None
