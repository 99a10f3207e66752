"""A large history judged key by key on a Dask cluster: on this machine, or on one that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.states import Completed, Failed
from prefect_dask import DaskTaskRunner

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.per_key import batches, judge_batch, keyed, merged
from chaosday.commands.check import configured
from chaosday.data.formats import read
from tasks.settings import ACT

BATCHES_A_WORKER = 4


@task(name="judge keys", **ACT)
def judge_keys(check: HistoryCheck, batch: list[tuple[Any, Any]]) -> list[tuple[Any, ResultMap]]:
    """Each key of the batch with its result."""
    return judge_batch(check.analyse, batch)


def on_cluster(file: Path, model: str, *, workers: int = 2, address: str = "") -> ResultMap:
    """The result map of a history, its keys judged on ``workers`` processes of a cluster at ``address`` (empty: a
    local one that is made for it and ends with it). The same as judging it in one place, keys apart."""
    runner = (
        DaskTaskRunner(address=address)
        if address
        else DaskTaskRunner(
            cluster_kwargs={"n_workers": workers, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        )
    )
    judged: ResultMap = _judge_history.with_options(task_runner=runner)(file, model, workers)
    return judged


@flow(name="judge a history", retries=0, persist_result=False)
def _judge_history(file: Path, model: str, workers: int) -> ResultMap:
    imported = read(file)
    check = configured(model, imported, {})
    if not keyed(imported.history):
        return check.analyse(imported.history)
    waiting = [judge_keys.submit(check, batch) for batch in batches(imported.history, workers * BATCHES_A_WORKER)]
    return merged(pair for future in waiting for pair in future.result())


@flow(name="history check", flow_run_name="{model}", retries=0, persist_result=False)
def history_check(file: Path, model: str = "register", workers: int = 2, address: str = "") -> Any:
    """Judge a history of independent keys on a Dask cluster.

    Args:
        file: The history, in any format that chaosday check reads.
        model: What it is a history of.
        workers: How many processes, where the cluster is made for it.
        address: A cluster that is there already: tcp://host:8786.
    """
    result = on_cluster(file, model, workers=workers, address=address)
    words = f"{result['valid?']}, {result['examined']} operations examined, {result.get('keys', 1)} keys"
    if result["valid?"] is True:
        return Completed(message=words)
    return Failed(name="invalid" if result["valid?"] is False else "unknown", message=words)
