"""What a toxic is: frozen data that hurts connections of a route for as long as its lease lasts.

A new one is one file in ``chaosday/mechanisms/proxy/toxics``: a dataclass with ``kind`` and, mostly,
nothing but ``stage``.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from chaosday.mechanisms.proxy.connection import Connection, Stage, Stream

DIRECTIONS = ("both", "upstream", "downstream")


@dataclass(frozen=True, kw_only=True, eq=False)
class Toxic:
    """Fields that every toxic has: direction, which share of the connections it hits, and its seed."""

    kind: ClassVar[str] = ""
    refuses: ClassVar[bool] = False
    """Whether new connections are refused while it is in force."""
    direction: str = "both"
    probability: float = 1.0
    seed: int = 0

    def hits(self, connection: Connection) -> bool:
        """Whether this connection is one of those; the same for the same seed and number, whenever it is asked."""
        return self.probability >= 1 or self.random(connection).random() < self.probability

    def random(self, connection: Connection, salt: str = "") -> random.Random:
        """A generator of this toxic and connection only."""
        return random.Random(f"{self.seed}/{self.kind}/{connection.number}/{salt}")

    def stage(self, stream: Stream) -> Stage:
        """What it puts into each stream of its direction."""
        raise NotImplementedError(f"{self.kind} has no stage")

    def attach(self, connection: Connection, fresh: bool) -> list[tuple[Stream, Stage]]:
        """Take hold of a connection (``fresh``: just accepted); returns what it put where."""
        put = []
        for stream in connection.streams(self.direction):
            stage = self.stage(stream)
            stream.put_in(stage)
            put.append((stream, stage))
        return put

    def detach(self, connection: Connection) -> None:
        """Called after its stages were taken out."""


def toxic(spec: Mapping[str, Any]) -> Toxic:
    """A toxic from its JSON; ``ValueError`` in words if it is none."""
    package = importlib.import_module("chaosday.mechanisms.proxy.toxics")
    for info in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{info.name}")
    known = {kind.kind: kind for kind in _kinds(Toxic)}
    given = dict(spec)
    name = given.pop("kind", "")
    if name not in known:
        raise ValueError(f"no toxic {name!r}; there are {', '.join(sorted(known))}")
    allowed = {field.name for field in fields(known[name])}
    if unknown := set(given) - allowed:
        raise ValueError(f"toxic {name} has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(allowed))}")
    if given.get("direction", "both") not in DIRECTIONS:
        raise ValueError(f"direction is one of {', '.join(DIRECTIONS)}")
    return known[name](**given)


def _kinds(base: type[Toxic]) -> list[type[Toxic]]:
    """Every toxic there is; one may be another's special case."""
    return [kind for direct in base.__subclasses__() for kind in (direct, *_kinds(direct))]
