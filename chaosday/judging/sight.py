"""The second proof as a value: the kill matrix, and what it allows us to claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, computed_field

from chaosday.model.base import Model
from chaosday.statistics import wilson

CellStatus = Literal["caught", "partly", "missed", "not-applicable"]


class SizeRecall(Model):
    """How often damage of one size was seen."""

    size: int
    planted: int
    caught: int


class Cell(Model):
    """One check against one class of damage.

    ``localised`` counts the plantings for which the finding also named a damaged key that it had
    not named without the damage. ``why`` says why nothing was planted, or what the check said of
    damage that it missed.
    """

    check: str
    corruption: str
    planted: int = 0
    caught: int = 0
    localised: int = 0
    by_size: list[SizeRecall] = []
    smallest_caught: int | None = None
    """The fewest damaged items that were noticed."""
    seconds: float = 0
    why: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def status(self) -> CellStatus:
        """In one word; ``not-applicable`` where nothing was planted that this check reads."""
        if not self.planted:
            return "not-applicable"
        return "caught" if self.caught == self.planted else "partly" if self.caught else "missed"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def recall_95(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the recall."""
        interval = wilson(self.caught, self.planted)
        return interval.low, interval.high


class Class(Model):
    """One class of damage over all checks: ``caught`` by at least one of them, of ``planted``."""

    corruption: str
    promised: bool = True
    planted: int = 0
    caught: int = 0
    equivalent: int = 0
    """Plantings that, by the corruption's own oracle, changed nothing; not counted as planted."""
    left_out: int = 0
    """Plantings for which the budget did not suffice."""
    why: str = ""
    """Why it could not be planted at all."""


class Control(Model):
    """One check on evidence without planted damage.

    ``silent`` is whether it says nothing about evidence known to be sound: this run's own where it
    found nothing there, otherwise a copy rebuilt from what was acknowledged; None where no sound
    copy could be made.
    """

    check: str
    examined: int
    reads: list[str] = []
    same_on_copy: bool
    silent: bool | None
    why: str = ""
    blind_to: list[str] = []


class KillMatrix(Model):
    """Check x corruption, with its controls, its seed and what it left out."""

    seed: int
    checks: list[str]
    sizes: list[int]
    classes: list[Class] = []
    cells: list[Cell] = []
    controls: list[Control] = []
    left_out: list[str] = []
    blind_spots: list[str] = []
    seconds: float = 0
    budget_s: float = 0

    def cell(self, check: str, corruption: str) -> Cell | None:
        """The cell of that check and class, or None."""
        return next((c for c in self.cells if (c.check, c.corruption) == (check, corruption)), None)

    @property
    def planted(self) -> int:
        """How many times damage was planted."""
        return sum(each.planted for each in self.classes)


class Sight(Model):
    """Whether these checks could have seen damage in this data; ``reasons`` name what is unproven."""

    proven: bool
    reasons: list[str] = Field(default=[])
    words: str = ""
    unseen: list[str] = Field(default=[])
    """Classes of damage of which not every planting was seen, promised or not, with how many were."""


def sight_of(matrix: KillMatrix | None, promised: Sequence[str] | None = None) -> Sight:
    """Judge a kill matrix by what the experiment promised to see.

    ``promised`` names corruption classes; None means every class that could be planted and is
    promised by default. Every check also has to be silent on sound evidence and to have caught
    something itself: one that always says "valid", always says "invalid", or looks at nothing is
    refused even when another check beside it sees everything.
    """
    if matrix is None:
        return Sight(proven=False, reasons=["sight: no damage was planted, so nothing shows that the checks can see"])
    reasons = [reason for control in matrix.controls for reason in _control(control)]
    reasons += [reason for check in matrix.checks if (reason := _blind(matrix, check))]
    reasons += _promises(matrix, promised)
    if not matrix.planted:
        reasons.insert(0, "sight: no damage could be planted in this evidence")
    caught = sum(each.caught for each in matrix.classes)
    classes = sum(1 for each in matrix.classes if each.planted)
    silent = all(control.silent for control in matrix.controls)
    words = (
        f"{caught} of {matrix.planted} plantings of {classes} classes of damage were noticed; "
        f"sound evidence {'raised no alarm' if silent else 'was not shown to be met with silence'}"
    )
    missed = [each for each in matrix.classes if each.caught < each.planted]
    unseen = [f"{each.corruption} ({each.caught} of {each.planted})" for each in missed]
    return Sight(proven=not reasons, reasons=reasons, words=words, unseen=unseen)


def _control(control: Control) -> list[str]:
    said = f": {control.why}" if control.why else ""
    reasons = []
    if not control.examined:
        reasons.append(f"sight: {control.check} examined nothing")
    if not control.same_on_copy:
        reasons.append(f"sight: {control.check} answers differently about an undamaged copy{said}")
    if control.silent is False:
        reasons.append(f"sight: {control.check} raises an alarm on sound evidence{said}")
    elif control.silent is None:
        reasons.append(f"sight: {control.check} was not seen to be silent on sound evidence{said}")
    return reasons


def _blind(matrix: KillMatrix, check: str) -> str:
    cells = [cell for cell in matrix.cells if cell.check == check and cell.planted]
    if not cells:
        return f"sight: blind check {check}: nothing was planted that it could have seen"
    if not any(cell.caught for cell in cells):
        return f"sight: blind check {check}: it noticed none of {sum(c.planted for c in cells)} plantings"
    return ""


def _promises(matrix: KillMatrix, promised: Sequence[str] | None) -> list[str]:
    known = {each.corruption: each for each in matrix.classes}
    if promised is None:
        wanted = [each for each in matrix.classes if each.promised and (each.planted or each.left_out)]
        unknown: list[str] = []
    else:
        wanted = [known[name] for name in promised if name in known]
        unknown = [name for name in promised if name not in known]
    reasons = [f"sight: {name} was promised to be seen, but it does not apply to this evidence" for name in unknown]
    for each in wanted:
        if not each.planted:
            why = "the budget ended first" if each.left_out else each.why or "it changed nothing"
            reasons.append(f"sight: {each.corruption} was promised to be seen, but could not be planted: {why}")
        elif each.caught < each.planted:
            missed = each.planted - each.caught
            reasons.append(f"sight: {missed} of {each.planted} plantings of {_cells(matrix, each.corruption)} missed")
    return reasons


def _cells(matrix: KillMatrix, corruption: str) -> str:
    checks = [cell.check for cell in matrix.cells if cell.corruption == corruption and cell.planted]
    return f"{corruption} x {', '.join(checks) or 'no check that reads it'}"
