"""The S3 workload on real servers, and the check that holds them to what they acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from chaosday.checks.s3_ledger import S3Ledger
from chaosday.clients.object_content import DAMAGED, OBJECTS, SHARED_FROM, UNREADABLE, body_of, read_body
from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from chaosday.record.recorder import seal
from chaosday.registry import member
from chaosday.targets.http_route import HttpRoute
from chaosday.targets.s3_store import S3Store
from chaosday.workloads.s3 import S3Workload
from tests.faults.cloud.conftest import store_at
from tests.faults.cloud.living import struck
from tests.lab.seaweedfs import SeaweedFS
from tests.workloads.enough import OK, UNKNOWN, asked, once

S = SHARED_FROM


def worked(
    store: S3Store, directory: Path, wanted: dict[str, int], end: Callable[[], object] | None = None, **fields: object
) -> tuple[S3Workload, History]:
    """Work until as much as ``wanted`` was recorded, and then do ``end``."""
    workload = S3Workload.model_validate({"clients": 3, "size_bytes": 300, "versions": True, "scope": "test", **fields})
    workload.prepare(store)
    stop, history = threading.Event(), directory / "history"
    with once(history, wanted, lambda: (end and end(), stop.set())):
        workload.run(store, history, stop, seed=3)
    return workload, seal(history)


def judged(workload: S3Workload, store: S3Store, directory: Path, history: History) -> tuple[Outcome, set[str]]:
    rows = workload.read_back(store, {})
    finding = S3Ledger().judge(Evidence(directory).replaced(history=history, rows=rows))
    return finding.outcome, {each.name for each in finding.anomalies}


def test_healthy_stores_pass_and_are_left_clean(store: S3Store, tmp_path: Path) -> None:
    """Puts, parts, deletes, conditions and versions of an unhurt store are all found again; then nothing is left. In a
    bucket that is gone all of them are lost."""
    wanted = {OK: 150} | {asked(f): 1 for f in ("put", "delete", "get", "look", "create", "replace")}
    workload, history = worked(store, tmp_path, wanted, multipart_share=0.05, shared_keys=1, shared_share=0.4)
    assert {"put", "delete", "get", "look", "create", "replace"} <= set(history.table["f"].to_pylist())
    outcome, names = judged(workload, store, tmp_path, history)
    assert (outcome, names) == (Outcome.PASS, set())
    outcome, names = judged(workload, store.model_copy(update={"bucket": f"{store.bucket}-gone"}), tmp_path, history)
    assert outcome is Outcome.VIOLATED
    assert "lost" in names
    workload.clean_up(store)
    assert store.s3().list_object_versions(Bucket=store.bucket).get("Versions", []) == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("cloud.s3.tamper", {"damaged"}), ("cloud.s3.delete", {"lost", "shared lost"})],
)
def test_sees_what_a_fault_left(weed: SeaweedFS, tmp_path: Path, kind: str, expected: set[str]) -> None:
    """Damage to stored objects, still there when the rows are read, is named for what it is."""
    from chaosday.mechanisms.aws.objects import mark_as_scratch

    store = store_at(weed.url, f"lab-ledger-{kind[9:]}")
    mark_as_scratch(store)
    workload, history = worked(store, tmp_path, {OK: 60}, versions=False)
    fault = member("faults", kind).model_validate({"target": "s", "accept_weak_lease": True, "count": 3})
    with struck(fault, store):  # type: ignore[arg-type]
        outcome, names = judged(workload, store, tmp_path, history)
    assert outcome is Outcome.VIOLATED
    assert names & expected
    assert judged(workload, store, tmp_path, history) == (Outcome.PASS, set())


def test_faults_on_the_way_lose_nothing(weed: SeaweedFS, proxy: HttpProxyProcess, tmp_path: Path) -> None:
    """Throttles, lost answers and resets make operations fail or stay unknown; what was acknowledged is there."""
    store = store_at(weed.url, "lab-ledger-proxied")
    proxy.add_route("ledger", store.endpoint_url)
    route = HttpRoute(control=proxy.control, route="ledger")
    faults = [
        member("faults", "cloud.api.lost_answer").model_validate({"target": "r", "probability": 0.1}),
        member("faults", "cloud.api.reset").model_validate({"target": "r", "probability": 0.1, "upload": True}),
    ]
    with struck(faults[0], route, number=1), struck(faults[1], route, number=2):  # type: ignore[arg-type]
        workload, history = worked(store.through(route), tmp_path, {OK: 60, UNKNOWN: 3})
    statuses = set(history.table["status"].to_pylist())
    assert {"ok", "unknown"} <= statuses
    assert judged(workload, store, tmp_path, history) == (Outcome.PASS, set())


def test_acknowledged_objects_survive_a_kill(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """SeaweedFS killed in the middle keeps what it acknowledged; a flipped bit on its disk is then seen."""
    from tests.lab.seaweedfs import seaweedfs

    with seaweedfs(tmp_path_factory.mktemp("killed")) as server:
        store = store_at(server.url, "lab-killed")
        workload, history = worked(store, tmp_path, {OK: 60}, server.kill, versions=False, multipart_share=0.0)
        server.start()
        deadline = time.monotonic() + 200
        while judged(workload, store, tmp_path, history)[0] is not Outcome.PASS:
            assert time.monotonic() < deadline
            time.sleep(1)
        written = history.is_f("put") & (history.statuses() == 0)
        keys, values = history.integers("key")[written], history.integers("value")[written]
        held = dict(
            zip(*(workload.read_back(store, {})["objects"][c].to_pylist() for c in ("key", "value")), strict=True)
        )
        key, value = next((k, v) for k, v in zip(keys.tolist(), values.tolist(), strict=True) if held.get(k) == v)
        body = body_of(key, value, 300)
        for file in server.volumes.glob("*.dat"):
            data = file.read_bytes()
            if (place := data.find(body)) >= 0:
                with file.open("r+b") as disk:
                    disk.seek(place + 100)
                    disk.write(bytes([body[100] ^ 1]))
        outcome, names = judged(workload, store, tmp_path, history)
        assert (outcome, names) == (Outcome.VIOLATED, {"unreadable"})


def ledger(operations: str, objects: str, versions: str | None = None) -> set[str]:
    """Names of the damage found; operations are words like ``put:1=5``, ``!`` at the end failed, ``?`` unknown."""
    rows = []
    for word in operations.split():
        f, _, rest = word.rstrip("!?").partition(":")
        key, _, value = rest.partition("=")
        result = None
        if "<" in value:
            value, _, result = value.partition("<")
        if f in ("get", "look"):
            value, result = "", value
        status = {"!": "failed", "?": "unknown"}.get(word[-1], "ok")
        at = len(rows)
        rows.append(
            {
                "process": 0,
                "f": f,
                "key": (S + int(key[1:]) if key[0] == "s" else int(key)),
                "status": status,
                "value": int(value) if value else None,
                "result": int(result) if result else None,
                "start_ns": at * 10,
                "end_ns": at * 10 + 5,
            }
        )
    pairs = [word.split("=") for word in objects.split()]
    held = [(S + int(key[1:]) if key[0] == "s" else int(key), int(value)) for key, value in pairs]
    table = pa.table([list(c) for c in zip(*[(k, v, k, 99) for k, v in held], strict=True)] or [[]] * 4, schema=OBJECTS)
    pieces = {"objects": table}
    if versions is not None:
        listed = [tuple(int(n) for n in word.split("=")) for word in versions.split()]
        pieces["objects_versions"] = pa.table({"key": [k for k, _ in listed], "value": [v for _, v in listed]})
    finding = S3Ledger().judge(Evidence(Path("nowhere")).replaced(history=History.from_rows(rows), rows=pieces))
    names = {each.name for each in finding.anomalies}
    assert (finding.outcome is Outcome.VIOLATED) == bool(names)
    return names


@pytest.mark.parametrize(
    ("operations", "objects", "names"),
    [
        ("put:1=5", "1=5", set()),
        ("put:1=5", "", {"lost"}),
        ("put:1=5 put:1=6", "1=5", {"stale"}),
        ("put:1=5 put:1=6?", "1=5", set()),
        ("put:1=5 put:1=6?", "1=6", set()),
        ("put:1=5 put:1=6!", "1=6", {"phantom"}),
        ("put:1=5? ", "", set()),
        ("put:1=5 delete:1=0", "", set()),
        ("put:1=5 delete:1=0", "1=5", {"resurrected"}),
        ("put:1=5 delete:1=0?", "1=5", set()),
        ("put:1=5 delete:1=0?", "", set()),
        ("put:1=5", f"1={DAMAGED}", {"damaged"}),
        ("put:1=5", f"1={UNREADABLE}", {"unreadable"}),
        ("put:1=5", "1=5 2=9", {"phantom"}),
        ("put:1=5 get:1=5", "1=5", set()),
        ("put:1=5 put:1=6 get:1=5", "1=6", {"stale read"}),
        (f"put:1=5 get:1={DAMAGED}", "1=5", {"damaged read"}),
        ("put:1=5 get:1=0", "1=5", {"stale read"}),
        ("create:s1=5<0", "s1=5", set()),
        ("create:s1=5<0 create:s1=6<0", "s1=6", {"created twice"}),
        ("create:s1=5<0 create:s1=6<0!", "s1=5", set()),
        ("create:s1=5<0 replace:s1=6<5 replace:s1=7<5", "s1=7", {"lost update"}),
        ("create:s1=5<0 replace:s1=6<5", "s1=5", {"shared stale"}),
        ("create:s1=5<0 replace:s1=6<5?", "s1=5", set()),
        ("create:s1=5<0 replace:s1=6<5?", "s1=6", set()),
        ("create:s1=5<0", "", {"shared lost"}),
        ("create:s1=5<0", "s1=8", {"shared phantom"}),
    ],
)
def test_names_damage(operations: str, objects: str, names: set[str]) -> None:
    """Each kind of damage has its name, and what an unknown operation explains is none."""
    assert ledger(operations, objects) == names


def test_versions_are_owed_too() -> None:
    """An acknowledged version that is not listed any more is lost, even under a newer one."""
    assert ledger("put:1=5 put:1=6", "1=6", "1=5 1=6") == set()
    assert ledger("put:1=5 put:1=6", "1=6", "1=6") == {"version lost"}


def test_nothing_acknowledged_is_inconclusive() -> None:
    """Without an acknowledged write there is nothing to lose, and nothing is claimed."""
    history = History.from_rows([{"process": 0, "f": "put", "key": 1, "value": 5, "status": "failed", "start_ns": 0}])
    finding = S3Ledger().judge(
        Evidence(Path("nowhere")).replaced(history=history, rows={"objects": OBJECTS.empty_table()})
    )
    assert finding.outcome is Outcome.INCONCLUSIVE


def test_any_flipped_bit_shows() -> None:
    """A body says what it is, and one bit anywhere in it is enough not to be believed."""
    body = body_of(7, 1234567, 200)
    assert read_body(body) == (7, 1234567)
    for bit in np.random.default_rng(5).choice(len(body) * 8, 300, replace=False).tolist():
        changed = bytearray(body)
        changed[bit // 8] ^= 1 << bit % 8
        assert read_body(bytes(changed)) != (7, 1234567)
    assert read_body(body[:-1])[1] == DAMAGED


def test_the_check_knows_where_shared_keys_begin() -> None:
    """The number in the check's queries is the workload's."""
    from chaosday.checks import s3_ledger

    assert str(SHARED_FROM) in s3_ledger._OPS
