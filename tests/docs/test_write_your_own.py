"""The code of the page is run: in a copy of the package, found by the registry, with the page's own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chaosday.model.experiment import parse
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "write-your-own.md"
KINDS = ("newest_row", "newest_deleted", "host.drained")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with the page's files written into it, each where its first line says."""
    folder = tmp_path_factory.mktemp("copy")
    for part in ("chaosday", "flows", "tasks", "blocks", "tests"):
        shutil.copytree(
            ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "output", "node_modules")
        )
    shutil.copy(ROOT / "pyproject.toml", folder / "pyproject.toml")
    for code in blocks(PAGE, "python"):
        path = folder / code.splitlines()[0].removeprefix("# ")
        assert not path.exists(), f"{path.name} is in the package already"
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    return folder


@pytest.fixture(scope="module")
def asked(copied: Path) -> tuple[str, str, str]:
    """The JSON schema of an experiment, those of two flows' parameters, in the copy."""
    program = (
        "import json; from prefect.utilities.callables import parameter_schema\n"
        "from chaosday.drills.kinds import kind_called; from chaosday.model.experiment import Experiment\n"
        "from flows.experiment import experiment; from flows.run_one import flow_of\n"
        "kind = kind_called('standstill'); value = kind.value_type(); standstill = flow_of(kind(value))\n"
        "print(json.dumps(Experiment.model_json_schema()))\n"
        "for flow in (experiment, standstill): print(parameter_schema(flow.fn).model_dump_json())"
    )
    environment = {**os.environ, "PYTHONPATH": str(copied)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=copied, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    schema, form, own = done.stdout.splitlines()
    return schema, form, own


@pytest.fixture(scope="module")
def listed(copied: Path) -> str:
    """The conformance tests of the copy, by name."""
    done = run(copied, "pytest", "--collect-only", "-p", "no:cacheprovider", "tests/conformance")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_page_s_own_tests_pass(copied: Path) -> None:
    """Check, corruption and fault do what the page says of them."""
    files = [code.splitlines()[0].removeprefix("# ") for code in blocks(PAGE, "python")]
    tests = [file for file in files if file.startswith("tests/")]
    done = run(copied, "pytest", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(tests) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_catalogue_has_it_unasked(copied: Path, kind: str) -> None:
    """Nothing was registered anywhere, and there it is, with its fields."""
    done = run(copied, "chaosday", "catalogue", kind)
    assert done.returncode == 0, done.stderr
    assert kind in done.stdout


@pytest.mark.parametrize("kind", ["newest_row", "host.drained"])
def test_schema_and_form_have_it_unasked(asked: tuple[str, str, str], kind: str) -> None:
    """The JSON schema of an experiment and the parameters that the Prefect form is drawn from both offer it."""
    schema, form, _ = asked
    assert f'"{kind}"' in schema
    assert f'"{kind}"' in form


def test_a_kind_of_run_has_its_form_and_is_named_where_a_kind_is_misspelt(
    copied: Path, asked: tuple[str, str, str]
) -> None:
    """Its flow was found by its name, the form asks for its fields, and a misspelt kind hears of it."""
    assert '"still_s"' in asked[2]
    (copied / "misspelt.yaml").write_text("kind: standstil\n")
    done = run(copied, "chaosday", "plan", "misspelt.yaml")
    assert done.returncode == 64
    assert "standstill" in done.stderr


@pytest.mark.breadth
@pytest.mark.parametrize(
    ("kind", "test"),
    [
        ("newest_row", "test_judges.py::test_a_check_never_passes_on_nothing[absent-newest_row]"),
        ("newest_deleted", "test_judges.py::test_the_same_seed_plants_the_same_damage_in_a_copy[newest_deleted]"),
        ("host.drained", "test_faults.py::test_it_bites_and_ends[host.drained]"),
    ],
)
def test_the_conformance_suite_has_it_unasked(listed: str, kind: str, test: str) -> None:
    """Every member is tested whether anybody thought of it or not; a fault without a bench fails there."""
    assert f"tests/conformance/{test}" in listed.splitlines(), kind


def test_a_kind_of_run_without_an_arrangement_fails_the_conformance_suite(copied: Path) -> None:
    """The suite over the kinds asks for what it needs to halt, forbid, stop and fill the new one."""
    case = "tests/conformance/test_kinds.py::test_every_kind_has_an_arrangement"
    done = run(copied, "pytest", "-p", "no:cacheprovider", case)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "standstill" in done.stdout


def test_the_code_is_of_the_house(copied: Path) -> None:
    """The linter has no objection to what others are told to copy."""
    files = [str(copied / code.splitlines()[0].removeprefix("# ")) for code in blocks(PAGE, "python")]
    members = [file for file in files if "/tests/" not in file]
    checked = run(ROOT, "ruff", "check", "--config", str(ROOT / "pyproject.toml"), *members)
    assert checked.returncode == 0, checked.stdout


def test_examples_in_yaml_are_experiments() -> None:
    """Every experiment file that the repository offers is one that parses."""
    import yaml

    for path in sorted((ROOT / "deployments" / "experiments").glob("*.yaml")):
        assert parse(yaml.safe_load(path.read_text())).checks
