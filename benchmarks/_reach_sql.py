"""How far chaosday reaches: workloads by SQL engine, servers that demand TLS, and first experiments that run.

Every cell is a real engine: what is sound has to pass, and the same table, changed by hand, has to be seen. ``--quick``
leaves out RabbitMQ, which is slow to start.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.drills.starter import look, starter
from chaosday.errors import AccessDenied, ChaosdayError, TargetUnreachable
from chaosday.lab.stands import stand
from chaosday.model.experiment import load
from chaosday.model.finding import Outcome
from chaosday.model.target import Target
from chaosday.record.run_directory import RunDirectory
from chaosday.registry import member
from chaosday.running.playing import complete
from chaosday.running.run import Run
from tests.commands.test_new import PORTS, READY
from tests.lab.authority import authority
from tests.targets.test_tls import SERVERS
from tests.workloads import engines


def measured(quick: bool) -> dict[str, Any]:
    """``cells_that_failed`` and ``tls_failed`` name what was not as it should be."""
    return _cells() | _tls([kind for kind in SERVERS if not (quick and kind == "rabbitmq")]) | _new()


def _cells() -> dict[str, Any]:
    failed: list[str] = []
    for kind in engines.ENGINES:
        with engines.engine(kind) as target:
            failed += [f"{kind} {name}" for name in engines.CASES if not _told_apart(name, target)]
    return {
        "sql_engines": len(engines.ENGINES),
        "workloads": len(engines.CASES),
        "cells_failed": len(failed),
        "cells_that_failed": failed,
    }


def _told_apart(name: str, target: Target) -> bool:
    case = engines.CASES[name]
    workload, check = case.workload(target.kind), case.check(target.kind)
    workload.prepare(target)
    try:
        with _folder() as folder:
            history = folder / "history"
            engines.work(workload, target, history, case.wanted)
            engines.looked_again(workload, target, history)
            sound = check.judge(engines.evidence(workload, target, history)).outcome
            engines.damaged(case, workload, target)
            engines.looked_again(workload, target, history)
            hurt = check.judge(engines.evidence(workload, target, history)).outcome
    finally:
        workload.clean_up(target)
    return (sound, hurt) == (Outcome.PASS, Outcome.VIOLATED)


def _tls(kinds: list[str]) -> dict[str, Any]:
    failed = []
    for kind in kinds:
        with _folder() as folder, ExitStack() as undo:
            made = authority(folder / "authority")
            fields = SERVERS[kind](undo, folder, made)
            bare = fields | {"tls": made.tls(ca_file=str(made.stranger))}
            if not _reached(fields) or _reached(bare):
                failed.append(kind)
    return {"tls_targets": len(kinds) - len(failed), "tls_failed": failed}


def _reached(fields: dict[str, Any]) -> bool:
    try:
        member("targets", str(fields["kind"])).model_validate(fields).reach()  # type: ignore[attr-defined]
    except (TargetUnreachable, AccessDenied):
        return False
    return True


def _new() -> dict[str, Any]:
    passed, runs = 0, {}
    for address in READY.values():
        with _folder() as folder:
            written = folder / "written.yaml"
            written.write_text(starter(address))
            load(written)
    for scheme, (name, variable) in PORTS.items():
        with _folder() as folder, stand(name, folder / "stand", {}) as facts:
            if variable:
                os.environ[variable] = facts["server"]["password"]
            text = starter(f"{scheme}://127.0.0.1:{facts['server']['port']}")
            try:
                look(text)
                (folder / "written.yaml").write_text(text)
                directory = RunDirectory.create(folder / "runs", scheme, SystemClock())
                with Run(ExperimentKind(load(folder / "written.yaml")), directory) as running:
                    runs[scheme] = complete(running).outcome.value
            except ChaosdayError as error:
                runs[scheme] = str(error)
            finally:
                os.environ.pop(variable, None)
        passed += runs[scheme] == Outcome.PASS.value
    return {"new_kinds": len(READY), "new_runs": len(PORTS), "new_runs_passed": passed, "new_runs_ended": runs}


@contextmanager
def _folder() -> Iterator[Path]:
    """A short path, into which servers with accounts of their own may come."""
    with tempfile.TemporaryDirectory(prefix="chaosday-reach-") as made:
        Path(made).chmod(0o711)
        yield Path(made)
