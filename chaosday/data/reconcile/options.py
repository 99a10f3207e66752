"""What is compared, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaosday.data.connections.waiting import Patience
from chaosday.errors import UsageError


@dataclass(frozen=True)
class DiffOptions:
    """How two sides are compared.

    ``key`` names the columns (in the left side's names) that identify a row; without any, rows are
    compared as multisets. ``fast`` trusts the database's own record hashes. ``renamed`` maps a
    column's name on the left to its name on the right. ``tolerances`` is in the column's own unit
    (seconds for times). ``output`` is the Parquet file that gets all differences. ``pull`` reads both
    sides through this machine even where the databases could hash by themselves. ``patience`` says how
    long locks and silent servers are waited for. ``moments`` says that each PostgreSQL side is meant as of its own
    snapshot, so that it may be written to meanwhile.
    """

    key: tuple[str, ...] = ()
    fast: bool = False
    columns: tuple[str, ...] = ()
    ignored: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)
    tolerances: Mapping[str, float] = field(default_factory=dict)
    output: Path | None = None
    pull: bool = False
    patience: Patience = field(default_factory=Patience)
    moments: bool = False

    def stated(self) -> list[str]:
        """What is left out, mapped or tolerated, in words that nobody overlooks."""
        said = []
        if self.ignored:
            said.append(f"NOT compared: {', '.join(sorted(self.ignored))}")
        if self.columns:
            said.append(f"ONLY compared: {', '.join(self.columns)}")
        if self.renamed:
            said.append("mapped: " + ", ".join(f"{left} = {right}" for left, right in sorted(self.renamed.items())))
        if self.tolerances:
            said.append("TOLERATED: " + ", ".join(f"{name} +- {by:g}" for name, by in sorted(self.tolerances.items())))
        if not self.key:
            said.append("no key: rows are compared as a multiset, so a changed row counts as removed and added")
        return said


@dataclass(frozen=True)
class Pair:
    """A column of the left and its counterpart on the right."""

    left: str
    right: str


def pair_columns(left: Sequence[str], right: Sequence[str], options: DiffOptions) -> tuple[list[Pair], list[Pair]]:
    """The key pairs and the other pairs, in the left side's order; ``UsageError`` where one is missing."""
    for name in options.renamed:
        _known(name, left, "left")
    wanted = [name for name in left if not options.columns or name in {*options.columns, *options.key}]
    for name in (*options.columns, *options.tolerances):
        _known(name, left, "left")
    if options.tolerances and (not options.key or set(options.tolerances) & set(options.key)):
        raise UsageError("a tolerance is for columns beside a key: rows are told apart by their key, exactly")
    pairs: dict[str, Pair] = {}
    for name in options.key:
        _known(name, left, "left")
    for name in wanted:
        other = options.renamed.get(name, name)
        if name in options.ignored and name not in options.key:
            continue
        _known(other, right, "right", "; leave it out with --ignore, or name its counterpart with --rename")
        pairs[name] = Pair(name, other)
    used = {pair.right for pair in pairs.values()}
    extra = [n for n in right if n not in used and n not in options.ignored and not options.columns]
    if extra:
        raise UsageError(
            f"the right side has columns that the left lacks: {', '.join(extra)}; leave them out: --ignore"
        )
    unmet = options.ignored - set(left) - set(right)
    if unmet:
        raise UsageError(f"no column called {', '.join(sorted(unmet))} to ignore on either side")
    if not pairs:
        raise UsageError("no column is left to compare: ignore fewer, or name some with --columns")
    key = [pairs[name] for name in options.key]
    return key, [pair for name, pair in pairs.items() if name not in options.key]


def _known(name: str, names: Sequence[str], side: str, hint: str = "") -> None:
    if name not in names:
        raise UsageError(f"the {side} side has no column {name!r}; it has {', '.join(names)}{hint}")
