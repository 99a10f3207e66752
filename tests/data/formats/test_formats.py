"""Histories in and out of every notation, and clear errors for what is none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosday.data import formats
from chaosday.data.formats import edn
from chaosday.errors import MalformedHistory, UnknownName, UsageError
from chaosday.model.history import History, token_of
from chaosday.record.transactions import COLUMN, Transactions, column, with_transactions

pytestmark = pytest.mark.kernel

SAMPLES = {
    "edn": '[{:type :invoke, :process 0, :f :add, :value "a\\"b", :time 5} ; why\n #_ {:x 1} '
    "#jepsen.history.Op{:type :ok, :process 0, :f :add, :value \\newline :time 9}]",
    "jepsen-json": '[{"type":"invoke","process":0,"f":"read"},{"type":"ok","process":0,"f":"read","value":3}]',
    "jepsen-log": "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nnoise\n"
    "INFO  jepsen.util - 1\t:invoke\t:read\tnil\nINFO  jepsen.util - 1\t:fail\t:read\t:timed-out\n",
    "case": '{"checker":"set","opts":[],"history":[{"type":"ok","f":"add","value":1}]}',
    "jsonl": '{"f":"read","result":3,"status":"ok","process":1,"start_ns":1,"end_ns":2}\n',
    "awdit": "w 1 1\nr 2 0\n-----\nw 2 1\n=====\nr 1 1\n",
    "plume": "r(1,0,0,0)\nw(1,2,0,0)\nw(1,3,1,-1)\n",
    "sessions-json": '{"sessions":{"0":[0,1]},"txns":{"0":[["w","x",1]],"1":[["r","y",null]]}}',
}


def _read(text: str) -> formats.Imported:
    return formats.READERS[formats.detect(text)](text)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_format_is_known_by_its_first_characters(name: str) -> None:
    """Without ``--format`` each notation is taken for what it is, and gives operations."""
    imported = _read(SAMPLES[name])
    assert imported.format == name
    assert len(imported.history) > 0


def test_what_is_no_operation_is_noted() -> None:
    """A nemesis and other log lines are not silently skipped: their number is in the notes."""
    log = _read(SAMPLES["jepsen-log"])
    nemesis = _read('{"type":"info","process":"nemesis","f":"start","value":null}\n')
    assert (log.notes, nemesis.notes) == (
        ("1 lines of the log are not operations",),
        ("1 events of nemesis are not operations",),
    )
    assert log.options == {"nil_read": "value", "failed_cas": "mismatch"}


def test_a_compare_and_set_says_itself_whether_it_is_lifted() -> None:
    """``[k [old new]]`` is a key and a compare-and-set, ``[old new]`` is not."""
    lifted = _read(
        "{:type :invoke :process 0 :f :cas :value [1 [2 3]]}\n{:type :fail :process 0 :f :cas :value [1 [2 3]]}"
    )
    plain = _read("{:type :invoke :process 0 :f :cas :value [2 3]}\n{:type :ok :process 0 :f :cas :value [2 3]}")
    assert [one.history.values("key") for one in (lifted, plain)] == [[1], [None]]
    assert [one.history.values("value") for one in (lifted, plain)] == [[[2, 3]], [[2, 3]]]


PAIRS = "{:type :invoke :process 0 :f :write :value [1 2]MARK}\n{:type :ok :process 0 :f :write :value [1 2]}"


@pytest.mark.parametrize(
    ("text", "asked", "keys"),
    [
        (PAIRS.replace("MARK", ""), False, [None]),
        (PAIRS.replace("MARK", ""), True, [1]),
        (PAIRS.replace("MARK", " :independent true"), False, [1]),
        (PAIRS.replace("MARK", "").replace("[1 2]", "#jepsen.independent/tuple [1 2]"), False, [1]),
        ('{"opts":{"independent":true},"history":[{"type":"ok","f":"write","value":[1,2]}]}', False, [1]),
    ],
)
def test_pairs_are_keys_and_values_only_where_somebody_says_so(
    tmp_path: Path, text: str, asked: bool, keys: list[Any]
) -> None:
    """A register or queue of pairs is no guess: the file says independent, or the caller; else a note says how to."""
    (tmp_path / "pairs").write_text(text)
    imported = formats.read(tmp_path / "pairs", independent=asked)
    assert imported.history.values("key") == keys
    assert imported.history.values("value" if keys == [None] or len(text) > 100 else "result") in ([[1, 2]], [2])
    assert any("--independent" in note for note in imported.notes) is (keys == [None])


@pytest.mark.parametrize(
    "text",
    [
        "{:type :invoke :process 0 :f :write :value 1}",
        "{:type :invoke :process 0 :f :write :value [1 2]}\n{:type :ok :process 0 :f :write :value [2 2]}",
    ],
)
def test_what_is_not_independent_is_refused_as_that(tmp_path: Path, text: str) -> None:
    """Asked for keys, a value without one, or an answer for another key, is an error and no guess."""
    (tmp_path / "plain").write_text(text)
    with pytest.raises(MalformedHistory, match="key"):
        formats.read(tmp_path / "plain", independent=True)


@pytest.mark.parametrize("before", ["; a log\n", "\n\n;; one\n; two\n", "#_ {:x 1} ", "^{:m 1} ", "\ufeff", ","])
@pytest.mark.parametrize("after", ["", "\n; end ] of it\n"])
def test_a_vector_of_operations_may_follow_a_comment(tmp_path: Path, before: str, after: str) -> None:
    """Comments, discarded forms and a byte order mark before the vector, or comments after it, change nothing."""
    path = tmp_path / "h.edn"
    path.write_text(f"{before}[{{:type :invoke :process 0 :f :r}} {{:type :ok :process 0 :f :r :value 1}}]{after}")
    assert formats.read(path, "edn").history.values("result") == [1]


@pytest.mark.parametrize("process", ['"a"', '"worker 1"', ":client", "-1", '"-1"', '"0"', "nil", "4611686018427387905"])
def test_a_process_of_any_name_is_a_client(process: str) -> None:
    """Only the nemesis is none: what others read is looked at, and no two of them are taken for one."""
    other = "{:type :invoke :process 0 :f :r}\n"
    history = _read(
        f"{other}{{:type :invoke :process {process} :f :r}}\n{{:type :ok :process {process} :f :r :value 1}}"
    ).history
    assert history.values("result") == [None, 1]
    assert len(set(history.integers("process").tolist())) == 2


@pytest.mark.parametrize("process", ["1.5", "true", "[1]", "{:a 1}"])
def test_a_process_that_cannot_be_is_refused(process: str) -> None:
    """A fraction, a truth value or a collection is no process, and the error has its line."""
    with pytest.raises(MalformedHistory, match="a process is") as caught:
        _read(f"\n{{:type :invoke :process {process} :f :r}}")
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1", "true"),
        ("1", '"1"'),
        ("##Inf", "##NaN"),
        ("##Inf", "nil"),
        ("1e999", "2e999"),
        ("1.00000000000000000001M", "1.00000000000000000002M"),
        ("99999999999999999999", "100000000000000000000"),
        ("[1]", "[true]"),
        ("{:a 1}", "{:a 1.0}"),
        ("[[1] 2]", "[1 [2]]"),
        ("[]", "nil"),
    ],
)
def test_two_values_stay_two(one: str, other: str) -> None:
    """What EDN tells apart is told apart by its token."""
    tokens = [token_of(form) for text in (one, other) for form, _ in edn.forms(text)]
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [("#{1 2}", "#{2 1}"), ("{:a 1 :b 2}", "{:b 2 :a 1}"), ("0.0", "-0.0"), ("1N", "1"), ("+1", "1"), ("1.50M", "1.5")],
)
def test_one_value_is_one_however_it_is_written(one: str, other: str) -> None:
    """The order of a set or a map, the sign of zero and the way a number is written say nothing."""
    tokens = [token_of(form) for text in (one, other) for form, _ in edn.forms(text)]
    assert tokens[0] == tokens[1]


def test_numbers_beyond_64_bits_stay_apart_in_json() -> None:
    """Two numbers of twenty digits are no float: each format of JSON keeps them as their text."""
    numbers = ("100000000000000000001", "100000000000000000002")
    events = "[" + ",".join(f'{{"type":"ok","f":"r","value":{n}}}' for n in numbers) + "]"
    texts = (
        '{"opts":[],"history":' + events + "}",
        "".join(f'{{"f":"r","status":"ok","result":{n}}}\n' for n in numbers),
    )
    for text in texts:
        assert len(set(_read(text).history.tokens("result"))) == 2


def test_equal_and_missing_times_keep_the_order_of_the_file() -> None:
    """Events without times, or with the same time, happen one after the other."""
    table = _read(
        "{:type :invoke :process 0 :f :w :time 7}\n{:type :ok :process 0 :f :w :time 7}\n"
        "{:type :invoke :process 0 :f :w}\n{:type :info :process 0 :f :w :time 3}"
    ).history.table
    assert (table["start_ns"].to_pylist(), table["end_ns"].to_pylist()) == ([7, 9], [8, 10])
    assert table["status"].to_pylist() == ["ok", "unknown"]


BROKEN: list[tuple[str, int, str]] = [
    ("[{:type :invoke :process 0 :f :r}\n {:type :invoke :process 0 :f :r}]", 2, "another of its is open"),
    ("{:type :ok :process 0 :f :read}", 1, "never began"),
    ("[{:type :invoke :process 0\n", 1, "ends inside"),
    ("[{:type :invoke :process}]", 1, "no value"),
    ("{:type :invoke :process 0 :f :r :value 1x}", 1, "not a number"),
    ("{:type :zzz :process 0}", 1, "zzz"),
    ('{"type":"invoke"}\n{"type":"ok"\n', 2, "not JSON"),
    ('[{"type":"invoke","process":0,"f":"r"},\n{"type":"zzz"}]', 2, "zzz"),
    ('[{"type":"invoke","process":0,"f":"r"},\n', 2, "not JSON"),
    ('{"f":"read","status":"ok"}\n{"status":"ok"}\n', 2, "at least f"),
    ('{"f":"read","status":"ok"}\n{"f":"read","stat', 2, "not JSON"),
    ("w 1 1\nx 2\n", 2, "KEY VALUE"),
    ("w(1,1,0,0)\nw(1,1\n", 2, "SESSION"),
    ("hello world", 1, "no history"),
    ("{:type :invoke :process 0 :f :r :value #{1 1}}", 1, "twice"),
    ("{:type :invoke :process 0 :f :r :value {1 2 1 3}}", 1, "twice"),
    ("{:type :invoke :process 0 :f :r}\n#_", 2, "nothing after it"),
    ("\n" + "[" * 5000, 2, "deep"),
    ('{"f":1,"status":"ok"}', 1, "f is a text"),
    ('{"f":"r","status":["ok"]}', 1, "status"),
]


@pytest.mark.parametrize(("text", "line", "says"), BROKEN)
def test_what_cannot_be_is_an_error_with_its_line(text: str, line: int, says: str) -> None:
    """Two opens, ends without starts, cut files, unknown words: never skipped, always named."""
    with pytest.raises(MalformedHistory, match=says) as caught:
        _read(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    "text",
    [
        '{"sessions":{"0":[0]},"txns":{}}',
        '{"sessions":{"0":[]},"txns":{"0":[["w","x",1]]}}',
        '{"sessions":{"0":[0,0]},"txns":{"0":[["w","x",1]]}}',
        '{"sessions":{"0":[0]},"txns":{"0":[["z","x",1]]}}',
    ],
)
def test_sessions_and_transactions_have_to_match(text: str) -> None:
    """A transaction that is missing, in no session, in two, or no transaction is refused."""
    with pytest.raises(MalformedHistory):
        _read(text)


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    """Bytes that are no text, a broken Parquet, a missing file, a format that there is not."""
    for name, data in (("text", b"\xff\xfe\x00"), ("parquet", b"PAR1 and then nothing")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(MalformedHistory):
            formats.read(tmp_path / name)
    with pytest.raises(MalformedHistory, match="cannot be read"):
        formats.read(tmp_path / "missing")
    with pytest.raises(UnknownName, match="sessions-json"):
        formats.read(tmp_path / "text", "fressian")


def test_a_history_without_times_is_not_written_as_events() -> None:
    """Sessions exported as Jepsen's events would claim an order that nobody observed."""
    with pytest.raises(UsageError, match="no times"):
        formats.WRITERS["edn"](_read(SAMPLES["awdit"]).history)


