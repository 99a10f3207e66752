"""The third proof: whether everything is as it was."""

from __future__ import annotations

from typing import Any

from pydantic import computed_field

from chaosday.model.base import Model


class Change(Model):
    """One entry of a snapshot that does not read as it did before the fault."""

    name: str
    before: Any = None
    after: Any = None


class Clean(Model):
    """A target observed again after heal, compared with the snapshot taken before.

    ``residue`` is what carries our mark and is still there, ``changed`` what differs and should not,
    ``lasting`` what differs by design (a killed process), each with the reason, and ``errors`` what
    went wrong while undoing or looking; unable to look is not clean.
    """

    lease_id: str
    fault: str
    target: str
    residue: list[str] = []
    changed: list[Change] = []
    lasting: dict[str, str] = {}
    errors: list[str] = []
    retried: list[str] = []
    """What an undo that was tried again had met; it counts only in what is left of it."""
    refused: bool = False
    """Whether the target let us in no more; then nothing further was asked, and ``errors`` has its words."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def clean(self) -> bool:
        """Nothing left, nothing changed, nothing unseen."""
        return not (self.residue or self.changed or self.errors)

    @property
    def undone(self) -> bool:
        """Whether nothing of it is left that could be seen, whatever others have changed meanwhile."""
        return not (self.residue or self.errors)

    @property
    def words(self) -> str:
        """One line for a person."""
        if self.clean:
            again = f", after {len(self.retried) + 1} tries ({self.retried[-1]})" if self.retried else ""
            return f"{self.fault} on {self.target}: as it was{again}"
        said = [*self.errors, *self.residue]
        said += [f"{change.name} was {change.before!r}, is {change.after!r}" for change in self.changed]
        return f"{self.fault} on {self.target} is not clean: {'; '.join(said)}"


def differences(
    before: dict[str, Any], after: dict[str, Any], lasting: dict[str, str]
) -> tuple[list[Change], dict[str, str]]:
    """What differs and should not, and what differs as ``lasting`` says it may."""
    changed, allowed = [], {}
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        if name in lasting:
            allowed[name] = lasting[name]
        else:
            changed.append(Change(name=name, before=before.get(name), after=after.get(name)))
    return changed, allowed
