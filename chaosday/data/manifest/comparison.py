"""Two manifests compared, and each difference called by its name."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chaosday.data.manifest.tree import FANOUT, Manifest, Piece
from chaosday.errors import UsageError

SHOWN = 1000
UPLOADED_AGAIN = (
    "it was uploaded again, in other parts or encrypted, and its ETag tells nothing of its bytes: use --reread"
)
_MD5 = re.compile("[0-9a-f]{32}")
ROT = "bytes that rotted behind the store's back: a listing tells what the store remembers; make it with --reread"


@dataclass(frozen=True)
class Damage:
    """One piece that is not as it was.

    ``kind`` is ``missing``, ``extra``, ``renamed`` (the same content under a new name), ``stale`` (a
    content that this name had before), ``misdirected`` (the content of another piece), ``truncated``,
    ``grown``, ``bit_flip`` (as long as before, other bytes) or, in a table, ``altered`` rows. A name that is
    no UTF-8 is shown with its bytes escaped.
    """

    kind: str
    name: str
    other: str = ""
    size_before: int | None = None
    size_after: int | None = None


@dataclass
class Comparison:
    """What differs between two manifests; ``equal`` is None when pieces could not be read or ``reasons`` say why."""

    pieces_before: int
    pieces_after: int
    leaves_read: int
    counts: dict[str, int] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    blind_to: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool | None:
        """True, False, or None where it is not known."""
        if self.counts:
            return False
        return None if self.unread or self.reasons or not self.pieces_before else True

    @property
    def exit_code(self) -> int:
        """0 equal, 1 different, 2 inconclusive."""
        return {True: 0, False: 1, None: 2}[self.equal]

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON: what ``--json`` prints and what the check ``manifest`` judges."""
        said = asdict(self)
        said["damage"] = said["damage"][:SHOWN]
        return {"equal": self.equal, **said}


def compare(before: Manifest, after: Manifest) -> Comparison:
    """Walk both trees down to the leaves that differ and name what happened to their pieces."""
    for what in ("medium", "digest_of", "cut"):
        one, other = getattr(before.header, what), getattr(after.header, what)
        if one != other:
            raise UsageError(f"the manifests do not compare: {what} is {one!r} in one and {other!r} in the other")
    columns, retyped = _columns(before.header.columns, after.header.columns)
    olds, news, leaves = ({}, {}, 0) if columns or retyped else _differing(before, after)
    unread = {**before.header.unread, **after.header.unread}
    by_key = before.header.encrypted or after.header.encrypted
    opaque = {
        name: UPLOADED_AGAIN
        for name, new in news.items()
        if name in olds and before.header.digest_of == "etag" and (by_key or _says_nothing(olds[name], new))
    }
    comparison = Comparison(len(before), len(after), leaves, reasons=retyped)
    comparison.unread = {_shown(name): why for name, why in {**unread, **opaque}.items()}
    if before.header.digest_of == "etag":
        comparison.blind_to.append(ROT)
    missing = [old for name, old in olds.items() if name not in news and name not in unread]
    extra = [new for name, new in news.items() if name not in olds and name not in unread]
    altered = [(olds[n], new) for n, new in news.items() if n in olds and n not in unread and n not in opaque]
    whose = before.named_by_digest({new.digest for _, new in altered} | {new.digest for new in extra})
    damage = [*columns, *(_altered(old, new, whose, before.header.medium) for old, new in altered)]
    damage += _moved(missing, extra, whose)
    for one in damage:
        comparison.counts[one.kind] = comparison.counts.get(one.kind, 0) + 1
    comparison.damage = sorted(
        (replace(one, name=_shown(one.name), other=_shown(one.other)) for one in damage),
        key=lambda one: (one.kind, one.name),
    )
    return comparison


def _columns(before: dict[str, str], after: dict[str, str]) -> tuple[list[Damage], list[str]]:
    """Columns that a table lost or got, and those whose type is another, so that their hashes say nothing."""
    gone = [Damage("missing", f"column {name}") for name in before if name not in after]
    came = [Damage("extra", f"column {name}") for name in after if name not in before]
    retyped = [
        f"column {name} was {kind} and is {after[name]}: manifests compare values of one type; make a diff"
        for name, kind in before.items()
        if after.get(name, kind) != kind
    ]
    return gone + came, retyped


def _says_nothing(old: Piece, new: Piece) -> bool:
    """Whether two ETags differ by how an object was uploaded: in parts, or encrypted, an ETag is no hash of bytes."""
    etags = [piece.checksum.removeprefix("etag:").partition(" ") for piece in (old, new)]
    return old.size == new.size and not all(_MD5.fullmatch(etag) and "sse:" not in how for etag, _, how in etags)


def _shown(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _differing(before: Manifest, after: Manifest) -> tuple[dict[str, Piece], dict[str, Piece], int]:
    """Pieces of either side that the other does not hold just so."""
    olds: dict[str, Piece] = {}
    news: dict[str, Piece] = {}
    if before.bits == after.bits:
        numbers = [int(number) for number in _descend(before, after)]
        pairs = [(before.leaf(number), after.leaf(number)) for number in numbers]
    else:
        # One has outgrown the other's number of leaves: their trees have no node in common.
        numbers = list(range(1 << after.bits))
        pairs = [({p.name: p for p in before.pieces()}, {p.name: p for p in after.pieces()})]
    for old, new in pairs:
        olds |= {name: piece for name, piece in old.items() if name not in new or new[name].entry != piece.entry}
        news |= {name: piece for name, piece in new.items() if name not in old or old[name].entry != piece.entry}
    return olds, news, len(numbers)


def _descend(before: Manifest, after: Manifest) -> NDArray[np.int64]:
    nodes = np.zeros(1, np.int64)
    for level in range(len(before.levels) - 1, -1, -1):
        one, other = before.levels[level], after.levels[level]
        nodes = nodes[nodes < len(one)]
        nodes = nodes[(one[nodes] != other[nodes]).any(axis=1)]
        if level:
            nodes = (nodes[:, None] * FANOUT + np.arange(FANOUT)).ravel()
    return nodes


def _altered(old: Piece, new: Piece, whose: dict[bytes, str], medium: str) -> Damage:
    other = whose.get(new.digest, "") if new.size else ""
    if new.digest in old.earlier:
        kind = "stale"
    elif other and other != new.name:
        return Damage("misdirected", new.name, other, old.size, new.size)
    elif new.size != old.size:
        kind = "truncated" if new.size < old.size else "grown"
    else:
        kind = "altered" if medium == "table" else "bit_flip"
    return Damage(kind, new.name, "", old.size, new.size)


def _moved(missing: list[Piece], extra: list[Piece], whose: dict[bytes, str]) -> list[Damage]:
    gone = {piece.digest: piece for piece in missing if piece.size}
    damage = []
    renamed = set()
    for piece in extra:
        old = gone.pop(piece.digest, None)
        if old is not None:
            renamed.add(old.name)
            damage.append(Damage("renamed", piece.name, old.name, old.size, piece.size))
        else:
            copied = whose.get(piece.digest, "") if piece.size else ""
            damage.append(Damage("extra", piece.name, copied, None, piece.size))
    damage += [Damage("missing", old.name, "", old.size, None) for old in missing if old.name not in renamed]
    return damage
