"""Real lake tables, damaged in their files: the reading says what became of each, and the check judges it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaosday.checks.lake_files import LakeFiles
from chaosday.data.physical.lake import observe_lake
from chaosday.errors import UsageError
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Finding, Outcome
from tests.lab import lake

ROWS = [lake.rows(0, 50), lake.rows(50, 90)]


def delta(folder: Path) -> tuple[str, Path]:
    """A Delta table of two files, and the path of one."""
    made = lake.delta(folder / "d", *ROWS)
    added = next(one["add"] for one in lake.log_of(made, 0) if "add" in one)
    return f"delta://{made}", made / added["path"]


def iceberg(folder: Path) -> tuple[str, Path]:
    """An Iceberg table of two files, and the path of one."""
    table = lake.iceberg(folder / "i", *ROWS)
    files = {one.file.record_count: one.file.file_path for one in table.scan().plan_files()}
    return f"iceberg+sqlite://{folder}/i/catalog.db#shop.orders", Path(files[50].removeprefix("file://"))


MADE: dict[str, Callable[[Path], tuple[str, Path]]] = {"delta": delta, "iceberg": iceberg}


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def stale(file: Path) -> None:
    pq.write_table(lake.rows(0, 20), file)


def flipped(file: Path) -> None:
    """A byte of the footer's magic, whatever lies in the pages."""
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


DAMAGE: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "missing": (Path.unlink, {"missing-file"}),
    "truncated": (truncated, {"wrong-size", "unreadable-file"}),
    "stale": (stale, {"wrong-size", "wrong-count", "wrong-statistics"}),
    "flipped byte": (flipped, {"unreadable-file"}),
}


def judge(address: str) -> Finding:
    return LakeFiles().judge(Evidence(Path("nowhere"), overlay={"observations/lake_files": observe_lake(address)}))


@pytest.mark.parametrize("made", MADE)
def test_a_sound_table_is_silent_and_its_orphans_are_listed(tmp_path: Path, made: str) -> None:
    """Nothing is found in a table as it was written; a file that nobody names is listed, as no damage."""
    address, file = MADE[made](tmp_path)
    (file.parent / "nobodys.parquet").write_bytes(b"x" * 7)
    finding = judge(address)
    assert (finding.outcome, finding.examined) == (Outcome.PASS, 2), finding
    assert observe_lake(address)["orphan_bytes"] == 7
    assert "named by no snapshot" in finding.reasons[0]


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(tmp_path: Path, made: str, name: str) -> None:
    """Files that are gone, cut off, older or flipped are told from the one beside them."""
    address, file = MADE[made](tmp_path)
    harm, expected = DAMAGE[name]
    harm(file)
    finding = judge(address)
    assert finding.outcome is Outcome.VIOLATED
    named = {one.name: [str(key) for key in one.keys] for one in finding.anomalies}
    assert (set(named) & expected, len({key for keys in named.values() for key in keys})) == (expected & set(named), 1)
    assert set(named) >= (expected - {"wrong-statistics"}), finding


STATED: list[tuple[dict[str, Any], str]] = [
    ({"minValues": {"id": 3, "v": "value 0"}}, "id: a value is below the lowest"),
    ({"maxValues": {"id": 10, "v": "value 9"}}, "id: a value is above the highest"),
    ({"nullCount": {"id": 4, "v": 0}}, "id: 4 NULLs are said, 0 are there"),
    ({"numRecords": 7}, "wrong-count"),
]


@pytest.mark.parametrize(("change", "words"), STATED)
def test_statistics_that_do_not_hold(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """A reader that skips files by such statistics would lose rows, and say nothing."""
    folder = lake.delta(tmp_path / "d", lake.rows(0, 50))
    actions = lake.log_of(folder, 0)
    added = next(one for one in actions if "add" in one)["add"]
    added["stats"] = json.dumps(json.loads(added["stats"]) | change)
    lake.commit(folder, 0, actions)
    finding = judge(f"delta://{folder}")
    assert finding.outcome is Outcome.VIOLATED
    assert words in " ".join([*finding.reasons, *(one.name for one in finding.anomalies)])


def test_bounds_of_every_kind_hold(tmp_path: Path) -> None:
    """Dates, moments, decimals, bytes, floats with NaN and long texts, as both formats keep their bounds."""
    import datetime
    from decimal import Decimal

    moments = [datetime.datetime(2024, 2, 29, 12, 0, 0, 123456), datetime.datetime(1999, 12, 31)]
    table = pa.table({
        "id": pa.array([1, 2], pa.int64()), "d": pa.array([datetime.date(2024, 2, 29), None]),
        "t": pa.array(moments, pa.timestamp("us")), "z": pa.array(moments, pa.timestamp("us", "UTC")),
        "n": pa.array([Decimal("-1.50"), Decimal("99.99")], pa.decimal128(9, 2)), "b": pa.array([b"\xff" * 40, b""]),
        "f": pa.array([float("nan"), -0.0]), "s": pa.array(["\u00e9" * 60, "a"]), "y": pa.array([True, False]),
    })  # fmt: skip
    lake.delta(tmp_path / "d", table)
    lake.iceberg(tmp_path / "i", table)
    for address in (f"delta://{tmp_path}/d", f"iceberg+sqlite://{tmp_path}/i/catalog.db#shop.orders"):
        assert judge(address).outcome is Outcome.PASS, judge(address)


def test_what_is_no_lake_table_is_refused() -> None:
    """A path of another kind is a mistake of the caller's."""
    with pytest.raises(UsageError, match="no lake table"):
        observe_lake("a.parquet")
