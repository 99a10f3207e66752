"""The recorder: what a killed client wrote is all there, and an unended operation stays unknown."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosday.clock import ManualClock
from chaosday.errors import EvidenceMissing, MalformedHistory, UsageError
from chaosday.model.history import History
from chaosday.record.recorder import Recorder, seal

pytestmark = pytest.mark.kernel


def _lines(directory: Path, name: str = "client-0.jsonl") -> bytes:
    return (directory / name).read_bytes()


def test_what_was_recorded_is_what_is_sealed(tmp_path: Path) -> None:
    """Two clients' operations come back in order of invocation, with their ends and their times."""
    clock = ManualClock()
    one, two = (Recorder(tmp_path / "history", n, clock=clock) for n in (0, 1))
    clock.advance(1e-9)
    first = one.invoke("write", "k", 5)
    clock.advance(1e-9)
    second = two.invoke("read", "k")
    clock.advance(1e-9)
    two.end(second, "ok", 5)
    one.end(first, "failed", error="refused")
    history = seal(tmp_path / "history")
    assert history.table.to_pylist() == [
        {
            "index": 0, "process": 0, "f": "write", "key": '"k"', "value": 5, "result": None,
            "start_ns": 1, "end_ns": 3, "status": "failed", "error": "refused",
        },
        {
            "index": 1, "process": 1, "f": "read", "key": '"k"', "value": None, "result": 5,
            "start_ns": 2, "end_ns": 3, "status": "ok", "error": None,
        },
    ]  # fmt: skip
    assert History.read(tmp_path / "history.parquet").table.equals(history.table)


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_tail_costs_only_the_line_being_written(tmp_path: Path, cut: int) -> None:
    """However much of the last line is missing, the operations before it are untouched."""
    with Recorder(tmp_path / "history", 0, clock=ManualClock()) as recorder:
        recorder.end(recorder.invoke("write", 1, 1), "ok")
        recorder.end(recorder.invoke("write", 1, 2), "ok")
    path = tmp_path / "history" / "client-0.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    table = seal(tmp_path / "history").table
    assert table["status"].to_pylist() == ["ok", "unknown"]
    assert table["end_ns"].to_pylist() == [0, None]


def test_a_killed_client_loses_nothing_it_recorded(tmp_path: Path) -> None:
    """SIGKILL right after an invocation leaves it on disk as an operation without an end."""
    code = (
        "import sys, time; from pathlib import Path; from chaosday.record.recorder import Recorder\n"
        "r = Recorder(Path(sys.argv[1]), 3)\n"
        "for n in range(500): r.end(r.invoke('write', 1, n), 'ok')\n"
        "r.invoke('write', 1, 500); print('ready', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "history")], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    history = seal(tmp_path / "history")
    assert history.table["value"].to_pylist() == list(range(501))
    assert history.table["status"].to_pylist() == ["ok"] * 500 + ["unknown"]


def test_a_client_goes_on_as_a_new_process_after_an_unknown_end(tmp_path: Path) -> None:
    """The process that has an operation open for ever is never seen again, also not after a restart."""
    clock = ManualClock()
    for status in ("unknown", "ok"):
        with Recorder(tmp_path / "history", 1, clock=clock) as recorder:
            for _ in range(2):
                clock.advance(1e-9)
                recorder.end(recorder.invoke("write"), status)
    assert seal(tmp_path / "history").table["process"].to_pylist() == [1, 3, 5, 5]


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        (b'{"end":0,"status":"ok","result":null,"error":null,"at_ns":1}\n', 1, "not open"),
        (b'{"invoke":1,"f":"w","key":1,"value":1,"at_ns":1}\n', 1, "0 comes next"),
        (b'{"invoke":0,"f":"w","key":1,"value":1,"at_ns":1}\nrubbish\n', 2, "client-0.jsonl"),
        (b'{"invoke":0,"f":"w","key":1,"at_ns":1}\n', 1, "value"),
    ],
)
def test_a_file_no_recorder_wrote_is_refused(tmp_path: Path, lines: bytes, line: int, says: str) -> None:
    """An end without a start, a gap, text that is not JSON, a missing field: an error with the line."""
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "client-0.jsonl").write_bytes(lines)
    with pytest.raises(MalformedHistory, match=says) as caught:
        seal(tmp_path / "history")
    assert caught.value.line == line


def test_nothing_recorded_is_not_an_empty_history(tmp_path: Path) -> None:
    """A directory without a client's file is missing evidence."""
    with pytest.raises(EvidenceMissing, match="no client ever started"):
        seal(tmp_path)


def test_a_word_that_is_no_status_is_refused(tmp_path: Path) -> None:
    """An end is ok, failed or unknown, and nothing else reaches the file."""
    with Recorder(tmp_path, 0) as recorder, pytest.raises(UsageError, match="fine"):
        recorder.end(recorder.invoke("read"), "fine")
    assert _lines(tmp_path).count(b"\n") == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["ok", "failed", "unknown", None]), st.integers(-5, 5)),
        max_size=30,
    )
)
def test_every_operation_comes_back_once(tmp_path_factory: pytest.TempPathFactory, ops: list[tuple]) -> None:  # type: ignore[type-arg]
    """Any mix of clients and ends: as many rows as invocations, statuses kept, no process with two open."""
    directory = tmp_path_factory.mktemp("run") / "history"
    clock = ManualClock()
    clients = [Recorder(directory, n, clock=clock) for n in range(4)]
    for client, status, value in ops:
        clock.advance(1e-9)
        index = clients[client].invoke("write", client, value)
        if status:
            clients[client].end(index, status)
    table = seal(directory).table
    assert table["value"].to_pylist() == [value for _, _, value in ops]
    assert table["status"].to_pylist() == [status or "unknown" for _, status, _ in ops]
    unended = [
        p for p, s in zip(table["process"].to_pylist(), table["status"].to_pylist(), strict=True) if s == "unknown"
    ]
    later = table["process"].to_pylist()
    assert len(set(unended)) == len(unended)
    for process in unended:
        last = max(n for n, p in enumerate(later) if p == process)
        assert table["status"].to_pylist()[last] == "unknown"
    for recorder in clients:
        recorder.close()
