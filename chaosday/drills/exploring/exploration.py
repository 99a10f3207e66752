"""An exploration from beginning to end: its search, its shrinking, and what is left for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from chaosday.drills.exploring.drawing import allowed_by, in_words
from chaosday.drills.exploring.ground import Ground
from chaosday.drills.exploring.searching import Search
from chaosday.drills.exploring.shrinking import shrink
from chaosday.drills.exploring.smallest import file_of
from chaosday.drills.exploring.trials import faults_of
from chaosday.model.base import Model
from chaosday.model.finding import Outcome
from chaosday.reporting.exploration_page import Shown, page
from chaosday.statistics import loss_upper_bound


class Explored(Model):
    """What an exploration came to."""

    title: str
    seed: int
    folder: str
    found: bool = False
    anomalies: list[str] = []
    first: str = ""
    """The schedule that violated first, in words."""
    tried_again: bool = True
    """Whether it violated as often as asked for; not where the budget ended before that was tried."""
    smallest: str = ""
    """And what is left of it."""
    faults: int = 0
    steps: list[str] = []
    file: str = ""
    """The smallest experiment, YAML; ``smallest.yaml`` in the folder."""
    runs: int = 0
    judged: int = 0
    """How many schedules with faults say something: each fault was measured, and every check came to an end."""
    drawn: int = 0
    """How many of them were drawn afresh, and not varied from what had reached something new."""
    states: int = 0
    at_most: float = 1
    """With 95 % confidence no larger share of the schedules that can be drawn violates, by those that were drawn."""
    once_only: list[str] = []
    """What violated and would not again: damage all the same, and nothing that could be made smaller."""
    unusable: dict[str, str] = {}
    s: float = 0

    @property
    def outcome(self) -> Outcome:
        """``violated`` where something was found, if only once; ``inconclusive`` where no schedule could be judged."""
        if self.found or self.once_only:
            return Outcome.VIOLATED
        return Outcome.PASS if self.judged else Outcome.INCONCLUSIVE

    @property
    def words(self) -> str:
        """In a sentence."""
        spent = f"{self.runs} runs, {self.states} states, {self.s:.0f} s, seed {self.seed}"
        if self.found:
            again = "" if self.tried_again else "; no budget was left to try it again"
            return f"{', '.join(self.anomalies)} by {self.smallest} (drawn: {self.first}){again}; {spent}"
        bound = f"at most {self.at_most:.1%} of the schedules violate (95 %)"
        if self.once_only:
            return f"violated once and not again: {'; '.join(self.once_only)}; {bound}; {spent}"
        if not self.judged:
            return f"no run with a fault came to an end that says anything; {spent}"
        return f"nothing found; {bound}; {spent}"


class Exploration:
    """One search on one ground; ``standing`` says at any time how far it is."""

    def __init__(self, ground: Ground, patterns: Sequence[str] = ()) -> None:
        self._ground, self._patterns = ground, patterns
        self._search: Search | None = None

    def run(self) -> Explored:
        """Search, shrink, and write ``explored.json``, ``smallest.yaml`` and ``report.html``.

        A signal, the halt switch or an error ends it where it stands: what it has come to so far is written all the
        same, and then it is raised.
        """
        ground, first, steps = self._ground, "", list[str]()
        try:
            search = self._search = self._begin()
            search.run()
            if search.violating is not None:
                first = in_words(faults_of(search.violating))
                smaller = "now it is made smaller" if search.tried_again else "no budget is left to try it again"
                ground.tell(f"found: {', '.join(sorted(search.anomalies))} by {first}; {smaller}")
                if search.tried_again:
                    shrink(search, search.allowed, steps)
        finally:
            explored = self._explored(first, steps)
            self._write(explored)
            ground.journal.append("explored", **explored.model_dump(mode="json", exclude={"file"}))
        return explored

    def standing(self) -> str:
        """Where it stands, in a line, for whoever ended it early."""
        stands, path = self._search, self._ground.folder.path
        if stands is None:
            return "it had not begun to draw"
        done = f"{stands.trials.count} runs, {len(stands.states)} states"
        if stands.violating is None:
            once = f"; violated once and not again: {'; '.join(stands.once_only)}" if stands.once_only else ""
            return f"{done}, nothing found yet{once}; {path}"
        return f"{done}; so far the smallest: {in_words(faults_of(stands.violating))}; {path}/smallest.yaml"

    def _begin(self) -> Search:
        ground = self._ground
        with ground.system() as facts:
            allowed = allowed_by(self._patterns, ground.base, facts)
        ground.journal.append("allowed", faults=[each.model_dump(mode="json") for each in allowed])
        base = ground.base
        return Search(
            base.experiment, allowed, base.limits, ground.trials, ground.budget, Random(ground.seed), ground.tell
        )

    def _explored(self, first: str, steps: list[str]) -> Explored:
        search, s = self._search, self._ground.spent_s()
        blank = Explored(
            title=self._ground.base.title, seed=self._ground.seed, folder=str(self._ground.folder.path), s=round(s, 1)
        )
        if search is None:
            return blank
        counted = blank.model_copy(
            update={
                "runs": search.trials.count, "judged": search.judged, "drawn": search.drawn,
                "states": len(search.states), "at_most": loss_upper_bound(search.drawn_violating, search.drawn),
                "once_only": search.once_only, "unusable": search.unusable,
            }
        )  # fmt: skip
        if search.violating is None:
            return counted
        faults, anomalies = faults_of(search.violating), sorted(search.anomalies)
        return counted.model_copy(
            update={
                "found": True, "anomalies": anomalies, "first": first, "smallest": in_words(faults),
                "tried_again": search.tried_again,
                "faults": len(faults), "steps": steps, "file": file_of(self._ground.base, search.violating, anomalies),
            }
        )  # fmt: skip

    def _write(self, explored: Explored) -> None:
        self._ground.folder.write_json("explored.json", explored.model_dump(mode="json", exclude={"file"}))
        sections = []
        if explored.found:
            self._ground.folder.write_bytes("smallest.yaml", explored.file.encode())
            steps = [(str(number), words) for number, words in enumerate(explored.steps, 1)]
            limits = self._ground.base.limits
            often = f"It violates {limits.least} of {limits.of} times."
            if not explored.tried_again:
                often = f"It violated; whether it does {limits.least} of {limits.of} times there was no budget to try."
            sections.append(Shown("The smallest", often, text=explored.file))
            sections.append(Shown("How it was made smaller", explored.first, ("step", "what was taken away"), steps))
        for head, lines in (
            ("Violated once and not again", explored.once_only),
            ("Not drawn any more", _told(explored)),
        ):
            if lines:
                sections.append(Shown(head, columns=("what",), rows=[(line,) for line in lines]))
        html = page(f"explored: {explored.title}", explored.outcome.value, explored.words, sections)
        self._ground.folder.write_bytes("report.html", html.encode())


def _told(explored: Explored) -> list[str]:
    return [f"{kind}: {why}" for kind, why in explored.unusable.items()]
