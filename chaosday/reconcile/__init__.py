"""Do two stores hold the same rows? Tables, queries and files, within one engine or across engines.

>>> from chaosday.reconcile import diff
>>> result = diff("postgresql://a/db#orders", "postgresql://b/db#orders", key=["id"])  # doctest: +SKIP
>>> result.equal, result.changed, result.to_pandas()  # doctest: +SKIP
"""

from __future__ import annotations

from chaosday.reconcile.compare import diff
from chaosday.reconcile.options import DiffOptions
from chaosday.reconcile.result import DiffResult
from chaosday.reconcile.sides import Side

__all__ = ["DiffOptions", "DiffResult", "Side", "diff"]
