"""The detection drill as a kind of run: damage of several kinds, one after the other, and who notices which."""

from __future__ import annotations

from typing import Any

from chaosday.checks.detection import Detection
from chaosday.drills.detection.drill import DetectionDrill
from chaosday.drills.detection.watch import Notice, Watch
from chaosday.errors import EvidenceMissing
from chaosday.judging.verdict import Verdict
from chaosday.model.experiment import Guard
from chaosday.model.fault import Bite, Fault
from chaosday.model.intent import Intent, commands_of
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.page import write_report
from chaosday.running.kind import Judgement, Kind, Table
from chaosday.running.live import LiveRun, Planned

ANSWER_S = 60.0
"""How long monitors have for their first answer."""


class DetectionKind(Kind):
    """What ``detection.drill`` describes."""

    kind = "detection"
    value_type = DetectionDrill
    value: DetectionDrill

    def __init__(self, value: DetectionDrill) -> None:
        super().__init__(value)
        self.seen: dict[str, Any] = {"damage": [], "ringing": []}

    def intent(self) -> Intent:
        value = self.value
        probes = [*(monitor.probe for monitor in value.monitors), *(guard.probe for guard in value.guards)]
        return Intent(
            title=value.title,
            hypothesis=value.hypothesis,
            seed=value.seed,
            environment=value.environment,
            targets=value.targets,
            faults=value.damage,
            commands=commands_of([*probes, *value.targets.values()]),
            max_targets=value.max_targets,
            one_at_a_time=True,
            length_s=value.quiet_s + value.patience_s * len(value.damage),
        )

    def guards(self) -> list[Guard]:
        return self.value.guards

    def baseline(self, run: LiveRun) -> None:
        """The monitors before any damage: one that rings already, or that says nothing, ends the drill."""
        words = "listening to the monitors"
        run.say("baseline", words)
        watch = self._watch(run)
        # A monitor that takes its time is no silent one; on a busy machine each does.
        run.wait("baseline", ANSWER_S, words, watch.heard)
        run.wait("baseline", self.value.quiet_s, words)
        for notice in watch.stop():
            if notice.after_s is not None:
                self.seen["ringing"].append(notice.monitor)
                run.fall_short(f"monitor {notice.monitor} is not healthy before any damage: {notice.words}")
            elif not notice.readings or notice.silent:
                run.fall_short(f"monitor {notice.monitor} gave no answer: {notice.words or 'not within quiet_s'}")

    def inject(self, run: LiveRun) -> None:
        """Each kind of damage in turn: plant it, wait until it is noticed or patience ends, undo it, look."""
        for each in run.plans:
            if run.over() or not run.ready:
                return
            run.say("inject", f"{_name(each.fault)} on {each.fault.target}")
            self._damage(run, each)

    def collect(self, run: LiveRun) -> None:
        run.keep("detection", self.seen)

    def judgement(self) -> Judgement:
        return Judgement(checks=[Detection(must_notice=self.value.must_notice)], bites=len(self.value.damage))

    def tables(self, verb: str, run: LiveRun) -> list[Table]:
        return self.shown(run.directory) if verb == "verify" else []

    @classmethod
    def shown(cls, directory: RunDirectory) -> list[Table]:
        """Damage, and after how long each monitor noticed it."""
        try:
            seen = directory.read_json("observations/detection.json")["damage"]
        except EvidenceMissing:
            return []
        rows = [
            {"damage": each["name"] if each["bit"] else f"{each['name']} (did not bite)"}
            | {n["monitor"]: _after(n["after_s"]) for n in each["notices"]}
            for each in seen
        ]
        return [Table("noticed", rows, "Damage, and after how long it was noticed")] if rows else []

    def report(self, run: LiveRun, verdict: Verdict) -> None:
        write_report(run.directory)

    def _damage(self, run: LiveRun, each: Planned) -> None:
        watches: list[Watch] = []
        name, wanted = _name(each.fault), len(self.value.monitors)
        try:
            bite = run.strike(each.plan, injected=lambda: watches.append(self._watch(run)))
            run.wait("observe", self.value.patience_s, f"{name} is there", lambda: watches[0].noticed() == wanted)
        finally:
            notices = [notice for watch in watches for notice in watch.stop()]
            run.last_look(each.plan)
            run.lifecycle.heal(each.plan)
        if not run.over() or all(notice.after_s is not None for notice in notices):
            # Where the drill was stopped nobody had the time that was promised: nothing is said of who slept.
            self.seen["damage"].append(_seen(name, bite, notices))
        run.journal.append("noticed", damage=name, notices=[n.model_dump(mode="json") for n in notices])

    def _watch(self, run: LiveRun) -> Watch:
        return Watch(self.value.monitors, run.targets, run.clock, self.value.every_s)


def _after(seconds: float | None) -> str:
    return "not noticed" if seconds is None else f"{seconds:.1f} s"


def _name(fault: Fault) -> str:
    how = getattr(fault, "damage", "")
    return f"{fault.kind}: {how}" if how else fault.kind


def _seen(name: str, bite: Bite, notices: list[Notice]) -> dict[str, Any]:
    return {"name": name, "bit": bite.bit, "why": bite.why, "notices": [n.model_dump(mode="json") for n in notices]}
