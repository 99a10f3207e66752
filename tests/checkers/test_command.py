"""``chaosday check``: exit codes, one result map a line, options from the file and from the line."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchmarks.histories import list_append, registers, rw_register
from chaosday.checkers.counters import check_counter
from chaosday.checkers.list_append import check_list_append
from chaosday.checkers.per_key import independently
from chaosday.checkers.register import check_register
from chaosday.checkers.rw_register import check_rw_register
from chaosday.checkers.versions import Sources
from chaosday.commands.check import command
from chaosday.errors import ChaosdayError, MalformedHistory, UnknownName, UsageError
from chaosday.model.history import History

GOOD = "{:type :invoke :process 0 :f :write :value 1}\n{:type :ok :process 0 :f :write :value 1}\n"
BAD = GOOD + "{:type :invoke :process 0 :f :read :value nil}\n{:type :ok :process 0 :f :read :value 2}\n"


def _check(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def _file(directory: Path, name: str, text: str) -> Path:
    (directory / name).write_text(text)
    return directory / name


def test_the_worst_of_several_files_is_the_exit_code(tmp_path: Path) -> None:
    """0 valid, 1 invalid, 2 unknown; one JSON object a line with the six fields first."""
    good, bad, empty = (_file(tmp_path, f"{n}.edn", text) for n, text in enumerate((GOOD, BAD, "")))
    codes = [
        _check(*files, "--as", "register", "--json").exit_code for files in ([good], [good, empty], [good, bad, empty])
    ]
    assert codes == [0, 2, 1]
    lines = [json.loads(line) for line in _check(good, bad, "--as", "register", "--json").stdout.splitlines()]
    assert list(lines[0])[:6] == ["file", "valid?", "anomaly-types", "not", "examined", "reason"]
    assert [(line["valid?"], line["anomaly-types"], line["examined"]) for line in lines] == [
        (True, [], 1),
        (False, ["unwritten-read"], 2),
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["--as", "regster"], UnknownName, "register"),
        (["--as", "register", "-o", "total_amount=3"], UsageError, "no option total-amount"),
        (["--as", "register", "-o", "steps=-1"], UsageError, "steps"),
        (["--as", "list-append", "--consistency", "sirializable"], UnknownName, "serializable"),
        (["--as", "list-append", "--anomaly", "G9"], UnknownName, "G1a"),
        (["--as", "register", "-o", "kind=register"], UsageError, "no option kind"),
        (["--as", "set-full", "-o", "linearizable??=true"], UsageError, "no option linearizable?"),
        (["--as", "set-full", "-o", "linearizable=7"], UsageError, "linearizable"),
        (["--as", "mutex", "--initial", "1"], UsageError, "no option initial"),
        (["--initial", "1"], UsageError, "--as MODEL"),
        (["--independent"], UsageError, "--as MODEL"),
        (["--as", "register", "--independent", "--format", "awdit"], UsageError, "edn"),
        ([], UsageError, "--as MODEL"),
    ],
)
def test_a_mistake_on_the_line_is_an_error(
    tmp_path: Path, arguments: list[str], error: type[ChaosdayError], says: str
) -> None:
    """A model, a level or an option that there is not is refused, with what there is."""
    result = _check(_file(tmp_path, "good.edn", GOOD), *arguments)
    assert isinstance(result.exception, error)
    assert says in str(result.exception)


@pytest.mark.parametrize(("others", "code"), [(GOOD, 64), (BAD, 1)])
def test_a_file_that_cannot_be_read_does_not_end_the_batch(tmp_path: Path, others: str, code: int) -> None:
    """Every file gets its answer or its own error, a missing one and a folder too; what is invalid is worst."""
    files = [_file(tmp_path, f"{n}.edn", others) for n in range(3)]
    files[1:1] = [_file(tmp_path, "cut.edn", "[{:type"), tmp_path / "missing.edn", tmp_path]
    result = _check(*files, "--as", "register", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == code
    assert [line["file"] for line in lines] == list(map(str, files))
    assert [line["valid?"] for line in lines] == [code == 64, None, None, None, code == 64, code == 64]
    assert [str(path) in line["error"] for path, line in zip(files[1:4], lines[1:4], strict=True)] == [True] * 3
    assert result.stderr.count("chaosday: ") == 3


def test_operations_that_a_model_does_not_know_are_never_valid(tmp_path: Path) -> None:
    """A history of another model is unknown, not valid by what was left over to look at."""
    add = '{"f":"add","value":1,"status":"ok","start_ns":0,"end_ns":1}\n'
    counter = _file(tmp_path, "counter.jsonl", add + add.replace("add", "read").replace("value", "result"))
    for model in ("monotonic", "register", "mutex", "queue", "unique-ids", "kv"):
        assert _check(counter, "--as", model, "--json").exit_code == 2, model
    assert _check(counter, "--as", "counter").exit_code == 0


def test_an_error_is_one_line_whatever_the_file_holds(tmp_path: Path) -> None:
    """A column or a process with a line break in its name does not break the line."""
    for text in ('{"f":"r","en\\nd":1}', '{"type":"ok","f":"r","process":"a\\nb"}'):
        error = _check(_file(tmp_path, "odd.json", text), "--as", "register").exception
        assert isinstance(error, MalformedHistory)
        assert "\n" not in str(error)


def test_a_page_never_overwrites_what_is_judged(tmp_path: Path) -> None:
    """``--html`` that names an input is refused before anything is read."""
    good = _file(tmp_path, "good.edn", GOOD)
    assert isinstance(_check(good, "--as", "register", "--html", good).exception, UsageError)
    assert good.read_text() == GOOD


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    """The error of a file says which file and which line."""
    result = _check(_file(tmp_path, "broken.edn", GOOD + "{:type :ok :process 3 :f :read}"), "--as", "register")
    assert isinstance(result.exception, MalformedHistory)
    assert "broken.edn" in str(result.exception)
    assert "line 3" in str(result.exception)


def test_a_published_case_brings_its_options_and_its_convention(tmp_path: Path) -> None:
    """What the case states is used, what the line states wins; an empty one follows its project."""
    mops = [["append", "x", 1]]
    events = [
        {"type": "ok", "process": 0, "f": "txn", "value": [["r", "x", [1]]]},
        {"type": "fail", "process": 0, "f": "txn", "value": mops},
    ]
    case = _file(
        tmp_path, "case.json", json.dumps({"opts": {"consistency-models": ["read-uncommitted"]}, "history": events})
    )
    stated, given = (
        json.loads(_check(case, "--as", "list-append", "--json", *more).stdout)
        for more in ([], ["--consistency", "serializable"])
    )
    assert (stated["valid?"], given["valid?"], given["anomaly-types"]) == (
        "unknown",
        False,
        ["G1a", "empty-transaction-graph"],
    )
    empty = _file(tmp_path, "empty.json", '{"opts":[],"history":[]}')
    verdicts = [json.loads(_check(empty, "--as", model, "--json").stdout)["valid?"] for model in ("counter", "set")]
    assert verdicts == [True, "unknown"]


def test_the_page_stands_alone_and_the_terminal_tells_the_story(tmp_path: Path) -> None:
    """The timeline needs no other file, knows light and dark, and shows the offending operations."""
    text = "".join(
        f"{{:type {kind} :process {n} :f :txn :value [[:append :{a} 1] [:r :{b} nil]]}}\n"
        for kind in (":invoke", ":ok")
        for n, (a, b) in enumerate([("x", "y"), ("y", "x")])
    )
    page = tmp_path / "page.html"
    result = _check(
        _file(tmp_path, "skew.edn", text), "--as", "list-append", "--consistency", "serializable", "--html", page
    )
    assert result.exit_code == 1
    assert "However, T2 comes before T1" in result.stdout
    shown = page.read_text()
    assert "http" not in shown.replace("http-equiv", "")
    assert "prefers-color-scheme:dark" in shown
    assert shown.count("<rect") == 2


def _summary(result: dict[str, Any]) -> Any:
    return result["valid?"], result["anomaly-counts"], result["examined"], result["failures"]


def test_keys_give_one_result_wherever_they_are_judged() -> None:
    """In this thread, on threads, on processes: the same result map."""
    history = registers(400, 20, 4, seed=3, stale=True)
    judge = partial(check_register)
    here = independently(history, judge)
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2) as processes:
        assert [_summary(independently(history, judge, pool)) for pool in (threads, processes)] == [_summary(here)] * 2
    assert here["valid?"] is False
    assert check_register(history)["valid?"] is False


@pytest.mark.parametrize("planted", [0, 3])
def test_the_generators_of_the_benchmarks_tell_the_truth(planted: int) -> None:
    """What they make without a fault is valid; what they plant is found and named."""
    lists = check_list_append(list_append(3_000, 1, planted=planted))
    registers_ = check_rw_register(rw_register(3_000, 1, planted=planted), sources=Sources(wfr_keys=True))
    assert [lists["valid?"], registers_["valid?"]] == [not planted] * 2
    assert not planted or (
        "G-single-item" in lists["anomaly-types"] and registers_["anomaly-counts"]["lost-update"] == planted
    )


def test_a_check_of_registers_needs_no_pandas_and_no_scipy(tmp_path: Path) -> None:
    """Reading Parquet and judging registers loads neither: they cost more than the check."""
    registers(50, 3, 2, seed=1).write(tmp_path / "history.parquet")
    code = (
        "import sys; from pathlib import Path; from chaosday.model.history import History\n"
        "from chaosday.checkers.register import check_register\n"
        "assert check_register(History.read(Path(sys.argv[1])))['valid?'] is True\n"
        "print(sorted({'pandas', 'scipy'} & set(sys.modules)))"
    )
    command_line = [sys.executable, "-c", code, str(tmp_path / "history.parquet")]
    done = subprocess.run(command_line, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_data_frame_is_a_history(tmp_path: Path) -> None:
    """From pandas and back, whole numbers whole."""
    history = registers(50, 3, 2, seed=1)
    history.write(tmp_path / "history.parquet")
    frame = History.read(tmp_path / "history.parquet").to_pandas()
    assert check_register(History.from_pandas(frame))["valid?"] is True
    assert check_counter(History.from_pandas(frame.head(0)))["valid?"] == "unknown"
