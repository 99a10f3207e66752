"""Do two stores hold the same rows? Tables, queries and files, within one engine or across engines.

>>> from chaosday.data.reconcile import diff
>>> result = diff("postgresql://a/db#orders", "postgresql://b/db#orders", key=["id"])  # doctest: +SKIP
>>> result.equal, result.changed, result.to_pandas()  # doctest: +SKIP
"""

from __future__ import annotations

from chaosday.data.reconcile.compare import diff
from chaosday.data.reconcile.options import DiffOptions
from chaosday.data.reconcile.result import DiffResult
from chaosday.data.reconcile.sides import Side

__all__ = ["DiffOptions", "DiffResult", "Side", "diff"]
