"""Do two sides hold the same rows? Asked by a diff."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from chaosday.data.reconcile.result import DiffResult
from chaosday.data.reconcile.sides import Side
from chaosday.errors import ChaosdayError, UsageError
from chaosday.model.probe import LONG_S, Probe, ProbeReading
from chaosday.model.target import Target

PASSWORD_PLACES = (
    "leave the password out of the URL, which is written down with the plan: it is taken from ~/.pgpass, a service "
    "file or PGPASSWORD, and for MySQL from ~/.my.cnf or MYSQL_PWD"
)


class TableComparison(Probe):
    """Compares two tables, queries or files; the check ``table_diff`` judges the result."""

    kind: Literal["table_diff"] = "table_diff"
    longest_s: ClassVar[float] = LONG_S
    left: str = Field(default="", description="URL#TABLE, URL#SELECT ..., a path, a glob or s3://BUCKET/KEY")
    right: str = Field(default="", description="The other side, in the same form")
    key: list[str] = Field(default=["id"], description="Columns that identify a row; none: compared as multisets")
    ignored: list[str] = Field(default=[], description="Columns left out")

    @field_validator("left", "right")
    @classmethod
    def _without_password(cls, text: str) -> str:
        """A URL stands in the plan, the journal and the report as it is given."""
        try:
            given = Side.parse(text) if "://" in text else None
            if given and given.engine in {"postgresql", "mysql"} and given.address.has_password:
                raise ValueError(PASSWORD_PLACES)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return text

    def read(self, target: Target) -> ProbeReading:
        try:
            result = self._compare()
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        differing = result.added + result.removed + result.changed
        words = f"{result.rows_left} and {result.rows_right} rows, {differing} of them differ"
        return ProbeReading(probe=self.kind, healthy=result.equal, value=differing, unit="rows", words=words)

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        return {"table_diff": self._compare().to_dict()}

    def _compare(self) -> DiffResult:
        from chaosday.data.reconcile import diff

        return diff(self.left, self.right, key=self.key, ignored=frozenset(self.ignored))
