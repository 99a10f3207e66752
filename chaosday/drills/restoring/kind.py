"""The restore drill as a kind of run: a backup under load, a copy brought to life from it, and what the copy lacks."""

from __future__ import annotations

import contextlib
from typing import Any

from chaosday.drills.leftovers import COPY
from chaosday.drills.restoring.accident import Moment, as_of_moment, until
from chaosday.drills.restoring.drill import SOURCE, RestoreDrill
from chaosday.drills.restoring.ledgers import LedgerSubject
from chaosday.drills.restoring.subject import Subject
from chaosday.drills.restoring.subjects import account_of, subject_of
from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.judging.verdict import Verdict
from chaosday.model.clean import Clean
from chaosday.model.experiment import Guard
from chaosday.model.fault import Bite, Reading
from chaosday.model.history import OK, History
from chaosday.model.intent import Intent, commands_of
from chaosday.record.recorder import seal
from chaosday.reporting.page import write_report
from chaosday.running.kind import Judgement, Kind
from chaosday.running.live import LiveRun
from chaosday.running.workloads import several
from chaosday.servers import postgres
from chaosday.servers.account import Account
from chaosday.targets.s3_store import S3Store
from chaosday.undo.undoing import Attempt

ACT = "restore"


class RestoreKind(Kind):
    """What ``restoring.drill`` describes.

    The copy's server carries the run's mark, so that the watchdog ends it when we die.
    """

    kind = "restore"
    value_type = RestoreDrill
    value: RestoreDrill

    def __init__(self, value: RestoreDrill) -> None:
        super().__init__(value)
        self.measured: dict[str, Any] = {"rpo_s": None, "rto_s": None, "method": value.method}
        self._subject: Subject | None = None
        self._moment: Moment | None = None
        self._folders = contextlib.ExitStack()

    def intent(self) -> Intent:
        value = self.value
        return Intent(
            title=value.title,
            hypothesis=value.hypothesis,
            seed=value.seed,
            environment=value.environment,
            targets={SOURCE: value.source},
            commands=commands_of(
                [*(guard.probe for guard in value.guards), *([value.restore] if value.restore else [])]
            ),
            length_s=max(value.before_s, value.before_at_most_s)
            + value.after_s
            + (value.accident.at_s if value.accident else 0),
        )

    def guards(self) -> list[Guard]:
        return self.value.guards

    def resolve(self, run: LiveRun) -> None:
        """Find the programs, and a place for the copy."""
        self._subject = self._subject_of(run)
        self._subject.require()

    def holds(self, run: LiveRun) -> set[str]:
        return set(self.value.source.fences([self.value.source.kind]))

    def acts(self, run: LiveRun) -> list[dict[str, Any]]:
        return [
            {
                "at_s": self.value.before_s,
                "fault": {"kind": ACT, "target": SOURCE, "method": self.value.method},
                "affects": [self._subject.described()] if self._subject else [],
                "mechanism": self.value.method,
                "undo": "end the copy, take away what was made for it, drop the workload's own",
                "ends_by_itself_after_s": 0,
                "lasting": {},
            }
        ]

    def baseline(self, run: LiveRun) -> None:
        """Let clients write."""
        run.workloads.start(self._ready().workload, self.value.source)
        value = self.value
        run.let_work(value.before_s, value.before_at_most_s, several(value.loss_rate_to_see))

    def inject(self, run: LiveRun) -> None:
        """Take the backup while they write."""
        if run.over():
            return
        run.injected = True
        run.say("inject", f"taking a backup: {self.value.method}")
        run.journal.append("backup_begins", method=self.value.method)
        subject = self._ready()
        if subject.alone:
            self._pause(run)
        self.measured["cut_ns"] = run.clock.monotonic_ns()
        said = subject.take()
        self.measured |= (chosen := subject.choose(run.clock.wall_ns()))
        if chosen:
            run.journal.append("picked", **chosen)
        self.measured["backup_s"] = (run.clock.monotonic_ns() - self.measured["cut_ns"]) / 1e9
        run.journal.append("backup_ended", seconds=self.measured["backup_s"])
        for name, observation in said.items():
            run.keep(name, observation)
        if subject.alone:
            others = subject.workload.model_copy(update={"first_process": self.value.clients})
            run.workloads.start(others, self.value.source)

    def observe(self, run: LiveRun) -> None:
        """Let them write on, and the accident happen; then bring the copy to life, write to it, and read it back."""
        if self.value.accident is not None and run.ready:
            run.wait("observe", self.value.accident.at_s, "clients write on")
            self._accident(run)
        run.wait("observe", self.value.after_s, "clients write on")
        run.stop_workloads()
        if run.ready and not run.over():
            self._restore(run)

    def wind_down(self, run: LiveRun) -> None:
        """End the copy, take away what was made for it, drop the workload's own, and look."""
        run.stop_workloads()
        subject, self._subject = self._subject, None
        if subject is None:
            return
        run.say("rollback", "taking the copy away")
        errors, residue = subject.tidy()
        if run.workloads.prepared:
            tried = Attempt("the workload's tables could not be removed")
            with tried:
                subject.workload.clean_up(self.value.source)
            errors += [tried.error] if tried.error else []
        self._folders.close()
        mark = f"cd-{run.directory.token}-restore"
        run.cleans.append(Clean(lease_id=mark, fault=ACT, target=SOURCE, residue=residue, errors=errors))
        run.journal.append("tidied", clean=run.cleans[-1].model_dump(mode="json"))

    def collect(self, run: LiveRun) -> None:
        if run.workloads.drivers and not (run.directory.path / "history.parquet").exists():
            seal(run.directory.history_directory, run.directory.path / "history.parquet")
        run.keep("recovery_objectives", self.measured)

    def close(self) -> None:
        self._folders.close()

    def judgement(self) -> Judgement:
        value = self.value
        return Judgement(
            checks=value.checks(),
            bites=1,
            # Of writes that it cannot have there is no rate of loss.
            loss_rate_to_see=None if value.existing else value.loss_rate_to_see,
            sight_budget_s=value.sight_budget_s,
        )

    def report(self, run: LiveRun, verdict: Verdict) -> None:
        write_report(run.directory)

    def public(self) -> dict[str, Any]:
        data = self.value.model_dump(mode="json", exclude={"source"})
        checks = [check.model_dump(mode="json") for check in self.value.checks()]
        return data | {"checks": checks, "targets": {SOURCE: self.value.source.public()}}

    def _ready(self) -> Subject:
        if self._subject is None:
            raise TargetUnreachable("the source was not reached, so that nothing can be backed up")
        return self._subject

    def _subject_of(self, run: LiveRun) -> Subject:
        value, source = self.value, self.value.source
        if isinstance(source, S3Store):
            return subject_of(value, run.directory.token, Account(), run.directory.path)
        account = account_of(value)
        base = value.scratch or run.directory.path
        if not base.is_dir():
            raise CapabilityMissing(f"scratch: there is no folder {base}")
        place = postgres.place(base.resolve() / "copy", f"chaosday-copy-{run.directory.token}")
        run.journal.append(COPY, folder=str(place))
        folder = self._folders.enter_context(postgres.scratch(place))
        # What the account may write lies in a folder of its own: what we write for it, and believe, lies above.
        own = folder / "of"
        own.mkdir(mode=0o700)
        account.own(own)
        return subject_of(value, run.directory.token, account, own)

    def _accident(self, run: LiveRun) -> None:
        """In the workload's own table; nothing is done any more where the run has to end."""
        if run.over() or self.value.accident is None:
            return
        run.say("observe", f"accident: {self.value.accident.statement}")
        run.journal.append("accident", **self.value.accident.model_dump(mode="json"))
        self._moment = self._ready().happen()

    def _promised(self, whole: History) -> History:
        if self._moment is None:
            return whole.as_of(self.measured["cut_ns"])
        return as_of_moment(whole, self._moment)

    def _pause(self, run: LiveRun) -> None:
        """Let the clients finish, for a backup that needs the store for itself."""
        run.say("inject", "clients pause")
        run.stop_workloads()

    def _restore(self, run: LiveRun) -> None:
        subject = self._ready()
        whole = seal(run.directory.history_directory, run.directory.path / "history-whole.parquet")
        promised = self._promised(whole)
        promised.write(run.directory.path / "history.parquet")
        run.say("observe", "restoring")
        run.journal.append("restore_begins")
        began_ns = run.clock.monotonic_ns()
        try:
            subject.restore()
            if not self.value.existing:
                self.measured["first_answer_right"] = subject.first_answer(promised)
        finally:
            ended_ns = run.clock.monotonic_ns()
            for name, observation in subject.physical().items():
                run.keep(name, observation)
        self.measured["rto_s"] = (ended_ns - began_ns) / 1e9
        self.measured["rto_parts"] = subject.parts
        run.journal.append("restored", seconds=self.measured["rto_s"])
        if self.value.existing:
            self._of_before(run, subject, whole)
            return
        rows = subject.read()
        run.directory.write_rows(subject.rows, rows)
        missing, rpo_s = subject.behind(whole, rows)
        if self._moment is not None:
            _, rpo_s = subject.behind(until(whole, self._moment), rows)
        self.measured |= {"rpo_s": rpo_s, "acknowledged_after_it": missing}
        run.bites.append(_bite(len(rows), missing))

    def _of_before(self, run: LiveRun, subject: Subject, whole: History) -> None:
        """A backup that was there before: it is as old as it is, and has nothing of the drill's own."""
        assert isinstance(subject, LedgerSubject)
        acknowledged = int((whole.statuses() == OK).sum())
        missing = 0 if subject.holds_ledger() else acknowledged
        self.measured |= {"rpo_s": self.measured["picked_age_s"], "acknowledged_after_it": missing}
        pages = int(run.directory.read_json("observations/amcheck.json").get("pages", 0))
        run.bites.append(_bite(pages, missing, "pages"))


def _bite(held: int, missing: int, unit: str = "rows") -> Bite:
    """A copy that also has what was written after the backup is not a restored backup, but the source itself."""
    by = "acknowledged writes looked up in the restored store"
    return Bite(
        fault=ACT,
        target=SOURCE,
        bit=held > 0 and missing > 0,
        baseline=Reading(value=0, unit="acknowledged writes missing", by=by),
        during=Reading(value=missing, unit="acknowledged writes missing", by=by),
        why=f"the restored store has {held:,} {unit}, and lacks {missing:,} writes acknowledged after the backup",
    )