VALUES = st.one_of(
    st.none(), st.integers(-(2**40), 2**40), st.text(max_size=4), st.lists(st.integers(0, 9), max_size=3)
)
MOPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 3), st.integers(0, 9)).map(list),
        st.tuples(st.just("r"), st.integers(0, 3), st.lists(st.integers(0, 9), min_size=1, max_size=3)).map(list),
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def _histories(draw: st.DrawFn, transactional: bool) -> History:
    count = draw(st.integers(1, 6))
    at, rows = 0, []
    for n in range(count):
        start, end = at, at + draw(st.integers(1, 5))
        at = end + draw(st.integers(1, 3))
        status = draw(st.sampled_from(["ok", "failed", "unknown"]))
        rows.append({"process": n, "f": "write", "start_ns": start, "end_ns": end, "status": status})
    if not transactional:
        for row in rows:
            row |= {"value": draw(VALUES), "result": draw(VALUES)}
            # One notation has one value for both: what came back stands for what was asked where nothing did.
            row["result"] = row["value"] if row["result"] is None else row["result"]
        return History.from_rows(rows)
    return with_transactions(History.from_rows(rows), column([draw(MOPS) for _ in rows]))


def _said(history: History) -> list[Any]:
    table = history.table.select(["process", "f", "start_ns", "end_ns", "status"]).to_pylist()
    if COLUMN in history.table.column_names:
        return [table, [Transactions.of(history).mops(n) for n in range(len(history))]]
    return [table, history.values("value"), history.values("result")]


