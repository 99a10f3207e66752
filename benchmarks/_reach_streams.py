"""A stream of changes followed while it runs: how much was verified, and what that costs the stream.

Throughput is of the whole stream, changed rows a second from the first change in the source to the last at the sink,
with and without a follower beside it, in turn, on the same pair of PostgreSQL.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from chaosday.data.following import Follower, Following, Reading
from chaosday.lab.stands import fresh

ROWS, BATCH, EVERY_S, POLL_S = 100_000, 200, 5.0, 0.01


def measured(quick: bool) -> dict[str, Any]:
    """``cdc_lag_overhead`` is the median of pairs, with over without; ``cdc_rows_verified`` over all equal readings."""
    pairs, length_s = (3, 6.0) if quick else (5, 12.0)
    with fresh("postgresql_stream", {}) as facts:
        source, sink = (
            f"postgresql://postgres:{facts[side]['password']}@127.0.0.1:{facts[side]['port']}/postgres"
            for side in ("source", "sink")
        )
        follower = Follower(f"{source}#orders", f"{sink}#orders", Following(timeout_s=60))
        follower.make_marks()
        with psycopg.connect(source, autocommit=True) as left, psycopg.connect(sink, autocommit=True) as right:
            _begin(left, right)
            follower.read()
            readings: list[Reading] = []
            ratios = []
            for number in range(pairs):
                rates = {}
                # In turn, and each first as often as the other: what grows meanwhile hurts both.
                for followed in (True, False) if number % 2 else (False, True):
                    with _beside(follower, readings) if followed else _alone():
                        rates[followed] = _rate(left, right, length_s)
                ratios.append(rates[True] / rates[False])
    equal = [reading for reading in readings if reading.equal]
    return {
        "cdc_rows_verified": sum(reading.rows - reading.in_flight for reading in equal),
        "cdc_readings": len(readings),
        "cdc_false_alarms": sum(reading.equal is False for reading in readings),
        "cdc_lag_overhead": round(statistics.median(ratios), 3),
        "cdc_lag_overhead_pairs": [round(ratio, 3) for ratio in ratios],
    }


def _begin(left: psycopg.Connection[Any], right: psycopg.Connection[Any]) -> None:
    for side in (left, right):
        side.execute("create table orders (id bigint primary key, v text, amount numeric, round bigint)")
    left.execute("insert into orders select n, 'row ' || n, n / 7.0, 0 from generate_series(1, %s::int) n", (ROWS,))
    right.execute("alter subscription chaosday refresh publication")
    while right.execute("select count(*) from pg_subscription_rel where srsubstate <> 'r'").fetchone() != (0,):
        time.sleep(POLL_S)


def _rate(left: psycopg.Connection[Any], right: psycopg.Connection[Any], length_s: float) -> float:
    began = time.monotonic()
    count = 0
    while time.monotonic() - began < length_s:
        first = 1 + count % (ROWS - BATCH)
        left.execute("update orders set round = round + 1 where id between %s and %s", (first, first + BATCH - 1))
        count += BATCH
    marked = "update orders set round = round + 1000000 where id = %s returning round"
    last = left.execute(marked, (ROWS,)).fetchone()
    while right.execute("select round from orders where id = %s", (ROWS,)).fetchone() != last:
        time.sleep(POLL_S)
    return count / (time.monotonic() - began)


@contextmanager
def _beside(follower: Follower, readings: list[Reading]) -> Iterator[None]:
    over = threading.Event()

    def follow() -> None:
        while not over.is_set():
            readings.append(follower.read())
            over.wait(EVERY_S)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _alone() -> Iterator[None]:
    yield
