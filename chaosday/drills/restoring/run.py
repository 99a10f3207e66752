"""One run of a restore drill, verb by verb."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any, Self

from chaosday.clients.driver import Driver
from chaosday.clock import Clock, SystemClock
from chaosday.drills.restoring.backups import METHODS
from chaosday.drills.restoring.drill import RestoreDrill
from chaosday.drills.restoring.objects import ObjectVersions
from chaosday.drills.restoring.subject import OBJECTS, RESTORED, Subject
from chaosday.errors import CapabilityMissing, ChaosdayError, EvidenceMissing
from chaosday.judging.proof import KillMatrix, prove
from chaosday.judging.verdict import Verdict, conclude, judge_checks
from chaosday.model.clean import Clean
from chaosday.model.fault import Bite, Reading
from chaosday.model.finding import Finding
from chaosday.model.history import OK, STATUSES, UNKNOWN, History
from chaosday.progress import Step, say
from chaosday.record.journal import Journal
from chaosday.record.recorder import seal
from chaosday.record.run_directory import RunDirectory
from chaosday.servers import postgres
from chaosday.servers.account import owner_of, unprivileged
from chaosday.statistics import operations_needed
from chaosday.targets.postgresql import PostgreSQL
from chaosday.targets.s3_store import S3Store
from chaosday.undo.undoing import Attempt
from chaosday.undo.watching import watched_over
from chaosday.workloads.ledger import Ledger
from chaosday.workloads.s3 import S3Workload

ACT = "restore"


class RestoreRun:
    """A drill in progress: ``preflight``, ``back_up``, ``restore``, ``verify``, ``prove``, ``conclude``; then closed.

    What falls short is collected in ``shortfalls``, in words; each alone makes the verdict inconclusive.
    The copy's server carries the run's mark, so that the watchdog ends it when we die.
    """

    def __init__(self, drill: RestoreDrill, directory: RunDirectory, clock: Clock | None = None) -> None:
        self.drill, self.directory, self.clock = drill, directory, clock or SystemClock()
        self.journal = Journal.create(directory.journal_path, directory.run, clock=self.clock)
        self.shortfalls: list[str] = []
        self.findings: list[Finding] = []
        self.matrix: KillMatrix | None = None
        self.measured: dict[str, Any] = {"rpo_s": None, "rto_s": None, "method": drill.method}
        self.bites: list[Bite] = []
        self.cleans: list[Clean] = []
        self._subject: Subject | None = None
        self._stack = contextlib.ExitStack()
        self._prepared = False

    def __enter__(self) -> Self:
        self._stack.enter_context(watched_over(self.directory.run, self.directory.journal_path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            self.tidy()
            self.journal.close()

    @property
    def ready(self) -> bool:
        """Whether nothing has gone wrong yet."""
        return not self.shortfalls

    def preflight(self) -> dict[str, Any]:
        """Reach the source and find the programs; writes the plan and touches nothing."""
        self._say("preflight", "reaching the source")
        self.journal.append("preflight", drill=self.drill.model_dump(mode="json", exclude={"source"}))
        words = self._guarded(self.drill.source.reach) or ""
        self._guarded(self._arrange)
        experiment = self.drill.model_dump(mode="json", exclude={"source"})
        plan = {
            "run": self.directory.run,
            "title": self.drill.title,
            "hypothesis": self.drill.hypothesis,
            "seed": self.drill.seed,
            "placebo": False,
            "targets": {"source": {"is": words, **self.drill.source.public()}},
            "faults": [self._described()],
            "operations_needed": operations_needed(self.drill.loss_rate_to_see),
            "experiment": experiment | {"checks": [check.model_dump(mode="json") for check in self.drill.checks()]},
        }
        self.directory.write_json("plan.json", plan)
        return plan

    def back_up(self) -> None:
        """Let clients write, take the backup in the middle of it, and let them write on for a while."""
        self._guarded(self._back_up)

    def restore(self) -> None:
        """Bring the copy to life, write to it, read the ledger back, and measure both objectives."""
        self._guarded(self._restore)

    def verify(self) -> list[Finding]:
        """Judge the evidence on disk."""
        self._say("verify", "comparing with the ledger")
        self.directory.write_json("observations/recovery_objectives.json", self.measured)
        self.findings = judge_checks(self.drill.checks(), self.directory.evidence())
        self.directory.write_json("findings.json", [finding.model_dump(mode="json") for finding in self.findings])
        return self.findings

    def prove(self) -> KillMatrix | None:
        """Plant damage in copies of the evidence and see which checks notice."""
        self._say("prove", "planting known damage")
        try:
            self.matrix = prove(
                self.directory.evidence(),
                self.drill.checks(),
                budget_s=self.drill.sight_budget_s,
                seed=self.drill.seed,
                clock=self.clock,
            )
        except EvidenceMissing as error:
            self.shortfalls.append(f"sight: {error}")
        else:
            self.directory.write_json("proof.json", self.matrix.model_dump(mode="json"))
        return self.matrix

    def tidy(self) -> None:
        """End the copy, take away what was made for it, drop the workload's own, and look; any number of times."""
        subject, self._subject = self._subject, None
        if subject is None:
            return
        self._say("rollback", "taking the copy away")
        errors, residue = subject.tidy()
        if self._prepared:
            tried = Attempt("the workload's tables could not be removed")
            with tried:
                subject.workload.clean_up(self.drill.source)
            errors += [tried.error] if tried.error else []
        mark = f"cd-{self.directory.token}-restore"
        self.cleans = [Clean(lease_id=mark, fault=ACT, target="source", residue=residue, errors=errors)]
        self.journal.append("tidied", clean=self.cleans[0].model_dump(mode="json"))

    def conclude(self) -> Verdict:
        """Take everything away, merge it into the verdict, and write it."""
        self.tidy()
        verdict = conclude(
            findings=self.findings,
            bites=self.bites,
            faults=1,
            matrix=self.matrix,
            must_see=None,
            cleans=self.cleans,
            loss_rate_to_see=self.drill.loss_rate_to_see,
            shortfalls=self.shortfalls,
        )
        self.directory.write_json("verdict.json", verdict.model_dump(mode="json"))
        self.journal.append("verdict", outcome=verdict.outcome.value, reasons=verdict.reasons)
        return verdict

    def _arrange(self) -> None:
        self._subject = self._subject_of(self.drill.source)
        self._subject.require()

    def _subject_of(self, source: PostgreSQL | S3Store) -> Subject:
        common = {"target": "source", "clients": self.drill.clients, "rate_per_s": self.drill.rate_per_s}
        common |= {"scope": self.directory.token, "store": RESTORED}
        if isinstance(source, S3Store):
            return ObjectVersions(source, S3Workload.model_validate(common | {"store": OBJECTS}), self.directory.token)
        # A server refuses to run as root; a source whose files are here tells which account to take.
        account = owner_of(source.data_directory) if source.data_directory else unprivileged()
        base = self.drill.scratch or self.directory.path
        if not base.is_dir():
            raise CapabilityMissing(f"scratch: there is no folder {base}")
        folder = self._stack.enter_context(postgres.scratch(base.resolve() / "copy"))
        folder.chmod(0o700)
        account.own(folder)
        return METHODS[self.drill.method](source, Ledger.model_validate(common), account, folder)

    def _back_up(self) -> None:
        assert self._subject is not None
        workload = self._subject.workload
        self.journal.append("prepare", workload=workload.model_dump(mode="json"))
        self._prepared = True
        workload.prepare(self.drill.source)
        driver = Driver.begin(workload, self.drill.source, self.directory.history_directory, self.drill.seed)
        try:
            self._wait("baseline", self.drill.before_s, "clients write")
            self._say("observe", f"taking a backup: {self.drill.method}")
            self.journal.append("backup_begins", method=self.drill.method)
            self.measured["cut_ns"] = self.clock.monotonic_ns()
            said = self._subject.take()
            self.measured["backup_s"] = (self.clock.monotonic_ns() - self.measured["cut_ns"]) / 1e9
            self.journal.append("backup_ended", seconds=self.measured["backup_s"])
            self._wait("observe", self.drill.after_s, "clients write on")
        finally:
            driver.stop()
        for name, observation in said.items():
            self.directory.write_json(f"observations/{name}.json", observation)

    def _restore(self) -> None:
        assert self._subject is not None
        whole = seal(self.directory.history_directory, self.directory.path / "history-whole.parquet")
        as_of_backup(whole, self.measured["cut_ns"]).write(self.directory.path / "history.parquet")
        self._say("rollback", "restoring")
        self.journal.append("restore_begins")
        began_ns = self.clock.monotonic_ns()
        self._subject.restore()
        self.measured["rto_s"] = (self.clock.monotonic_ns() - began_ns) / 1e9
        self.journal.append("restored", seconds=self.measured["rto_s"])
        rows = self._subject.read()
        self.directory.write_rows(self._subject.rows, rows)
        missing, rpo_s = self._subject.behind(whole, rows)
        self.measured |= {"rpo_s": rpo_s, "acknowledged_after_it": missing}
        self.bites.append(self._bite(len(rows), missing))

    def _bite(self, held: int, missing: int) -> Bite:
        """A copy that also has what was written after the backup is not a restored backup, but the source itself."""
        by = "acknowledged writes looked up in the restored store"
        return Bite(
            fault=ACT,
            target="source",
            bit=held > 0 and missing > 0,
            baseline=Reading(value=0, unit="acknowledged writes missing", by=by),
            during=Reading(value=missing, unit="acknowledged writes missing", by=by),
            why=f"the restored store has {held:,} rows, and lacks {missing:,} writes acknowledged after the backup",
        )

    def _described(self) -> dict[str, Any]:
        return {
            "at_s": self.drill.before_s,
            "fault": {"kind": ACT, "target": "source", "method": self.drill.method},
            "affects": [self._subject.described()] if self._subject else [],
            "mechanism": self.drill.method,
            "undo": "end the copy, take away what was made for it, drop the workload's own",
            "ends_by_itself_after_s": 0,
            "lasting": {},
        }

    def _guarded(self, act: Any) -> Any:
        if not self.ready:
            return None
        try:
            return act()
        except ChaosdayError as error:
            self.shortfalls.append(str(error))
            self.journal.append("shortfall", reason=str(error))
            return None

    def _wait(self, phase: str, seconds: float, words: str) -> None:
        began_ns = self.clock.monotonic_ns()
        while (gone_s := (self.clock.monotonic_ns() - began_ns) / 1e9) < seconds:
            self._say(phase, words, gone_s, seconds)
            self.clock.sleep(min(0.1, seconds - gone_s))

    def _say(self, phase: str, words: str, done: float = 0, total: float = 0) -> None:
        say(Step(self.directory.run, phase, words, done, total))


def as_of_backup(history: History, cut_ns: int) -> History:
    """The history as a backup begun at ``cut_ns`` promises it: what ended later may be in it, or may not."""
    status = history.statuses().copy()
    status[(status == OK) & (history.ends_ns() > cut_ns)] = UNKNOWN
    return history.with_column("status", [STATUSES[code] for code in status])
