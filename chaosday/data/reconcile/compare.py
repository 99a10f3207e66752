"""The door: two sides in, one result out, whatever engines they live in."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from chaosday.data.reconcile.options import DiffOptions
from chaosday.data.reconcile.result import DiffResult
from chaosday.data.reconcile.sides import SYNTAX, Side
from chaosday.errors import UsageError


def diff(left: str | Side, right: str | Side, key: Sequence[str] = (), **options: Any) -> DiffResult:
    """Compare two sides; ``options`` are the other fields of ``DiffOptions``.

    Raises ``UsageError`` for a missing table, a wrong key or types that cannot be compared,
    ``TargetUnreachable`` and ``AccessDenied`` where a side cannot be read. A side that was written to
    meanwhile gives a result whose ``equal`` is None.
    """
    sides = [Side.parse(side) if isinstance(side, str) else side for side in (left, right)]
    for label, side in zip(("left", "right"), sides, strict=True):
        if not side.rows_named:
            raise UsageError(f"the {label} side names no table; {SYNTAX}")
    return compare(sides[0], sides[1], DiffOptions(key=tuple(key), **options))


def compare(left: Side, right: Side, options: DiffOptions) -> DiffResult:
    """Compare two parsed sides by the quickest way that their engines allow."""
    if left.engine == right.engine == "postgresql" and not options.pull:
        from chaosday.data.reconcile.cells import NotHashable

        # Types that the databases cannot compare by themselves are compared here, as with --pull.
        with contextlib.suppress(NotHashable):
            return _in_postgres(left, right, options)
    from chaosday.data.reconcile.cross import diff_across

    return diff_across(left, right, options)


def _in_postgres(left: Side, right: Side, options: DiffOptions) -> DiffResult:
    from chaosday.data.reconcile.pgdiff import diff_postgres
    from chaosday.data.reconcile.postgres import PostgresSide

    first = PostgresSide(left, "left", options.patience)
    try:
        second = PostgresSide(right, "right", options.patience)
        try:
            return diff_postgres(first, second, options)
        finally:
            second.close()
    finally:
        first.close()
