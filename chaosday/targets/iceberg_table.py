"""A folder of Iceberg tables with a SQLite file as their catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.stores.iceberg import IcebergStore


class IcebergTableFolder(Target):
    """A folder of this machine in which each workload keeps a Iceberg table of its own."""

    kind: Literal["iceberg_table"] = "iceberg_table"
    here: ClassVar[bool] = True
    path: Path = Path("chaosday-lake")

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store."""
        return {Store: self._store}

    def reach(self) -> str:
        """Say which library would write there; the folder has to be there."""
        if not self.path.is_dir():
            raise TargetUnreachable(f"{self.path} is not a directory")
        try:
            return f"pyiceberg {version('pyiceberg')}, {self.path}"
        except PackageNotFoundError:
            raise CapabilityMissing("Iceberg tables need pyiceberg: pip install 'chaosday[lake]'") from None

    @cached_property
    def _store(self) -> IcebergStore:
        return IcebergStore(self.path)
