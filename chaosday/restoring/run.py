"""One run of a restore drill, verb by verb."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from chaosday.clock import Clock, SystemClock
from chaosday.driver import Driver
from chaosday.errors import CapabilityMissing, ChaosdayError, EvidenceMissing
from chaosday.history import NEVER_NS, OK, STATUSES, UNKNOWN, History
from chaosday.journal import Journal
from chaosday.lab import postgres
from chaosday.lab.account import owner_of, unprivileged
from chaosday.lab.postgres import Node
from chaosday.ledger import operations
from chaosday.model.clean import Clean
from chaosday.model.fault import Bite, Reading
from chaosday.model.finding import Finding
from chaosday.probes.postgresql.write import PostgresWrite
from chaosday.progress import Step, say
from chaosday.proof import KillMatrix, prove
from chaosday.recorder import seal
from chaosday.restoring.backups import METHODS, Backup, programs_of
from chaosday.restoring.drill import RESTORED, RestoreDrill
from chaosday.run_directory import RunDirectory
from chaosday.statistics import operations_needed
from chaosday.targets.postgresql import PostgreSQL
from chaosday.verdict import Verdict, conclude, judge_checks
from chaosday.watching import watched_over
from chaosday.workloads.ledger import Ledger

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
        self._ledger = Ledger(
            target="source", clients=drill.clients, rate_per_s=drill.rate_per_s, scope=directory.token, store=RESTORED
        )
        self._stack = contextlib.ExitStack()
        self._folder: Path | None = None
        self._backup: Backup | None = None
        self._copy: Node | None = None
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
        """End the copy, take the scratch folder away, drop the ledger's table, and look; any number of times."""
        if self._folder is None:
            return
        self._say("rollback", "taking the copy away")
        errors = []
        if self._copy is not None:
            errors += self._tried(self._copy.stop)
        folder, self._folder = self._folder, None
        shutil.rmtree(folder, ignore_errors=True)
        if self._prepared:
            errors += self._tried(lambda: self._ledger.clean_up(self.drill.source))
        residue = [f"{folder} is still there"] if folder.exists() else []
        if self._copy is not None and self._copy.pid_file.exists():
            residue.append(f"the restored server still runs on port {self._copy.port}")
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
        # A server refuses to run as root; a source whose files are here tells which account to take.
        here = self.drill.source.data_directory
        account = owner_of(here) if here else unprivileged()
        tools = programs_of(self.drill.source, account)
        base = self.drill.scratch or self.directory.path
        if not base.is_dir():
            raise CapabilityMissing(f"scratch: there is no folder {base}")
        folder = self._stack.enter_context(postgres.scratch(base.resolve() / "copy"))
        self._folder = folder
        folder.chmod(0o700)
        account.own(folder)
        if not account.can_enter(tools.bin_directory):
            raise CapabilityMissing(f"{tools.bin_directory} is closed to the account that would run the copy")
        self._backup = METHODS[self.drill.method](self.drill.source, tools, account, folder)
        if missing := self._backup.missing():
            raise CapabilityMissing(
                f"no {', '.join(missing)} in {tools.bin_directory}: set bin_directory of the source"
            )

    def _back_up(self) -> None:
        assert self._backup is not None
        self.journal.append("prepare", workload=self._ledger.model_dump(mode="json"))
        self._prepared = True
        self._ledger.prepare(self.drill.source)
        driver = Driver.begin(self._ledger, self.drill.source, self.directory.history_directory, self.drill.seed)
        try:
            self._wait("baseline", self.drill.before_s, "clients write")
            self._say("observe", f"taking a backup: {self.drill.method}")
            self.journal.append("backup_begins", method=self.drill.method)
            self.measured["cut_ns"] = self.clock.monotonic_ns()
            said = self._backup.take()
            self.measured["backup_s"] = (self.clock.monotonic_ns() - self.measured["cut_ns"]) / 1e9
            self.journal.append("backup_ended", seconds=self.measured["backup_s"])
            self._wait("observe", self.drill.after_s, "clients write on")
        finally:
            driver.stop()
        for name, observation in said.items():
            self.directory.write_json(f"observations/{name}.json", observation)

    def _restore(self) -> None:
        assert self._backup is not None
        whole = seal(self.directory.history_directory, self.directory.path / "history-whole.parquet")
        as_of_backup(whole, self.measured["cut_ns"]).write(self.directory.path / "history.parquet")
        self._say("rollback", "restoring")
        self.journal.append("restore_begins")
        began_ns = self.clock.monotonic_ns()
        self._copy = self._backup.restore()
        copy = PostgreSQL.model_validate(
            {
                "port": self._copy.port,
                "user": self.drill.source.user if self.drill.method == "base_backup" else "postgres",
                "database": self.drill.source.database if self.drill.method == "base_backup" else "postgres",
                "password": self._copy.password or None,
            }
        )
        probe = PostgresWrite(target=RESTORED)
        written = probe.read(copy)
        if written.healthy is not True:
            raise ChaosdayError(f"the restored store takes no write: {written.words}")
        self.measured["rto_s"] = (self.clock.monotonic_ns() - began_ns) / 1e9
        self.journal.append("restored", seconds=self.measured["rto_s"])
        rows = self._ledger.read_back(copy, {})[RESTORED]
        self.directory.write_rows(RESTORED, rows)
        missing, rpo_s = behind(whole, rows)
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
            "affects": [f"a copy of {self.drill.source.name()} in a scratch folder of this machine"],
            "mechanism": self.drill.method,
            "undo": "end the copy's server, remove the folder, drop the ledger's table",
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

    def _tried(self, act: Any) -> list[str]:
        try:
            act()
        except ChaosdayError as error:
            return [str(error)]
        return []

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


def behind(history: History, rows: Any) -> tuple[int, float | None]:
    """How many acknowledged writes the rows lack, and seconds from the newest one they have to the last of all.

    A write is there where its row has its version or a later one. None where none is there.
    """
    ops = operations(history)
    sure = (ops.status == OK) & (ops.end_ns < NEVER_NS)
    key, version, end = ops.key[sure], ops.version[sure], ops.end_ns[sure]
    ids = rows["id"].to_numpy()
    order = np.argsort(ids, kind="stable")
    ids, held = ids[order], rows["version"].to_numpy()[order]
    at = np.minimum(np.searchsorted(ids, key), max(len(ids) - 1, 0))
    there = (ids[at] == key) & (held[at] >= version) if len(ids) else np.zeros(len(key), dtype=bool)
    if not there.any():
        return len(key), None
    return int(np.count_nonzero(~there)), float(end.max() - end[there].max()) / 1e9
