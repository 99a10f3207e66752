"""The manifest of an S3 prefix: what a listing says of each object, or its bytes read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import xxhash

from chaosday.clients.objects import CHECKSUMS, Bucket, Listed
from chaosday.clock import Clock, SystemClock, iso
from chaosday.data.manifest.tree import EARLIER_KEPT, Header, Manifest, Piece, with_past
from chaosday.errors import AccessDenied, ChaosdayError, TargetUnreachable

WORKERS = 8
CHANGED = "it changed while the manifest was made: a listing has many pages, and is of no one moment; make it again"


def of_objects(
    bucket: Bucket,
    prefix: str,
    *,
    reread: bool = False,
    previous: Manifest | None = None,
    compared_to: Manifest | None = None,
    progress: Callable[[int, int], None] | None = None,
    clock: Clock | None = None,
) -> Manifest:
    """Describe every object under a prefix by ETag, checksums, version and size.

    Without ``reread`` a piece's digest stands for the ETag, and older versions of the listing are its
    past. With it, the bytes of the listed version are read and hashed, the only way to see rot below
    the store's own checks. Objects that cannot be read are listed as unread, and so is what a second listing at the end
    has otherwise: it came, went or was written meanwhile. Of an object whose ETag is another than in ``compared_to``
    the store is asked how it is encrypted, because only where it is not by KMS or a customer's key is an ETag a hash of
    its bytes ("Object" in the API reference of S3).
    """
    versions = _versions(bucket, prefix)
    current = bucket.listing(prefix)
    total = sum(found.size_bytes for found in current)
    done = 0
    pieces, unread = [], {}

    def described(found: Listed) -> Piece | str:
        past = versions.get(found.key, [])
        newest = past[0].version if past and past[0].etag == found.etag else ""
        pinned = Listed(found.key, found.size_bytes, found.etag, newest)
        try:
            digest = _content(bucket, pinned) if reread else _remembered(found)
            checksum = _checksum(bucket, pinned) if reread else _etag(bucket, found, compared_to)
        except (TargetUnreachable, AccessDenied) as error:
            return str(error)
        earlier = () if reread else tuple(dict.fromkeys(_remembered(old) for old in past[1:] if old.etag != found.etag))
        return Piece(found.key, found.size_bytes, digest, earlier[:EARLIER_KEPT], newest, checksum)

    with ThreadPoolExecutor(WORKERS) as pool:
        for found, piece in zip(current, pool.map(described, current), strict=True):
            if isinstance(piece, Piece):
                pieces.append(with_past(piece, previous))
            else:
                unread[found.key] = piece
            done += found.size_bytes
            if progress:
                progress(done, total)
    unread |= dict.fromkeys(_changed(current, bucket.listing(prefix)), CHANGED)
    pieces = [piece for piece in pieces if piece.name not in unread]
    header = Header("objects", f"s3://{bucket.name}/{prefix}", iso((clock or SystemClock()).wall_ns()),
                    "bytes" if reread else "etag", unread=unread, encrypted=bucket.encrypted())  # fmt: skip
    return Manifest.build(header, pieces)


def _changed(before: Iterable[Listed], after: Iterable[Listed]) -> list[str]:
    """The keys of which two listings say different things."""
    one, other = ({found.key: (found.size_bytes, found.etag) for found in each} for each in (before, after))
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def _versions(bucket: Bucket, prefix: str) -> dict[str, list[Listed]]:
    """Versions by key, newest first; none where the store does not keep or show them."""
    try:
        listed = bucket.versions(prefix)
    except ChaosdayError:
        return {}
    by_key: dict[str, list[Listed]] = {}
    for version in listed:
        by_key.setdefault(version.key, []).append(version)
    return by_key


def _remembered(found: Listed) -> bytes:
    return xxhash.xxh3_128_digest(found.etag.encode())


def _content(bucket: Bucket, found: Listed) -> bytes:
    state = xxhash.xxh3_128()
    for block in bucket.read(found):
        state.update(block)
    return state.digest()


def _checksum(bucket: Bucket, found: Listed) -> str:
    said = bucket.head(found.key, found.version)
    stored = [f"{name.lower()}:{said[f'Checksum{name}']}" for name in CHECKSUMS if said.get(f"Checksum{name}")]
    return " ".join([f"etag:{found.etag}", *stored])


def _etag(bucket: Bucket, found: Listed, compared_to: Manifest | None) -> str:
    """The ETag, and by what the object is encrypted where that is why it may differ from the one before."""
    said = f"etag:{found.etag}"
    before = compared_to.find(found.key) if compared_to else None
    if before is None or before.size != found.size_bytes or before.checksum.partition(" ")[0] == said:
        return said
    asked = [found.version, *([before.version] if before.version else [])]
    return " ".join([said, *{word: None for version in asked if (word := _encryption(bucket, found.key, version))}])


def _encryption(bucket: Bucket, key: str, version: str) -> str:
    """``sse:`` and the method, empty where the ETag is a hash; where the store does not say, that is a reason too."""
    try:
        said = bucket.head(key, version)
    except (TargetUnreachable, AccessDenied):
        return "sse:unknown"
    if said.get("SSECustomerAlgorithm"):
        return "sse:customer"
    method = str(said.get("ServerSideEncryption", ""))
    return f"sse:{method}" if method.startswith("aws:kms") else ""