@settings(max_examples=60, deadline=None)
@given(st.booleans().flatmap(_histories), st.sampled_from(["edn", "jepsen-json", "jsonl"]))
def test_what_is_written_is_what_is_read(history: History, name: str) -> None:
    """Operations with times survive every notation that has times."""
    written = formats.WRITERS[name](history)
    assert _said(formats.READERS[name](written).history) == _said(history)


@pytest.mark.parametrize("name", ["awdit", "plume", "sessions-json"])
def test_sessions_survive_every_notation_of_sessions(name: str) -> None:
    """The transactions of each session come back in their order."""
    history = _read("w 1 1\nw 1 2\n-----\nr 1 2\n=====\nw 2 3\n").history
    back = formats.READERS[name](formats.WRITERS[name](history)).history
    assert _said(back)[1] == _said(history)[1]
    assert back.integers("process").tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('#inst "2020-01-01"', "2020-01-01"),
        ("#{1 2}", [1, 2]),
        ("(1 2)", [1, 2]),
        ("^{:a 1} [x]", ["x"]),
        ("[1/2 1.5M 2e3 -7N +4]", ["1/2", 1.5, 2000.0, -7, 4]),
        ("[##Inf nil true \\a \\u0041]", ["##Inf", None, True, "a", "A"]),
        ('{:a {1 #_ 9 2} "b" ()}', {"a": {1: 2}, "b": []}),
        ("123456789012345678901234567890", "123456789012345678901234567890N"),
    ],
)
def test_edn_in_all_its_forms(text: str, value: Any) -> None:
    """Tags, sets, lists, metadata, ratios, big numbers, characters and discarded forms."""
    assert [form for form, _ in edn.forms(text)] == [value]
