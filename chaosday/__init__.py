"""chaosday: chaos experiments that prove themselves.

The public door is small and lazy, so that ``import chaosday`` costs next to nothing::

    import chaosday
    history = chaosday.History.read("chaosday-runs/.../history.parquet")
    frame = history.to_pandas()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chaosday.model.evidence import Evidence as Evidence
    from chaosday.model.finding import Finding as Finding
    from chaosday.model.finding import Outcome as Outcome
    from chaosday.model.history import History as History

__version__ = "0.1.0"

_EXPORTS = {
    "History": "chaosday.model.history",
    "Evidence": "chaosday.model.evidence",
    "Finding": "chaosday.model.finding",
    "Outcome": "chaosday.model.finding",
}
__all__ = ["Evidence", "Finding", "History", "Outcome", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'chaosday' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
