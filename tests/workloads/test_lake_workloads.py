"""Transactions on lake tables from several writers, judged over their snapshots."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from chaosday.checkers.elle import Expected
from chaosday.checkers.list_append import check_list_append
from chaosday.model.store import NoEffect, Store
from chaosday.model.target import Target
from chaosday.record.recorder import seal
from chaosday.registry import member
from chaosday.stores.lake import LakeSession
from chaosday.workloads.transactions import Transactions
from tests.workloads.enough import OK, once

KINDS = ("delta_table", "iceberg_table")
SPACE = "orders"


def target_in(kind: str, folder: Path) -> Target:
    """A target of one of the formats, its folder there."""
    folder.mkdir()
    made = member("targets", kind).model_validate({"path": str(folder)})
    assert isinstance(made, Target)
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("handle", ["kept", "fresh"])
def test_a_commit_between_reading_and_writing(kind: str, handle: str, tmp_path: Path) -> None:
    """A commit on the snapshot that was read is refused where another came first, and had no effect; a table that is
    opened again to be overwritten loses the other's."""
    store = target_in(kind, tmp_path / "lake").capability(Store)
    store.make(SPACE, {})
    slow, quick = (store.session(SPACE, 5, {"handle": handle}) for _ in range(2))
    assert isinstance(slow, LakeSession)
    writable = slow._writable

    def overtaken(found: Any) -> Any:
        quick.ask("txn", None, [["append", 0, 1]])
        return writable(found)

    slow._writable = overtaken  # type: ignore[method-assign]
    if handle == "kept":
        with pytest.raises(NoEffect):
            slow.ask("txn", None, [["r", 0, None], ["append", 0, 2]])
    else:
        slow.ask("txn", None, [["r", 0, None], ["append", 0, 2]])
    assert quick.ask("read", 0, None) == ([1] if handle == "kept" else [2])
    for session in (slow, quick):
        session.close()


@pytest.mark.parametrize("handle", ["kept", "fresh"])
def test_writers_are_judged_over_snapshots(handle: str, tmp_path: Path) -> None:
    """Three writers of a Delta table keep snapshot isolation, or lose updates and are told so."""
    workload = Transactions(
        target="lake", style="read-append", clients=3, key_count=1, operation_timeout_s=30, options={"handle": handle}
    )
    target, history, stop = target_in("delta_table", tmp_path / "lake"), tmp_path / "history", threading.Event()
    workload.prepare(target)
    with once(history, {OK: 60}, stop.set):
        workload.run(target, history, stop, seed=1)
    workload.clean_up(target)
    found = check_list_append(seal(history), Expected(("snapshot-isolation",)))
    assert (found["valid?"] is True) == (handle == "kept"), found["anomaly-types"]
    if handle == "fresh":
        assert {"lost-update", "G-single", "G-single-item", "incompatible-order"} & set(found["anomaly-types"])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_of_a_space(kind: str, tmp_path: Path) -> None:
    """What a workload made is gone afterwards; what else lies in the folder is not touched."""
    target = target_in(kind, tmp_path / "lake")
    (tmp_path / "lake" / "ours.txt").write_text("kept")
    target.capability(Store).make(SPACE, {})
    target.capability(Store).drop(SPACE)
    left = {path.name for path in (tmp_path / "lake").rglob("*") if path.is_file()}
    assert left == {"ours.txt"} | ({"catalog.db"} if kind == "iceberg_table" else set())
