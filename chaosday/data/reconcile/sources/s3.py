"""Rows of Parquet and CSV objects in S3, each pinned to the version that was listed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from chaosday.clients.objects import Bucket, Listed
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sources.files import Parts
from chaosday.data.reconcile.workspace import Workspace
from chaosday.errors import TargetUnreachable


class S3Source:
    """``s3://bucket/key``, a glob or a version of one object.

    Every object is fetched on condition that its ETag is still the listed one, so that the rows are of
    the listed versions or the comparison ends; a second listing at the end tells of what came since.
    """

    def __init__(self, side: Side, label: str) -> None:
        self.label = label
        self.side = side
        name, _, self.pattern = side.path.partition("/")
        self.bucket = Bucket(name)
        self.seen = self._list()
        if not self.seen:
            raise TargetUnreachable(f"the {label} side has no object {side}")
        self.scratch = tempfile.TemporaryDirectory(prefix="chaosday-s3-")
        # What a file is, its name's endings say: a tab between fields, or that it is compressed.
        endings = ("".join(PurePosixPath(one.key).suffixes[-2:]) for one in self.seen)
        paths = [Path(self.scratch.name) / f"{number}{ending}" for number, ending in enumerate(endings)]
        for listed_object, path in zip(self.seen, paths, strict=True):
            self.bucket.fetch(listed_object, path)
        shown = (listed_object.key for listed_object in self.seen)
        self.parts = Parts(dict(zip(paths, shown, strict=True)), replace(side, path=self.pattern), label)
        self.fields, self.notes, self.expected_rows = self.parts.fields, self.parts.notes, self.parts.rows

    def stage(self, workspace: Workspace) -> str:
        return self.parts.relation(workspace)

    def changed(self) -> bool:
        return self._list() != self.seen

    def close(self) -> None:
        self.parts.close()
        self.scratch.cleanup()

    def _list(self) -> list[Listed]:
        if self.side.version:
            return [self.bucket.version(self.pattern, self.side.version)]
        prefix = self.pattern
        for mark in "*?[":
            prefix = prefix.partition(mark)[0]
        found = list(self.bucket.listing(prefix))
        # An object of exactly that key is meant, whatever brackets and stars are in it.
        literally = [one for one in found if one.key == self.pattern]
        return literally or [one for one in found if _matches(one.key.split("/"), self.pattern.split("/"))]


def _matches(key: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a key is what a glob stands for, folder by folder as with files: a star ends at a slash, two do not."""
    if not pattern or not key:
        return not pattern and not key
    if pattern[0] == "**":
        return _matches(key, pattern[1:]) or (len(key) > 1 and _matches(key[1:], pattern))
    return fnmatchcase(key[0], pattern[0]) and _matches(key[1:], pattern[1:])
