"""Published histories: the verdict, the anomaly types and the models ruled out that their projects state."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from chaosday.commands.check import judged
from chaosday.data import formats

_ROOT = os.environ.get("CHAOSDAY_CORPORA", "")
_STATED = ("valid?", "anomaly-types", "not")
# What a case of the manifest asks beside the file, where its words are not a result map.
_ASKED = {
    "paper-example.edn": ({"consistency_models": ("serializable",)}, {"valid?": False}),
    "si-without-g-single.edn": (
        {"consistency_models": ("snapshot-isolation", "repeatable-read")},
        {"anomaly-types": ["G2-item"], "not": ["repeatable-read"]},
    ),
}


def _cases() -> list[Any]:
    if not _ROOT:
        return [pytest.param({}, marks=pytest.mark.skip(reason="CHAOSDAY_CORPORA is not set"))]
    with (Path(_ROOT) / "MANIFEST.tsv").open() as manifest:
        return [pytest.param(row, id=Path(row["file"]).name) for row in csv.DictReader(manifest, delimiter="\t")]


def _expected(row: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    words, name = row["expected"], Path(row["file"]).name
    if name in _ASKED:
        return _ASKED[name]
    if words in ("linearizable", "not-linearizable"):
        return {}, {"valid?": words == "linearizable"}
    return {}, json.loads(words)


@pytest.mark.parametrize("row", _cases())
def test_a_published_verdict_is_ours_too(row: dict[str, str]) -> None:
    """Each file of the manifest is judged as its project judged it."""
    path, model = Path(_ROOT) / row["file"], row["model"].split("(")[0]
    if "/" in model:
        _assert_cases(path, model)
        return
    given, expected = _expected(row)
    if "equals" in expected:
        pytest.skip("the case is about speed, not about a verdict")
    result, _ = judged(path, model, None, given)
    assert {name: result[name] for name in _STATED if name in expected} == {
        name: expected[name] for name in _STATED if name in expected
    }


def _assert_cases(path: Path, model: str) -> None:
    """A case about one kind of anomaly: as many of it are found as the project lists."""
    base, part = model.split("/")
    anomaly = {"g1a-cases": "G1a", "g1b-cases": "G1b", "internal-cases": "internal"}[part]
    stated = json.loads(path.read_text())["expected"] or []
    listed = stated if isinstance(stated, dict) else {anomaly: stated}
    found, _ = judged(path, base, "case", {})
    assert {name: found["anomaly-counts"].get(name, 0) for name in {anomaly, *listed}} == {
        name: len(listed.get(name, [])) for name in {anomaly, *listed}
    }
    assert formats.read(path).published


def _log_cases() -> list[Any]:
    manifest = Path(_ROOT) / "jepsen/kafka/MANIFEST-kafka.tsv"
    if not _ROOT or not manifest.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason="CHAOSDAY_CORPORA is not set, or has no logs"))]
    with manifest.open() as rows:
        return [pytest.param(row, id=row["file"]) for row in csv.DictReader(rows, delimiter="\t")]


@pytest.mark.parametrize("row", _log_cases())
def test_a_published_log_is_judged_as_its_manifest_says(row: dict[str, str]) -> None:
    """Kinds that must be found are, kinds that must not be are not, and where all are stated there are no others."""
    options = {"ww_deps": True} if "option ww-deps true" in row["notes"] else {}
    result, _ = judged(Path(_ROOT) / "jepsen/kafka" / row["file"], "kafka", None, options)
    found = set(result["anomaly-types"])
    if row["expected"] == "valid":
        assert (result["valid?"], found) == (True, set())
        return
    for part in row["expected"].split("; "):
        how, _, names = part.partition(": ")
        assert found & set(names.split(", ")) == (set(names.split(", ")) if how == "must" else set())
    if "error kinds in all: " in row["notes"]:
        stated = row["notes"].split("error kinds in all: ")[1].split(" (")[0]
        assert found == set(stated.split(", "))
