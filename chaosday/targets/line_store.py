"""A system behind a port that answers lines of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.stores.line import LineStore


class LineStoreTarget(Target):
    """Your own system, behind a small program that speaks for it: a line of JSON there, a line back (see
    ``chaosday.stores.line``). ``python -m chaosday.clients.line_server`` is such a program for files
    that live in a process."""

    kind: Literal["line_store"] = "line_store"
    host: str = "127.0.0.1"
    port: int = Field(default=9042, ge=1, le=65535)

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store."""
        return {Store: LineStore(self.host, self.port)}

    def reach(self) -> str:
        """Ask what it is."""
        return f"{LineStore(self.host, self.port).once('reach')}, at {self.host}:{self.port}"
