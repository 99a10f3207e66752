"""A stream's sink compared with its source while both are at work: a few readings, cheap enough to be taken often."""

from __future__ import annotations

import time
from typing import Any

from prefect import flow, get_run_logger
from prefect.states import Completed, Failed

from chaosday.data.following import Follower, Following, Reading
from chaosday.data.following.reading import exit_code_of
from chaosday.probes.physical.comparison import PASSWORD_PLACES

NAMES = {0: "equal", 1: "different", 2: "inconclusive"}


@flow(name="stream", flow_run_name="{sink}", retries=0, persist_result=False)
def stream(
    source: str = "postgresql://127.0.0.1:5432/postgres#public.orders",
    sink: str = "postgresql://127.0.0.1:5433/postgres#public.orders",
    key: tuple[str, ...] = (),
    readings: int = 3,
    every_s: float = 2.0,
    timeout_s: float = 30.0,
) -> Any:
    """Read a stream of changes a few times.

    Args:
        source: The table that is replicated, postgresql://HOST/DATABASE#SCHEMA.TABLE without a password.
        sink: Where it is replicated to, in the same form.
        key: Columns that identify a row; none is the source's primary key.
        readings: How many readings, at most; what differs has to do so in two one after the other.
        every_s: Seconds from one to the next.
        timeout_s: How long a mark is waited for at the sink.
    """
    follower = Follower(source, sink, Following(key=tuple(key), timeout_s=timeout_s))
    for side in (follower.source, follower.sink):
        if side.address.has_password:
            return Failed(name="refused", message=PASSWORD_PLACES)
    logger, taken = get_run_logger(), list[Reading]()
    for number in range(max(1, readings)):
        if number:
            time.sleep(every_s)
        taken.append(follower.read())
        logger.info(taken[-1].words())
    name = NAMES[exit_code_of(taken)]
    worst = next((each for each in taken if each.equal is False), taken[-1])
    return Completed(message=worst.words()) if name == "equal" else Failed(name=name, message=worst.words())
