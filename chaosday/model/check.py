"""A Check judges evidence and touches nothing."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from chaosday.model.base import Model
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Finding


class Check(Model):
    """Evidence -> Finding, pure: the same evidence always gives the same finding.

    A subclass sets ``kind`` (a Literal with a default; its name in experiment files), gives every
    field a default, says in ``needs`` which pieces of evidence it reads, and implements ``judge``.
    A check that has nothing to look at says so (``judged`` with ``examined=0``); it never passes.
    """

    kind: str
    needs: ClassVar[tuple[str, ...]] = ("history",)
    blind_to: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def judge(self, evidence: Evidence) -> Finding:
        """Judge the evidence; raise ``EvidenceMissing`` where a needed piece is absent."""
