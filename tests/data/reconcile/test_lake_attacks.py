"""A lake table's metadata is somebody's: it runs nothing, and names nothing outside of the table's own folder."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chaosday.clients.lake import bounds
from chaosday.data.physical.lake import observe_lake
from chaosday.data.reconcile import diff
from chaosday.errors import MalformedInput
from tests.lab import lake

Attack = Callable[[Path, Path], str]


def _delta(folder: Path, **changed: Any) -> str:
    """A Delta table of one file whose ``add`` says something else."""
    made = lake.delta(folder, lake.rows(0, 3))
    actions = lake.log_of(made, 0)
    next(one for one in actions if "add" in one)["add"].update(changed)
    lake.commit(made, 0, actions)
    return f"delta://{made}"


def _by_link(folder: Path, secret: Path) -> str:
    made = lake.delta(folder, lake.rows(0, 3))
    [file] = made.glob("*.parquet")
    file.unlink()
    file.symlink_to(secret)
    return f"delta://{made}"


def _vector_elsewhere(folder: Path, secret: Path) -> str:
    made = lake.delta(folder, lake.rows(0, 3))
    lake.delete_by_vector(made, 1, [0])
    actions = lake.log_of(made, 1)
    vector = next(one for one in actions if "add" in one)["add"]["deletionVector"]
    vector |= {"storageType": "p", "pathOrInlineDv": f"file://{secret}"}
    lake.commit(made, 1, actions)
    return f"delta://{made}"


def _log_by_link(folder: Path, secret: Path) -> str:
    made = lake.delta(folder, lake.rows(0, 3))
    (made / "_delta_log" / f"{1:020}.json").symlink_to(secret)
    return f"delta://{made}"


def _deep_log(folder: Path, _: Path) -> str:
    made = lake.delta(folder, lake.rows(0, 3))
    (made / "_delta_log" / f"{1:020}.json").write_text('{"add":' * 100_000)
    return f"delta://{made}"


def _iceberg(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The metadata file of a table, changed by whoever owns it."""
    table = lake.iceberg(folder, lake.rows(0, 3))
    metadata = Path(table.metadata_location.removeprefix("file://"))
    said = json.loads(metadata.read_text())
    change(said)
    metadata.write_text(json.dumps(said))
    return metadata


def _a_program(folder: Path, secret: Path) -> str:
    words = {"touch": "", str(secret.with_name("canary")): "", "py-io-impl": "subprocess.Popen"}
    return f"iceberg://{_iceberg(folder, lambda said: said.update(properties=words))}"


def _a_program_by_catalogue(folder: Path, secret: Path) -> str:
    _a_program(folder, secret)
    return f"iceberg+sqlite://{folder}/catalog.db#shop.orders"


def _another_location(folder: Path, _: Path) -> str:
    return f"iceberg://{_iceberg(folder, lambda said: said.update(location='file:///'))}"


def _another_manifest(folder: Path, secret: Path) -> str:
    def change(said: dict[str, Any]) -> None:
        said["snapshots"][-1]["manifest-list"] = f"file://{secret}"

    return f"iceberg://{_iceberg(folder, change)}"


def _a_pipe(folder: Path, _: Path) -> str:
    metadata = _iceberg(folder, lambda said: None)
    [manifest] = metadata.parent.glob("snap-*.avro")
    manifest.unlink()
    os.mkfifo(manifest)
    return f"iceberg://{metadata}"


def _a_length_below_zero(folder: Path, _: Path) -> str:
    metadata = _iceberg(folder, lambda said: None)
    [manifest] = metadata.parent.glob("snap-*.avro")
    manifest.write_bytes(b"Obj\x01\x02\xcf\x0f" + manifest.read_bytes()[4:])  # one entry, its key of -1000 bytes
    return f"iceberg://{metadata}"


def _added_file(folder: Path, secret: Path) -> str:
    lake.iceberg(folder, lake.rows(0, 3)).add_files([f"file://{secret}"])
    return f"iceberg+sqlite://{folder}/catalog.db#shop.orders"


ATTACKS: dict[str, tuple[Attack, str]] = {
    "a way up": (lambda folder, secret: _delta(folder, path=f"../{secret.name}"), "outside of its folder"),
    "an absolute path": (lambda folder, secret: _delta(folder, path=str(secret)), "outside of its folder"),
    "a URL": (lambda folder, secret: _delta(folder, path=f"file:{secret}"), "outside of its folder"),
    "a link": (_by_link, "link to outside"),
    "a vector elsewhere": (_vector_elsewhere, "outside of its folder"),
    "a commit by link": (_log_by_link, "no regular file"),
    "a deep commit": (_deep_log, "cannot be read"),
    "a program": (_a_program, ""),
    "a program by catalogue": (_a_program_by_catalogue, ""),
    "another location": (_another_location, "outside of its folder"),
    "another list": (_another_manifest, "outside of its folder"),
    "a list that is a pipe": (_a_pipe, "no regular file"),
    "a length below zero": (_a_length_below_zero, "cannot be read"),
    "another file": (_added_file, "outside of its folder"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_metadata_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    """One line where it tries; a property that names a program is of no meaning, and the table is read."""
    make, words = ATTACKS[name]
    secret = tmp_path / "secret.parquet"
    pq.write_table(lake.rows(7, 9), secret)
    side = make(tmp_path / "t", secret)
    for read in (lambda: diff(side, side, key=["id"]), lambda: observe_lake(side)):
        if not words:
            read()
        else:
            with pytest.raises(MalformedInput, match=words) as caught:
                read()
            assert "\n" not in str(caught.value)
    assert not (tmp_path / "canary").exists()


def test_links_in_circles_are_looked_at_once(tmp_path: Path) -> None:
    """Two links of a folder to itself are a tree of 2^40 folders to whoever follows them."""
    made = lake.delta(tmp_path / "t", lake.rows(0, 3))
    for name in ("a", "b"):
        (made / name).symlink_to(".")
    began = time.monotonic()
    assert observe_lake(f"delta://{made}")["orphan_count"] == 0
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("form", ["delta", "iceberg"])
def test_metadata_that_is_too_large_is_not_read(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has memory for as much as somebody else may write."""
    if form == "delta":
        side = f"delta://{lake.delta(tmp_path / 't', lake.rows(0, 3))}"
    else:
        side = f"iceberg://{_iceberg(tmp_path / 't', lambda said: None)}"
    monkeypatch.setattr(bounds, "LARGEST_METADATA_BYTES", 100)
    with pytest.raises(MalformedInput, match="larger than 100 bytes"):
        observe_lake(side)


def test_the_program_would_have_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By pyiceberg alone it does, so that its absence above says something."""
    from pyiceberg.table import StaticTable

    monkeypatch.chdir(tmp_path)  # it touches whatever the properties name
    side = _a_program(tmp_path / "t", tmp_path / "secret")
    with contextlib.suppress(Exception):
        StaticTable.from_metadata(side.removeprefix("iceberg://"))
    until = time.monotonic() + 60
    while not (tmp_path / "canary").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert (tmp_path / "canary").exists()
