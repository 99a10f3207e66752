"""The pipeline drill as a kind of run: undisturbed in copies, then killed at every distinct point and run again."""

from __future__ import annotations

import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Self

from chaosday.checks.exactly_once import CRASHES, ExactlyOnce
from chaosday.drills.leftovers import COPY
from chaosday.drills.pipelines.attempts import END, KILL, Attempt, Attempts
from chaosday.drills.pipelines.bench import Bench
from chaosday.drills.pipelines.drill import Budget, PipelineDrill
from chaosday.drills.pipelines.folders import stamps, stamps_of
from chaosday.drills.pipelines.golden import Golden, Undisturbed
from chaosday.drills.pipelines.known import KnownCause, read, told
from chaosday.drills.pipelines.lanes import lanes
from chaosday.drills.pipelines.planning import Planned, left_out, one, plan
from chaosday.drills.pipelines.preloading import WORTH, preload
from chaosday.drills.pipelines.starting import look, text
from chaosday.drills.pipelines.story import causes, coverage, words
from chaosday.errors import CapabilityMissing, UsageError
from chaosday.judging.verdict import Verdict
from chaosday.model.clean import Clean
from chaosday.model.experiment import Guard
from chaosday.model.fault import Bite, Reading
from chaosday.model.intent import Intent, commands_of
from chaosday.processes import connect_gate
from chaosday.progress import Step, say
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.page import write_report
from chaosday.running.kind import Judgement, Kind, Table
from chaosday.running.live import LiveRun
from chaosday.servers import postgres

ACT, TARGET = "pipeline.kill", "pipeline"
FORKED = "forked where its imports end"


