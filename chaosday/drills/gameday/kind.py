"""The game day as a kind of run: sealed flags are hidden one after the other, and people find and mitigate them.

A flag is a fault with a lease like any other. Until the end nothing that others may read tells which flags were drawn.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from chaosday.drills.gameday import readiness, sealing
from chaosday.drills.gameday.board import NAME, OVER, Board
from chaosday.drills.gameday.day import GameDay, Phase
from chaosday.drills.gameday.hunt import Hunt
from chaosday.drills.gameday.outages import today_utc, trend
from chaosday.drills.gameday.readiness import Gap
from chaosday.drills.gameday.scoring import PlayedFlag, score
from chaosday.errors import ChaosdayError
from chaosday.judging.verdict import Verdict
from chaosday.model.experiment import Guard
from chaosday.model.intent import Intent, commands_of
from chaosday.reporting.gameday_page import write_page
from chaosday.running.kind import Judgement, Kind, Table
from chaosday.running.live import LiveRun

SECRET = "flags.secret.json"
COMMITMENTS = "flags.sealed.json"
GAME = "game.json"
PLAYED = "Played to its end, and everything is as it was"
_UNPLAYED: dict[str, Any] = {
    "commitments": [],
    "revealed": None,
    **{name: [] for name in ("played", "scores", "claims", "notes", "actions", "systems", "people", "abort")},
    "outages": None,
}


class GameDayKind(Kind):
    """What ``gameday.day`` describes."""

    kind = "gameday"
    value_type = GameDay
    sealed = True
    value: GameDay

    def __init__(self, value: GameDay) -> None:
        super().__init__(value)
        self.missing: list[Gap] = []
        """Everything that the readiness gate asks for."""
        self.played: list[PlayedFlag] = []
        # Which rows or files a fault takes is drawn from the same seed, and as secret until the end.
        self._seed = value.flags.seed if value.flags.seed is not None else sealing.secret_seed()
        self._game = _UNPLAYED

    def intent(self) -> Intent:
        day = self.value
        probes = [monitor.probe for monitor in day.monitors()] + [guard.probe for guard in day.guards()]
        probes += [option.mitigated for option in day.flags.options if option.mitigated is not None]
        return Intent(
            title=day.title,
            hypothesis="",
            seed=self._seed,
            environment=day.environment,
            targets=day.targets,
            faults=[option.fault for option in day.flags.options],
            commands=commands_of([*probes, *day.targets.values()]),
            max_targets=day.flags.max_targets,
            one_at_a_time=True,
            length_s=(day.flags.gap_max_s + day.flags.patience_s) * (day.flags.draw or len(day.flags.options)),
        )

    def guards(self) -> list[Guard]:
        return self.value.guards()

    def gaps(self) -> list[str]:
        return [gap.line for gap in readiness.gaps(self.value)]

    def opened(self, run: LiveRun) -> None:
        board = Board.create(run.directory.path / NAME, run.directory.run, run.clock)
        run.when_stopped.append(lambda why: board.say("stopped", why=why))

    def resolve(self, run: LiveRun) -> None:
        """What is missing in what can be reached right now.

        Every option is planned, whether it will be drawn or not: an error then tells nothing about the draw.
        """
        for number, option in enumerate(self.value.flags.options):
            try:
                run.plan(option.fault)
            except ChaosdayError as error:
                self.missing.append(Gap(where=f"flags.options.{number} ({option.name})", words=str(error)))
        if not self.missing:
            self.missing += readiness.monitors_now(self.value, run.targets)
        for gap in self.missing:
            run.fall_short(gap.line)

    def preflighted(self, run: LiveRun) -> None:
        """Everything that is missing, at once, for whoever prepares the day."""
        refused = [Gap(where="permission", words=words) for words in run.refusals]
        found = [*readiness.gaps(self.value), *refused, *self.missing]
        told = {gap.line for gap in found} | set(run.refusals)
        self.missing = found + [Gap(where="targets", words=words) for words in run.shortfalls if words not in told]
        lines = [gap.line for gap in self.missing]
        run.directory.write_json("readiness.json", [gap.model_dump() for gap in self.missing])
        run.journal.append("readiness", gaps=lines)
        self._board(run).say("not ready" if lines else "ready", gaps=lines)

    def baseline(self, run: LiveRun) -> None:
        """Draw the flags and publish a commitment to each, before the first phase begins."""
        sealed = sealing.draw(self.value.flags, self._seed)
        sealing.keep(_secret(run), sealed)
        commitments, places = sealed.commitments(), self.value.places()
        run.directory.write_json(COMMITMENTS, {"sha256": commitments, "places": places})
        run.journal.append("sealed", sha256=commitments)
        self._board(run).say("sealed", sha256=commitments, places=places)

    def begin(self, run: LiveRun, phase: Phase) -> None:
        """Say on the board that a phase begins."""
        run.say("observe", f"{phase.name}: {phase.instructions}")
        self._board(run).say("phase", name=phase.name, kind=phase.kind)

    def inject(self, run: LiveRun) -> None:
        """Hide the flags, one after the other, each until it is mitigated or patience ends."""
        if any(phase.kind == "hunt" for phase in self.value.phases):
            Hunt(self.value, sealing.opened(_secret(run)), run, self._board(run)).play(partial(self._keep, run))

    def collect(self, run: LiveRun) -> None:
        """Open the seals and score the claims."""
        board, secret = self._board(run), _secret(run)
        board.say(OVER)
        sealed = sealing.opened(secret) if secret.is_file() else None
        commitments = run.directory.read_json(COMMITMENTS)["sha256"] if sealed else []
        for number in sealing.broken(commitments, sealed) if sealed else []:
            run.fall_short(f"flag {number} is not what was sealed")
        for flag in self.played:
            if not flag.bit:
                run.fall_short(f"flag {flag.number} does not count: {flag.why}")
        self._game = {
            "commitments": commitments,
            "revealed": sealed.model_dump(mode="json") if sealed else None,
            **self._told(run, board),
        }

    def judgement(self) -> Judgement:
        """Nothing is asked about data; how well it was played, the score says. A flag that did not bite is no flag."""
        return Judgement(bites=len(self.played), played=PLAYED)

    def tables(self, verb: str, run: LiveRun) -> list[Table]:
        if verb == "preflight" and self.missing:
            rows = [gap.model_dump() for gap in self.missing]
            return [Table("missing", rows, "The game day may not start: this is missing")]
        if verb == "baseline" and _secret(run).is_file():
            sealed = run.directory.read_json(COMMITMENTS)["sha256"]
            rows = [{"flag": number, "sha256": digest} for number, digest in enumerate(sealed, start=1)]
            return [Table("sealed", rows, "Commitments to the flags; revealed after the end")]
        if verb == "report":
            return self._score_table()
        return []

    def report(self, run: LiveRun, verdict: Verdict) -> None:
        game = {
            "run": run.directory.run,
            "title": self.value.title,
            "outcome": verdict.outcome.value,
            "reasons": verdict.reasons,
            "gaps": [gap.line for gap in self.missing],
            "stopped": run.stopped,
            **self._game,
            "cleans": [clean.words for clean in run.cleans],
        }
        run.directory.write_json(GAME, game)
        run.journal.append("game", outcome=verdict.outcome.value, reasons=verdict.reasons)
        write_page(run.directory, game)

    def public(self) -> dict[str, Any]:
        """Its seed is as secret as its flags."""
        return self.value.model_dump(mode="json", exclude={"targets": True, "flags": {"seed"}}) | {"checks": []}

    def _told(self, run: LiveRun, board: Board) -> dict[str, Any]:
        day, claims = self.value, board.claims()
        rates = {s.name: s.downtime_cost_per_minute for s in day.systems if s.downtime_cost_per_minute}
        ledger = trend(day.outages, rates, today_utc(run.clock.wall_ns()))
        return {
            "played": [flag.model_dump(mode="json") for flag in self.played],
            "scores": [team.model_dump(mode="json") for team in score(self.played, claims)],
            "claims": [claim.model_dump(mode="json") for claim in claims],
            "notes": [{**note.model_dump(mode="json"), "at": note.at} for note in board.notes()],
            "actions": [item.model_dump(mode="json") for item in board.actions()],
            "systems": [s.model_dump(mode="json", exclude={"monitors"}) for s in day.systems],
            "people": [person.model_dump(mode="json") for person in day.people],
            "abort": [criterion.model_dump(mode="json", exclude={"guard"}) for criterion in day.abort],
            "outages": ledger.model_dump(mode="json") if ledger else None,
        }

    def _score_table(self) -> list[Table]:
        names = {flag.number: flag.name for flag in self.played}
        rows = [
            {name: said for name, said in flag.items() if name != "flag"}
            | {"flag": f"{flag['flag']}: {names[flag['flag']]}"}
            for team in self._game["scores"]
            for flag in team["flags"]
        ]
        return [Table("score", rows, "Capture the flag: score")] if rows else []

    def _keep(self, run: LiveRun, flag: PlayedFlag) -> None:
        self.played.append(flag)
        run.journal.append("played", flag=flag.model_dump(mode="json"))

    def _board(self, run: LiveRun) -> Board:
        return Board(run.directory.path / NAME, run.clock)


def _secret(run: LiveRun) -> Path:
    return run.directory.path / SECRET
