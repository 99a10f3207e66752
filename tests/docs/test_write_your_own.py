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


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with the page's files written into it, each where its first line says."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "chaosday", folder / "chaosday", ignore=shutil.ignore_patterns("__pycache__"))
    for code in blocks(PAGE, "python"):
        path = folder / code.splitlines()[0].removeprefix("# ")
        assert not path.exists(), f"{path.name} is in the package already"
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    return folder


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_page_s_own_tests_pass(copied: Path) -> None:
    """Check, corruption and fault do what the page says of them."""
    done = run(copied, "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


@pytest.mark.parametrize("kind", ["newest_row", "newest_deleted", "host.drained"])
def test_the_catalogue_has_it_unasked(copied: Path, kind: str) -> None:
    """Nothing was registered anywhere, and there it is, with its fields."""
    done = run(copied, "chaosday", "catalogue", kind)
    assert done.returncode == 0, done.stderr
    assert kind in done.stdout


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