class PipelineKind(Kind):
    """What ``pipelines.drill`` describes."""

    kind = "pipeline"
    value_type = PipelineDrill
    value: PipelineDrill

    def __init__(self, value: PipelineDrill) -> None:
        super().__init__(value)
        self.golden = Golden()
        self.attempts: list[Attempt] = []
        self.planned: list[Planned] = []
        self.doubts: list[str] = []
        self.known: list[KnownCause] = []
        self.started = ""
        """How runs begin: each in a process of its own, and why, or forked."""
        self._bench: Bench | None = None
        self._began_ns = 0
        self._before: dict[str, tuple[int, int]] = {}

    def intent(self) -> Intent:
        value = self.value
        guards = [guard.probe for guard in value.guards]
        return Intent(
            title=value.title,
            hypothesis=value.hypothesis,
            seed=value.seed,
            environment=value.environment,
            targets={**value.targets, **value.originals()},
            commands=(" ".join(value.command), *commands_of([*guards, *value.targets.values()])),
            length_s=value.budget.minutes * 60,
        )

    def guards(self) -> list[Guard]:
        return self.value.guards

    def gaps(self) -> list[str]:
        value, found = self.value, []
        if not value.command:
            found.append("command: say which command is to be drilled")
        if not value.stores and not value.files:
            found.append("stores: name at least one store that the command works on, or a file or folder under outputs")
        if value.folder is not None and not value.folder.is_dir():
            found.append(f"folder: there is no folder {value.folder}")
        named = [(f"stores.{name}", Path(s.source)) for name, s in value.stores.items() if s.source and not s.original]
        named += [(f"days.{n}", file) for n, day in enumerate(value.days) for file in day.arrives.values()]
        named += [("known", value.known)] if value.known else []
        found += [f"{where}: there is no file {file}" for where, file in named if not file.is_file()]
        return found

    def resolve(self, run: LiveRun) -> None:
        """Find the program, and whether this machine can drill it."""
        self.known = read(self.value.known) if self.value.known else []
        if why := connect_gate.supported():
            raise CapabilityMissing(f"nobody would see how the command gets by the proxy: {why}")
        path = self.value.variables.get("PATH")
        program = self.value.command[0]
        folder = self.value.folder or Path()
        if shutil.which(program, path=path) is None and not (folder / program).is_file():
            raise UsageError(f"command: there is no program {program}")

    def holds(self, run: LiveRun) -> set[str]:
        where = self.value.folder.resolve() if self.value.folder else " ".join(self.value.command)
        return {f"pipeline {where}"}

    def acts(self, run: LiveRun) -> list[dict[str, Any]]:
        return [
            {
                "at_s": 0,
                "fault": {"kind": ACT, "target": TARGET, "command": " ".join(self.value.command)},
                "affects": [f"a copy of {store.source or 'nothing'}, as {name}" for name, store in
                            self.value.stores.items()],
                "mechanism": f"{', '.join(self.value.ways)} at an ask, on copies",
                "undo": "throw the copies away",
                "ends_by_itself_after_s": 0,
                "lasting": {},
            }
        ]  # fmt: skip

    def baseline(self, run: LiveRun) -> None:
        """Copies are made, and the command is run in them undisturbed."""
        self._undisturbed(run)
        self.doubts += [f"not covered: {what}, {n} times" for what, n in sorted(self.golden.files_unseen.items())]
        for reason in self.golden.shortfalls:
            run.fall_short(reason)
        if run.ready and not run.over():
            if self.value.only:
                self.doubts.append(f"only point {self.value.only} was run")
                self.planned = [one(self.value.only, self.golden)]
            else:
                self.planned = self._planned(run)
            self._fits(run)

    def inject(self, run: LiveRun) -> None:
        """Each state in turn, while there is time, and the end."""
        self._began_ns = run.clock.monotonic_ns()
        self._attempt(run, "inject", [each for each in self.planned if not each.audit])

    def observe(self, run: LiveRun) -> None:
        """Points that by their state need not be run: that they agree is the proof that states hold."""
        run.say("observe", "points that should be like others")
        self._attempt(run, "observe", [each for each in self.planned if each.audit])

    def wind_down(self, run: LiveRun) -> None:
        """Take the copies away, and look: no process, no copy, and the user's folder as it was."""
        bench, self._bench = self._bench, None
        if bench is None:
            return
        run.say("rollback", "taking the copies away")
        residue = bench.close()
        changed = sorted(set(self._before.items()) ^ set(self._own().items()))
        errors = [f"{changed[0][0]} was changed during the drill, by it or by somebody else"] if changed else []
        clean = Clean(lease_id=f"cd-{run.directory.token}-pipeline", fault=ACT, target=TARGET, residue=residue,
                      errors=errors)  # fmt: skip
        run.cleans.append(clean)
        run.journal.append("tidied", clean=clean.model_dump(mode="json"))

    def collect(self, run: LiveRun) -> None:
        if self.attempts:
            run.bites.append(self._bite())
        if self.golden.points:
            run.keep("pipeline", self._seen())

    def close(self) -> None:
        if self._bench is not None:
            self._bench.close()
            self._bench = None

    def judgement(self) -> Judgement:
        return Judgement(checks=[ExactlyOnce()], bites=1)

    def tables(self, verb: str, run: LiveRun) -> list[Table]:
        return self.shown(run.directory) if verb == "verify" else []

    @classmethod
    def shown(cls, directory: RunDirectory) -> list[Table]:
        """The causes, each with the first of its points."""
        evidence = directory.evidence()
        if not evidence.has("observations/pipeline"):
            return []
        rows = [
            {
                "after": each["after"] or "nothing was committed",
                "leaves": ", ".join(f"{output} {kind}" for output, kind in each["damage"]),
                "how often": _often(each),
                "first": each["points"][0],
            }
            for each in evidence.observation("pipeline")["causes"]
        ]
        return [Table("causes", rows, "Where the pipeline is not exactly once")] if rows else []

    def report(self, run: LiveRun, verdict: Verdict) -> None:
        write_report(run.directory)

    def narrowed(self, only: str = "", budget_minutes: float = 0) -> Self:
        """The same drill of one point, or within another budget."""
        changed: dict[str, Any] = {"only": only} if only else {}
        changed |= {"budget": Budget(minutes=budget_minutes)} if budget_minutes else {}
        return type(self)(PipelineDrill.model_validate(self.value.model_dump() | changed))

    def foreseen(self, run: LiveRun) -> list[Table]:
        """What only an undisturbed run shows: stores, outputs, points and states, and how long the drill would take."""
        self.baseline(run)
        golden, value = self.golden, self.value
        if not golden.points:
            return []
        stores = [
            {"store": name, "database": each.file or value.database_of(name), "copied from": each.source or "nothing"}
            for name, each in value.stores.items()
        ]
        outputs = [{"output": name, "rows": rows} for name, rows in golden.outputs.items()]
        points = [
            {"state": number, "first point": point.name, "asked": " ".join(point.text.split())[:80]}
            for number, point in enumerate(golden.states, start=1)
        ]
        need_s = golden.estimate_s(len(self.planned))
        sums = [{"points": len(golden.points), "crash states": len(golden.states), "to be run": len(self.planned),
                 "one run": f"{golden.seconds:.1f} s", "in all": f"about {need_s:.0f} s",
                 "lives on between runs": ", ".join(value.lives_on) or "nothing"}]  # fmt: skip
        return [
            Table("stores", stores, "Stores"),
            Table("outputs", outputs, "Outputs, after an undisturbed run"),
            Table("states", points, "Crash states"),
            Table("sums", sums, "The drill"),
        ]

    def drafted(self, run: LiveRun) -> str:
        """A file for the command, by what two undisturbed runs of it show."""
        bench = self._started(run)
        run.say("baseline", "two undisturbed runs, in copies")
        return text(self.value, look(bench, run.over))

    def _started(self, run: LiveRun) -> Bench:
        self._before = self._own()
        scratch = _scratch(run.directory)
        run.say("baseline", "making copies of the stores")
        run.journal.append(COPY, folder=str(scratch), stores=sorted(self.value.stores))
        self._bench = Bench(self.value, scratch, run.directory.token)
        self._bench.start()
        return self._bench

    def _own(self) -> dict[str, tuple[int, int]]:
        """Size and time of change of what is the user's: the folder, and the files that stores are copied from."""
        value = self.value
        sources = {Path(value.stores[name].source) for name in value.embedded if value.stores[name].source}
        return stamps(value.folder) | {name: stamp for file in sources for name, stamp in stamps_of(file).items()}

    def _undisturbed(self, run: LiveRun) -> None:
        self.golden = Undisturbed(self._started(run), partial(run.say, "baseline"), run.over).take()

    def _planned(self, run: LiveRun) -> list[Planned]:
        """The attempts; where they are many, they begin where the imports of a Python program end."""
        planned = plan(self.value, self.golden)
        if self.value.preload and self._bench is not None and len(planned) >= WORTH:
            run.say("baseline", "importing once what every run imports")
            self.started = preload(self._bench, self.golden, run.over) or FORKED
            planned = plan(self.value, self.golden)
        return planned

    def _fits(self, run: LiveRun) -> None:
        """One round of all states has to fit into the budget, as far as can be known."""
        rounds = [each for each in self.planned if each.way in (KILL, END) and not each.audit]
        need_s, has_s = self.golden.estimate_s(len(rounds)), self.value.budget.minutes * 60
        if need_s > has_s:
            run.fall_short(
                f"budget: one round of {len(rounds)} crash states takes about {need_s:.0f} s, and {has_s:.0f} s are"
                f" allowed; give it at least {need_s / 60 + 0.1:.1f} minutes"
            )

    def _attempt(self, run: LiveRun, phase: str, planned: list[Planned]) -> None:
        if self._bench is None:
            return
        attempts = Attempts(self._bench, self.golden, run.over)
        attempts.doubts = self.doubts
        for each in planned:
            number, gone_s = len(self.attempts), (run.clock.monotonic_ns() - self._began_ns) / 1e9
            if run.over():
                return
            if gone_s > self.value.budget.minutes * 60:
                what = f"{number} of {len(self.planned)} points"
                self.doubts.append(f"the budget of {self.value.budget.minutes:g} minutes ended after {what}")
                return
            self._tell(run, phase, number, gone_s)
            run.injected = True
            run.journal.append("disturbing", point=each.name, way=each.way, audit=each.audit)
            attempt = attempts.by(each.way, each.point, audit=each.audit)
            if attempt is not None:
                self.attempts.append(attempt)
                run.journal.append("attempted", point=attempt.point, hit=attempt.hit, damage=attempt.classes)

    def _tell(self, run: LiveRun, phase: str, number: int, gone_s: float) -> None:
        total = len(self.planned)
        left_s = gone_s / number * (total - number) if number else self.golden.estimate_s(total)
        line = f"{number} of {total} points, about {left_s:.0f} s left"
        if number % 10 == 0:
            run.say(phase, line)
        say(Step(run.directory.run, phase, line, number, total))

    def _bite(self) -> Bite:
        hit = [each for each in self.attempts if each.hit]
        by = "pg_xact_status, asked of the server after each kill"
        wide = len(self.attempts) - len(hit)
        return Bite(
            fault=ACT,
            target=TARGET,
            bit=bool(hit),
            baseline=Reading(value=0, unit="points hit", by=by),
            during=Reading(value=len(hit), unit="points hit", by=by),
            why=f"{len(hit)} of {len(self.attempts)} times the server had done what it had in the undisturbed run, and"
            f" no more" + (f"; {wide} were not hit and count for nothing" if wide else ""),
        )

    def _seen(self) -> dict[str, Any]:
        golden, stores = self.golden, sorted(self.value.stores)
        not_covered = Counter(golden.uncovered)
        for attempt in self.attempts:
            not_covered |= Counter(attempt.uncovered)
        if golden.unseen:
            not_covered["a replication stream"] += golden.unseen
        by_state = {
            each.state: each.classes for each in self.attempts if each.hit and each.way == KILL and not each.audit
        }
        sampled = [each for each in self.attempts if each.audit and each.hit]
        differing = [each.point for each in sampled if by_state.get(each.state, each.classes) != each.classes]
        hit = [each for each in self.attempts if each.hit]
        files = bool(self.value.lives_on)
        found = causes(hit, files=files)
        excused, excuses = told(found, self.known, whole=not self.doubts)
        covered = [*coverage(golden, stores, dict(not_covered)), *left_out(self.value, golden, self.planned)]
        return {
            "points": len(golden.points),
            "states": len(golden.states),
            "golden": golden.to_dict(),
            "started": self.started or "each run is a process of its own",
            "attempts": [each.to_dict() for each in self.attempts],
            "audit": {"run": len(sampled), "agree": len(sampled) - len(differing), "disagreeing": differing},
            "planted": [each.to_dict() for each in golden.planted],
            "causes": [each.to_dict() for each in found],
            "known": sorted(excused),
            "coverage": {"not_covered": dict(not_covered), "words": covered},
            "words": [*words(self.attempts, files=files), *excuses, *covered],
            "lanes": lanes(golden, self.attempts, self.value.seed),
            "doubts": self.doubts,
        }


def _often(cause: dict[str, Any]) -> str:
    what = cause.get("what", CRASHES)
    return f"{len(cause['states' if what == CRASHES else 'points'])} {what}"


def _scratch(directory: RunDirectory) -> Path:
    """Where the copies go: the run directory, or a folder that the server's account may enter."""
    return postgres.place(directory.path.resolve() / "copy", f"chaosday-pipeline-{directory.token}")
