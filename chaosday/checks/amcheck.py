"""The structural check of a PostgreSQL cluster, by pg_amcheck's own words."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged

# 'heap table "db.schema.name", block 3, offset 7:' and the like, followed by indented explanations.
_SUBJECT = re.compile(r'^(?P<kind>[a-z-]+(?: [a-z]+)?) "(?P<name>[^"]+)"(?:, block (?P<block>\d+))?.*:$')
_BLOCK = re.compile(r"block (\d+)")
_FOUND = 2


class Amcheck(Check):
    """Judges what pg_amcheck printed about heap tables and their indexes.

    Damage is ``corrupt-heap`` or ``corrupt-index``; keys name the relation and, where it says so, the
    block. A tool that failed, or had nothing to look at, is inconclusive.
    """

    kind: Literal["amcheck"] = "amcheck"
    observation: str = Field(default="amcheck", description="Name of the tool's saved output")

    needs: ClassVar[tuple[str, ...]] = ("observations/amcheck",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "a value changed inside a row whose structure is intact",
        "rows that are missing from both table and index",
        "pages that were replaced by an older copy of themselves together with their index",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the saved output."""
        said = evidence.observation(self.observation)
        try:
            code, lines, pages, relations = (said[name] for name in ("exit_code", "lines", "pages", "relations"))
        except (KeyError, TypeError):
            raise MalformedInput(f"observation {self.observation} is not the saved output of pg_amcheck") from None
        found = _damage(lines)
        if code == _FOUND and not found:
            found = {"corrupt-heap": [("unnamed relation", " ".join(lines)[:200])]}
        blind = list(self.blind_to)
        if said.get("checksums") is False:
            blind.insert(0, "bit flips within rows: this cluster has no data checksums")
        return judged(
            self.kind,
            examined=pages,
            unit="pages",
            anomalies=[
                Anomaly(
                    name=name,
                    count=len(items),
                    keys=[*(key for key, _ in items[:KEYS_SHOWN])],
                    detail=[{"key": key, "said": words} for key, words in items[:20]],
                )
                for name, items in found.items()
            ],
            unsure=[]
            if code in (0, _FOUND)
            else [f"pg_amcheck ended with {code}: {(lines or ['it printed nothing'])[-1]}"],
            blind_to=blind,
            result={"version": said.get("version"), "relations": relations, "checksums": said.get("checksums")},
        )


def _damage(lines: list[str]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, dict[str, str]] = {}
    subject: Any = None
    for line in lines:
        if not line.startswith(" "):
            subject = _SUBJECT.match(line)
        elif subject is not None:
            name = "corrupt-index" if "index" in subject["kind"] else "corrupt-heap"
            block = subject["block"] or (match[1] if (match := _BLOCK.search(line)) else None)
            key = subject["name"] + (f" block {block}" if block else "")
            if not line.strip().startswith(("DETAIL:", "HINT:", "CONTEXT:", "LOCATION:")):
                found.setdefault(name, {}).setdefault(key, line.strip())
    return {name: list(items.items()) for name, items in found.items()}
