"""The rules of the house that a linter does not know."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [
    path
    for folder in ("chaosday", "flows", "tasks", "blocks", "benchmarks", "scripts")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
PRODUCT = [path for path in SOURCES if path.relative_to(ROOT).parts[0] not in ("benchmarks", "scripts")]


@cache
def _nodes(path: Path) -> list[ast.AST]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ExceptHandler))
    ]


def test_no_file_is_longer_than_400_lines() -> None:
    """A file that has grown past 400 lines is two files."""
    assert not [f"{path.relative_to(ROOT)}: {n}" for path in SOURCES if (n := path.read_text().count("\n")) > 400]


def test_functions_are_short() -> None:
    """No function has more than 70 lines, and nine in ten have at most 35."""
    lengths = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno
        for path in PRODUCT
        for node in _nodes(path)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert not {name: length for name, length in lengths.items() if length > 70}
    assert sorted(lengths.values())[int(len(lengths) * 0.9)] <= 35


def test_only_the_judge_of_checks_catches_everything() -> None:
    """A broad except hides bugs; one place is meant to turn a crash into an inconclusive finding."""
    broad = [
        str(path.relative_to(ROOT))
        for path in PRODUCT
        for node in _nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    ]
    assert broad in ([], ["chaosday/judging/verdict.py"])


def test_no_module_has_a_name_that_says_nothing() -> None:
    """A module is called after what is in it."""
    assert not [path for path in SOURCES if path.stem in ("utils", "util", "helpers", "common", "misc")]


def _imports_of(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """Every module of ours that a file imports, wherever in it: at the top, in a function, under TYPE_CHECKING."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            members = {f"{node.module}.{alias.name}" for alias in node.names} & modules.keys()
            found |= members or ({node.module} & modules.keys())
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & modules.keys()
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Lazy imports and those for type checkers count as well: a circle that is hidden is still a circle."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in PRODUCT
    }
    arrows = {name: _imports_of(path, modules) - {name} for name, path in modules.items()}
    TopologicalSorter(arrows).prepare()  # raises CycleError, with the circle


def test_the_kernel_is_a_table_of_contents() -> None:
    """The kernel's root holds at most 26 rooms and 8 modules, and each room says what is in it."""
    root = ROOT / "chaosday"
    rooms = [folder for folder in sorted(root.iterdir()) if (folder / "__init__.py").is_file()]
    assert len(rooms) <= 26
    assert len(list(root.glob("*.py"))) <= 8
    untold = [
        str(init.relative_to(ROOT))
        for room in [*rooms, *(root / "mechanisms").iterdir(), *(root / "data").iterdir(), *(root / "drills").iterdir()]
        if (init := room / "__init__.py").is_file() and not ast.get_docstring(ast.parse(init.read_text()))
    ]
    assert not untold


def test_flow_files_do_not_shadow_other_modules() -> None:
    """A file entrypoint puts flows/ first on sys.path, so no file there may carry an importable top-level name."""
    taken = {"tasks", "blocks", "statistics", *sys.stdlib_module_names}
    assert not [path.name for path in (ROOT / "flows").glob("*.py") if path.stem in taken]


@pytest.mark.kernel
def test_the_kernel_does_not_import_prefect() -> None:
    """The kernel works when Prefect is down: importing all of it brings in no module of Prefect's."""
    program = (
        "import sys, pkgutil, importlib, chaosday\n"
        "for info in pkgutil.walk_packages(chaosday.__path__, 'chaosday.'):\n"
        # The daemon is a program, as __main__ is, and needs libfuse.
        "    if not info.name.endswith(('__main__', '_daemon')): importlib.import_module(info.name)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('prefect', 'flows', 'tasks', 'blocks')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.kernel
def test_importing_chaosday_brings_in_nothing_heavy() -> None:
    """``import chaosday`` is free; what costs is imported where it is used."""
    program = (
        "import sys, chaosday; print([n for n in ('pandas','pyarrow','numpy','scipy','pydantic') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_every_registered_member_has_a_default_for_every_field() -> None:
    """The Prefect form re-submits a union after a tab change, so no member may require a field."""
    from chaosday.registry import FAMILIES, members

    missing = [
        f"{kind}.{name}"
        for family in FAMILIES
        for kind, model in members(family).items()
        for name, field in model.model_fields.items()
        if field.is_required()
    ]
    assert not missing
