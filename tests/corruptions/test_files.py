"""Damage to files: what is said to be damaged is, and the comparison of digests sees all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chaosday.checks.replica_rows import ReplicaRows
from chaosday.judging.proof import all_corruptions, sight_of
from chaosday.model.corruption import Corruption, NotApplicable
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.record.files import files_table, read_files
from tests.judging import planting
from tests.judging.proving import prove

CHECK = ReplicaRows(store="files", replica="files.now", key="path", ignore=["content"])
CLASSES = [c for c in all_corruptions() if "files" in c.stores]
CONTENTS = {f"part-{n}": np.random.default_rng(n).bytes(3_000 + 500 * n) for n in range(8)}
EVIDENCE = Evidence(planting.NOWHERE).replaced(
    rows={"files": files_table(CONTENTS, keep=False), "files.now": files_table(CONTENTS, keep=True)}
)


@pytest.mark.parametrize("corruption", CLASSES, ids=lambda c: c.kind)
@pytest.mark.parametrize("size", [1, 3])
def test_a_corruption_says_exactly_what_it_damaged(corruption: Corruption, size: int) -> None:
    """The paths it names are those whose bytes differ, and each digest is that of the bytes."""
    for seed in range(5):
        planted = corruption.plant(EVIDENCE, size, np.random.default_rng(seed))
        now = planted.evidence.rows("files.now")
        held = dict(zip(now["path"].to_pylist(), now["content"].to_pylist(), strict=True))
        differing = {path for path in held.keys() | CONTENTS.keys() if held.get(path) != CONTENTS.get(path)}
        assert differing == planted.keys
        assert files_table(held, keep=True).equals(now)


def test_every_class_is_seen_and_named() -> None:
    """Digests recorded at the time of writing hide no change of bytes."""
    assert CHECK.judge(EVIDENCE).outcome is Outcome.PASS
    proof = prove(EVIDENCE, [CHECK], corruptions=CLASSES, sizes=[1, 3], repetitions=2, budget_s=120)
    assert [(c.corruption, c.why) for c in proof.cells if c.status != "caught" or c.localised < c.caught] == []
    assert sight_of(proof).proven


def test_bytes_that_stay_the_same_are_equivalent() -> None:
    """Zeroing zeros damages nothing."""
    zeros = {"a": bytes(2_000), "b": bytes(2_000)}
    evidence = EVIDENCE.replaced(rows={"files.now": files_table(zeros, keep=True)})
    for kind in ("file_block_zeroed", "file_torn", "file_misdirected_write", "file_swapped"):
        corruption = next(c for c in CLASSES if c.kind == kind)
        planted = corruption.plant(evidence, 1, np.random.default_rng(1))
        assert (len(planted.keys), len(planted.equivalent)) == (0, 1), kind


def test_without_content_nothing_can_be_planted(tmp_path: Path) -> None:
    """Files read from a directory compare by digest; without their content they cannot be damaged."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x").write_bytes(b"abc")
    table = files_table(read_files(tmp_path), keep=False)
    assert table["path"].to_pylist() == ["sub/x"]
    with pytest.raises(NotApplicable, match="no content"):
        CLASSES[0].plant(EVIDENCE.replaced(rows={"files.now": table}), 1, np.random.default_rng(1))
