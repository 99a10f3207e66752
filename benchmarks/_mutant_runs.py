"""One mutant, one forked process: all is imported once, and a fork changes only the code that its mutant changes."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

_NOT_RUN = 99
"""Ends a child that could not be given its mutant: nothing was tried, which is no kill."""
_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--timeout=0")


class Outcome(Enum):
    """How a mutant's tests ended."""

    KILLED = "killed"
    TIMED_OUT = "timed_out"
    SURVIVED = "survived"


class Runner:
    """Runs mutants; the tests of a module are first run on the module as it is, which also says how long to wait."""

    def __init__(self, tests: Iterable[str]) -> None:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = pytest.main(["--collect-only", *_OPTIONS, *tests])
        if code:
            raise RuntimeError(f"the tests of the judges cannot be collected: {said.getvalue()[-2000:]}")
        self._limit_s: dict[tuple[str, ...], float] = {}

    def run(self, module: str, source: str, tests: tuple[str, ...]) -> Outcome:
        """The outcome of ``tests`` with ``module`` as if its text were ``source``.

        :raises RuntimeError: where the tests fail without a mutant, or the mutant could not be put into its module
        """
        if tests not in self._limit_s:
            began = time.monotonic()
            if _ended(_started(None, tests), 1200) != 0:
                raise RuntimeError(f"these fail without any mutant: {' '.join(tests)}")
            self._limit_s[tests] = 30 + 5 * (time.monotonic() - began)
        code = _ended(_started((module, source), tests), self._limit_s[tests])
        if code is None:
            return Outcome.TIMED_OUT
        if code == _NOT_RUN:
            raise RuntimeError(f"{module} could not be changed, so that nothing is known of its tests")
        return Outcome.SURVIVED if code == 0 else Outcome.KILLED


def _started(mutant: tuple[str, str] | None, tests: tuple[str, ...]) -> int:
    """The process id of a forked child that runs ``tests`` and exits with pytest's code."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)
    code = _NOT_RUN
    try:
        if mutant is not None:
            _mutate(*mutant)
        code = 3
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
            code = int(pytest.main([*_OPTIONS, f"--basetemp={folder}/t", *tests]))
    finally:
        os._exit(code)


def _ended(pid: int, limit_s: float) -> int | None:
    """The child's exit code; nothing where it had to be killed after ``limit_s`` seconds."""
    descriptor = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([descriptor], [], [], limit_s)
    finally:
        os.close(descriptor)
    if not ready:
        os.killpg(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status) if ready else None


def _mutate(name: str, source: str) -> None:
    """Put the mutant's code into the functions of the imported module.

    What a module does when it is imported (constants, defaults, class bodies) others hold already:
    then all of ours is forgotten, and imported again with the other text. So it is where no function that is found has
    the code: a comprehension of the module's own has run by then, and a lambda in a table is not looked for.
    """
    module = importlib.import_module(name)
    file = module.__file__ or ""
    before = compile(Path(file).read_text(), file, "exec", dont_inherit=True)
    after = compile(source, file, "exec", dont_inherit=True)
    if _same_outside_functions(before, after):
        pairs = zip(_functions_in(before), _functions_in(after), strict=True)
        changed = {one: other for one, other in pairs if one != other}
        holders = [each for each in _functions_of(module) if each.__code__ in changed]
        if changed.keys() == {each.__code__ for each in holders}:
            for function in holders:
                function.__code__ = changed[function.__code__]
            return
    for loaded in [each for each in sys.modules if each.split(".")[0] in ("chaosday", "tests", "benchmarks")]:
        if loaded != __name__:
            del sys.modules[loaded]
    sys.meta_path.insert(0, _Mutated(name, file, after))


class _Mutated:
    """Finds one module, with other code than its file has."""

    def __init__(self, name: str, file: str, code: CodeType) -> None:
        self._name, self._file, self._code = name, file, code

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> Any:
        from importlib.util import spec_from_file_location

        inside = [str(Path(self._file).parent)] if self._file.endswith("__init__.py") else None
        return (
            spec_from_file_location(fullname, self._file, loader=self, submodule_search_locations=inside)  # type: ignore[arg-type]
            if fullname == self._name
            else None
        )

    def create_module(self, spec: Any) -> None:
        """As usual."""

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)


def _is_function(code: CodeType) -> bool:
    return bool(code.co_flags & 0x01)  # CO_OPTIMIZED: no module, no class body


def _same_outside_functions(before: CodeType, after: CodeType) -> bool:
    if (
        before.co_code != after.co_code
        or before.co_names != after.co_names
        or len(before.co_consts) != len(after.co_consts)
    ):
        return False
    for one, other in zip(before.co_consts, after.co_consts, strict=True):
        if isinstance(one, CodeType) != isinstance(other, CodeType):
            return False
        if isinstance(one, CodeType):
            if not _is_function(one) and not _same_outside_functions(one, other):
                return False
        elif repr(one) != repr(other):
            return False
    return True


def _functions_in(code: CodeType) -> Iterator[CodeType]:
    """The functions of a module or class body, not those inside functions."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            if _is_function(each):
                yield each
            else:
                yield from _functions_in(each)


def _functions_of(module: ModuleType) -> Iterator[FunctionType]:
    """Every function of a module and its classes, under whatever decorator."""
    seen: set[int] = set()
    stack: list[Any] = list(vars(module).values())
    while stack:
        one = stack.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, FunctionType):
            yield one
        if isinstance(one, type) and one.__module__ == module.__name__:
            stack += vars(one).values()
        stack += [
            inner
            for name in ("__wrapped__", "__func__", "fget", "func", "callback")
            if (inner := getattr(one, name, None)) is not None and isinstance(inner, (FunctionType, functools.partial))
        ]
