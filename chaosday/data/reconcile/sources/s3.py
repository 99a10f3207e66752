"""Rows of Parquet and CSV objects in S3, each pinned to the version that was listed."""

from __future__ import annotations

import tempfile
from fnmatch import fnmatchcase
from pathlib import Path

from chaosday.clients.objects import Bucket, Listed
from chaosday.data.reconcile.kinds import Field
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sources.files import described, relation
from chaosday.data.reconcile.workspace import Workspace
from chaosday.errors import TargetUnreachable


class S3Source:
    """``s3://bucket/key``, a glob or a version of one object.

    Every object is fetched on condition that its ETag is still the listed one, so that the rows are of
    the listed versions or the comparison ends; a second listing at the end tells of what came since.
    """

    def __init__(self, side: Side, label: str) -> None:
        self.label = label
        self.notes: list[str] = []
        self.side = side
        name, _, self.pattern = side.path.partition("/")
        self.bucket = Bucket(name)
        self.seen = self._list()
        if not self.seen:
            raise TargetUnreachable(f"the {label} side has no object {side}")
        self.scratch = tempfile.TemporaryDirectory(prefix="chaosday-s3-")
        suffix = ".parquet" if side.form == "parquet" else ".csv.gz" if self.pattern.endswith(".gz") else ".csv"
        self.paths = [Path(self.scratch.name) / f"{number}{suffix}" for number in range(len(self.seen))]
        for listed_object, path in zip(self.seen, self.paths, strict=True):
            self.bucket.fetch(listed_object, path)
        self.fields: list[Field] = described(self.paths, side.form, label)

    def stage(self, workspace: Workspace) -> str:
        return relation(self.paths, self.side.form)

    def changed(self) -> bool:
        return self._list() != self.seen

    def close(self) -> None:
        self.scratch.cleanup()

    def _list(self) -> list[Listed]:
        if self.side.version:
            return [self.bucket.version(self.pattern, self.side.version)]
        prefix = self.pattern
        for mark in "*?[":
            prefix = prefix.partition(mark)[0]
        return [found for found in self.bucket.listing(prefix) if fnmatchcase(found.key, self.pattern)]
