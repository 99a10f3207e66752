"""A folder of Delta tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.stores.delta import DeltaStore


class DeltaTableFolder(Target):
    """A folder of this machine in which each workload keeps a Delta table of its own."""

    kind: Literal["delta_table"] = "delta_table"
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
            return f"deltalake {version('deltalake')}, {self.path}"
        except PackageNotFoundError:
            raise CapabilityMissing("Delta tables need deltalake: pip install 'chaosday[lake]'") from None

    @cached_property
    def _store(self) -> DeltaStore:
        return DeltaStore(self.path)
