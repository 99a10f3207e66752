"""A folder of Parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

from chaosday.errors import TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.stores.parquet import ParquetStore


class ParquetFolder(Target):
    """A folder of this machine in which a workload keeps a file of its own."""

    kind: Literal["parquet_folder"] = "parquet_folder"
    here: ClassVar[bool] = True
    path: Path = Path("chaosday-parquet")

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store."""
        return {Store: self._store}

    def reach(self) -> str:
        """Say which library would write there; the folder has to be there."""
        if not self.path.is_dir():
            raise TargetUnreachable(f"{self.path} is not a directory")
        return f"pyarrow {version('pyarrow')}, {self.path}"

    @cached_property
    def _store(self) -> ParquetStore:
        return ParquetStore(self.path)
