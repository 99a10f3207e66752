"""For programs of ours: no pandas until somebody asks for it.

pyarrow imports pandas, which takes half a second, at the first array that it makes, to see whether it was given
something of pandas'. While nobody has imported pandas, nobody can have given it any.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


def pandas_when_wanted() -> None:
    """From now on pyarrow leaves pandas alone in this process, until somebody has imported it."""
    if "pyarrow" not in sys.modules and not any(isinstance(each, _Afterwards) for each in sys.meta_path):
        sys.meta_path.insert(0, _Afterwards({"pyarrow": _look_in_vain, "pandas": _look_again}))


class _Afterwards(MetaPathFinder):
    """Does something right after a module was imported, which is otherwise imported as ever."""

    def __init__(self, then: dict[str, Callable[[], None]]) -> None:
        self._then = then

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._then or (spec := PathFinder.find_spec(fullname, path)) is None or spec.loader is None:
            return None
        as_ever, then = spec.loader.exec_module, self._then[fullname]

        def exec_module(module: ModuleType) -> None:
            as_ever(module)
            then()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


class _NotThere(MetaPathFinder):
    """Finds no pandas."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("not wanted yet", name=fullname)
        return None


def _look_in_vain() -> None:
    """Have pyarrow find that there is no pandas: it does not ask for it again of its own accord."""
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    nothing = _NotThere()
    sys.meta_path.insert(0, nothing)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(nothing)


def _look_again() -> None:
    """Have pyarrow find the pandas that is there now. A pyarrow that has no such word looks when it is given some."""
    pyarrow = sys.modules.get("pyarrow.lib")
    known = getattr(pyarrow, "_pandas_api", None)
    getattr(known, "pd", None)
