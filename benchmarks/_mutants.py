"""Mutation testing of the judges: a seeded sample of cosmic-ray's mutants, each under the fast tests of its module.

A mutant survives if its tests stay green and it is not listed, with its reason, in ``tests/mutants/equivalent.toml``.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from benchmarks._mutant_runs import Outcome, Runner

ROOT = Path(__file__).resolve().parent.parent
EQUIVALENT = ROOT / "tests" / "mutants" / "equivalent.toml"

_GOLDEN = ("tests/checkers/test_golden.py", "tests/checkers/test_rules.py", "tests/checkers/test_parts.py")
_VERDICTS = ("tests/judging/test_verdict.py", "tests/judging/test_proof.py", "tests/judging/test_sound.py")
_TWINS = ("tests/data/physical/test_golden_twins.py",)
_LEDGER = ("tests/clients/test_ledger.py", "tests/checks/test_ledger.py")
_DIFFS = tuple(
    f"tests/data/reconcile/test_{name}.py"
    for name in ("diff_command", "names_and_nearness", "query", "never_equal", "cross_engine")
)
_AGREES = "tests/checkers/oracles/test_oracles.py::test_a_check_agrees_with_brute_force"


def _checker(*oracles: str) -> tuple[str, ...]:
    return (*_GOLDEN, *(f"{_AGREES}[{name}]" for name in oracles))


_LISTS = ("tests/checkers/test_cycles.py", *_checker("list-append-strict", "list-append-serializable"))
_SEARCH = _checker("register-repeated", "cas-register", "mutex", "kv")
_SESSIONS = _checker(
    *(
        f"sessions-{level}"
        for level in ("read-committed", "read-atomic", "causal", "snapshot-isolation", "serializable")
    )
)
# The first prefix that fits says which tests judge a module: the fewest, for a sample of hundreds has to end.
TESTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (f"chaosday/checkers/{name}.py" for name in
         ("append_orders", "list_append", "elle", "cycles", "graph", "within", "consistency", "lookup")),
        _LISTS,
    ),
    **dict.fromkeys((f"chaosday/checkers/{name}.py" for name in ("calls", "linear", "models")), _SEARCH),
    **dict.fromkeys((f"chaosday/checkers/{name}.py" for name in ("isolation", "polygraph", "sessions")), _SESSIONS),
    **dict.fromkeys(
        ("chaosday/checkers/register.py", "chaosday/checkers/zones.py"), _checker("register", "register-repeated"),
    ),
    **dict.fromkeys(("chaosday/checkers/rw_register.py", "chaosday/checkers/versions.py"), _checker("rw-register")),
    "chaosday/checkers/coding.py": _checker("register", "queue"),
    "chaosday/checkers/counters.py": _checker("counter"),
    "chaosday/checkers/queues.py": _checker("queue", "fifo-queue"),
    "chaosday/checkers/sets.py": _checker("set-full"),
    **dict.fromkeys(
        (f"chaosday/checkers/{name}.py" for name in ("kafka", "log_orders", "log_steps")),
        (*_GOLDEN, "tests/checkers/test_kafka.py"),
    ),
    "chaosday/checkers/change_stream.py": (*_GOLDEN, "tests/corruptions/test_stream.py"),
    "chaosday/checkers/": _GOLDEN,
    "chaosday/checks/exactly_once.py": ("tests/checks/test_exactly_once.py",),
    "chaosday/checks/bank.py": ("tests/checks/test_bank.py",),
    "chaosday/checks/expectations.py": ("tests/checks/test_expectations.py",),
    "chaosday/checks/ledger.py": (*_LEDGER, "tests/judging/test_verdict.py"),
    "chaosday/checks/replica_rows.py": ("tests/checks/test_replica_rows.py",),
    "chaosday/checks/table_diff.py": ("tests/checks/test_table_diff.py", *_TWINS),
    **dict.fromkeys(
        (f"chaosday/checks/{name}.py" for name in
         ("detection", "manifest", "parquet_checksums", "pg_verifybackup", "recovery_objectives", "s3_checksums",
          "sqlite_integrity")),
        _TWINS,
    ),
    "chaosday/checks/": _GOLDEN,
    "chaosday/clients/ledger": _LEDGER,
    "chaosday/clients/bank.py": ("tests/checks/test_bank.py", "tests/judging/test_sound.py"),
    "chaosday/statistics.py": ("tests/test_statistics.py",),
    "chaosday/judging/simulated_bank.py": ("tests/checks/test_bank.py", "tests/judging/test_sound.py"),
    "chaosday/judging/simulated_table.py": ("tests/corruptions/test_table.py",),
    "chaosday/judging/": _VERDICTS,
    **dict.fromkeys(
        ("chaosday/data/reconcile/canonical.py", "chaosday/data/reconcile/json_text.py"),
        ("tests/data/reconcile/test_canonical.py",),
    ),
    **dict.fromkeys(
        (f"chaosday/data/reconcile/{name}.py" for name in ("buckets", "differences")),
        (*_DIFFS, "tests/data/reconcile/test_postgres_diff.py"),
    ),
    "chaosday/data/reconcile/sources/lake.py": (*_DIFFS, "tests/data/reconcile/test_lake_sides.py"),
    "chaosday/data/reconcile/": _DIFFS,
}  # fmt: skip

# Judged by their tests against real servers only, which a sample of hundreds cannot start.
WITH_SERVERS = {
    *(f"chaosday/data/reconcile/{name}.py" for name in ("postgres", "pgdiff", "cross")),
    *(f"chaosday/data/reconcile/sources/{name}.py" for name in ("mysql", "postgresql", "s3")),
    *(f"chaosday/checks/{name}.py" for name in ("amcheck", "pg_checksums", "s3_ledger")),
}
# An implementation's business: CPython keeps one object for a small number or a short string.
_NO_MUTATION = {
    f"core/ReplaceComparisonOperator_{compared}_{identity}"
    for compared in ("Eq", "NotEq", "Lt", "LtE", "Gt", "GtE")
    for identity in ("Is", "IsNot")
}


@dataclass(frozen=True)
class Mutant:
    """One change to one module: ``before`` and ``after`` are the stripped lines that differ."""

    path: str
    definition: str
    operator: str
    before: str
    after: str
    line: int
    source: str

    @property
    def module(self) -> str:
        """The dotted name under which the module is imported."""
        return self.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def figures(sample: int = 300, seed: int = 1) -> dict[str, Any]:
    """``mutants`` run, ``mutants_killed``, ``mutants_equivalent`` and ``mutants_survived``, with what survived."""
    equivalent = _equivalent()
    runner = Runner(sorted({test for tests in TESTS.values() for test in tests}))
    tally: Counter[str] = Counter()
    survivors = []
    for mutant in chosen(sample, seed):
        tests = tests_of(mutant.path)
        outcome = runner.run(mutant.module, mutant.source, tests)
        listed = (mutant.path, mutant.before, mutant.after) in equivalent
        ended = "equivalent" if outcome is Outcome.SURVIVED and listed else outcome.value
        tally[ended] += 1
        if ended == "survived":
            survivors.append(f"{mutant.path}:{mutant.line} {mutant.definition}: {mutant.before} -> {mutant.after}")
            print(survivors[-1], file=sys.stderr, flush=True)
    return {
        "mutants": tally.total(),
        "mutants_killed": tally["killed"] + tally["timed_out"],
        "mutants_equivalent": tally["equivalent"],
        "mutants_survived": tally["survived"],
        "survivors": survivors,
    }


def chosen(sample: int, seed: int) -> list[Mutant]:
    """``sample`` mutants of the judges by seed.

    A mutant's rank depends on the text of its own line and not on its neighbours, so that a change
    in one function leaves the sample elsewhere as it was.
    """
    places = sorted((place.rank(seed), place) for path in modules() for place in _places(path))
    made = filter(None, (place.mutant() for _, place in places))
    return sorted(islice(made, sample), key=lambda mutant: (mutant.path, mutant.line))


def modules() -> list[str]:
    """The judges: paths from the root of the repository, ``/`` between."""
    found = (path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "chaosday").rglob("*.py")))
    return [path for path in found if path not in WITH_SERVERS and any(path.startswith(prefix) for prefix in TESTS)]


def tests_of(path: str) -> tuple[str, ...]:
    """The tests that judge the module at ``path``."""
    return next(tests for prefix, tests in TESTS.items() if path.startswith(prefix))


def _places(path: str) -> Iterator[_Place]:
    """Every place of a module that an operator knows to change."""
    source = (ROOT / path).read_text()
    lines = source.splitlines()
    nodes = list(ast_nodes(get_ast(source)))
    seen: Counter[tuple[str, ...]] = Counter()
    for name in operator_names():
        operator_class = get_operator(name)
        if operator_class.arguments() or name in _NO_MUTATION:
            continue
        operator = operator_class()
        positions = ((start[0], node) for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, (line, node) in enumerate(positions):
            where = (ASTQuery(node).get_definition_name() or "", lines[line - 1].strip())
            seen[name, *where] += 1
            yield _Place(path, name, occurrence, line, *where, seen[name, *where])


def _changed(source: str, mutated: str) -> tuple[str, str]:
    """The lines that differ, stripped and joined, before and after."""
    told = list(difflib.unified_diff(source.splitlines(), mutated.splitlines(), n=0))[2:]
    return tuple(" ".join(line[1:].strip() for line in told if line.startswith(sign)) for sign in "-+")  # type: ignore[return-value]


@dataclass(frozen=True, order=True)
class _Place:
    """The ``occurrence``-th place of an operator in a module; ``same`` counts those whose line reads alike."""

    path: str
    operator: str
    occurrence: int
    line: int
    definition: str
    text: str
    same: int

    def rank(self, seed: int) -> bytes:
        """Where it comes in the order of a seed."""
        key = (str(seed), self.path, self.operator, self.definition, self.text, str(self.same))
        return hashlib.sha256("\0".join(key).encode()).digest()

    def mutant(self) -> Mutant | None:
        """The mutant; none where it is no program, or the same: annotations and docstrings are not run."""
        source = (ROOT / self.path).read_text()
        mutated = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        if mutated is None or _program(mutated) in ("", _program(source)):
            return None
        before, after = _changed(source, mutated)
        return Mutant(self.path, self.definition, self.operator, before, after, self.line, mutated)


class _Bare(ast.NodeTransformer):
    """A module without what is never run under ``from __future__ import annotations``."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        node.body = [
            ast.Assign([s.target], s.value) if isinstance(s, ast.AnnAssign) and s.value else s for s in node.body
        ]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            for statement in node.body:
                if isinstance(statement, ast.AnnAssign):
                    statement.annotation = ast.Constant(None)
        return node


@cache
def _program(source: str) -> str:
    """What a module's text does when run, for comparison; of a text that does not parse, nothing."""
    try:
        return ast.dump(_Bare().visit(ast.parse(source)))
    except SyntaxError:
        return ""


def _equivalent() -> set[tuple[str, str, str]]:
    listed = tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])
    return {(entry["path"], entry["before"], entry["after"]) for entry in listed}
