"""Suites of expectations: read in full or refused by name, and never met by nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from chaosday.checks.expectations import Expectations
from chaosday.commands.expect import command
from chaosday.data.expectations import Expectation, error_in, validated
from chaosday.data.suites import ALLOWED, conditions, entries
from chaosday.errors import MalformedInput, UsageError
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.reporting.expectations_page import records
from tests.judging import planting

NOT_NULL = "expect_column_values_to_not_be_null"
ROWS = pd.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "state": ["paid", "open", "paid", None],
        "amount": [5.0, 7.5, None, -1.0],
        "empty": [None] * 4,
        "void": [None] * 4,
        "raw": [b"a", b"b", b"\xff", b""],
    }
)


def _suite(*listed: Any) -> bytes:
    return json.dumps(list(listed)).encode()


@pytest.mark.parametrize(
    "document",
    [
        [{"expect": NOT_NULL, "arguments": {"column": "amount"}}],
        [{"expect": "column_values_to_not_be_null", "arguments": {"column": "amount"}}],
        [{"type": NOT_NULL, "kwargs": {"column": "amount"}, "meta": {}, "id": None, "severity": "critical"}],
        [{"expectation_type": NOT_NULL, "kwargs": {"column": "amount", "batch_id": "x"}, "meta": {"notes": "x"}}],
        {"name": "s", "expectations": [{"type": NOT_NULL, "kwargs": {"column": "amount"}}], "suite_parameters": {}},
        {
            "expectation_suite_name": "s",
            "expectations": [{"expectation_type": NOT_NULL, "kwargs": {"column": "amount"}}],
        },
    ],
)
def test_a_suite_is_read_in_every_form(document: Any) -> None:
    """Our list, Great Expectations' list of either age, and its whole suite are the same expectation."""
    read = entries(json.dumps(document).encode())
    assert read == [{"expect": NOT_NULL, "arguments": {"column": "amount"}}]
    (result,) = validated(ROWS, [Expectation(**read[0])], "id")
    assert (result["success"], result["result"]["unexpected_keys"]) == (False, [3])


REFUSED: list[tuple[Any, str]] = [
    ([{"expect": NOT_NULL, "argument": {"column": "amount"}}], "'argument'"),
    ([{"expct": NOT_NULL}], "'expct'"),
    ([{"arguments": {"column": "amount"}}], "names it"),
    ([{}], "names it"),
    ([{"type": NOT_NULL, "kwarg": {}}], "'kwarg'"),
    ([{"type": NOT_NULL, "kwargs": {"colunm": "amount"}}], "'colunm'"),
    ([{"type": 3, "kwargs": {}}], "names it"),
    ([{"type": "expect_miracles", "kwargs": {}}], "expect_miracles"),
    ([{"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "select 1"}}], "unexpected_rows"),
    ([{"type": "expect_query_results_to_match_comparison", "kwargs": {}}], "expect_query_results"),
    ([{"type": "expect_column_max_to_be_between", "kwargs": {"max_value": {"$PARAMETER": "x"}}}], "PARAMETER"),
    ([{"type": "expect_column_values_to_match_regex", "kwargs": {"column": "empty", "regex": "("}}], "regular"),
    ([{"type": "expect_column_values_to_match_regex_list", "kwargs": {"regex_list": ["a", "["]}}], "regular"),
    ([{"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "state"}}], "without a set"),
    ([{"type": "expect_column_values_to_be_in_set", "kwargs": {"value_set": None}}], "without a set"),
    ([{"type": NOT_NULL, "kwargs": {"column": "id", "mostly": 0}}], "mostly"),
    ([{"type": NOT_NULL, "kwargs": {"column": "id", "mostly": "all"}}], "mostly"),
    ([{"type": NOT_NULL, "kwargs": {"column": "id", "row_condition": "@os.system('x') == 1"}}], "row_condition"),
    ({"name": "s", "expectation": []}, "'expectation'"),
    ({"name": "s", "expectations": [], "suite_parameters": {"x": 1}}, "suite_parameters"),
    ({"name": "s"}, "list"),
    ([["expect_x"]], "no object"),
    ("x", "list"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "says"), REFUSED)
def test_what_is_not_understood_is_refused_by_name(document: Any, says: str) -> None:
    """A misspelt field, an unknown expectation, a parameter, a query, a set that is none: one line that names it."""
    with pytest.raises(MalformedInput, match=r"^[^\n]+$") as caught:
        entries(json.dumps(document).encode())
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('state == "paid"', [1, 3]),
        ("state == 'paid' and amount > 1", [1]),
        ("amount != 5", [2, 4]),
        ('col("state").notnull()', [1, 2, 3]),
        ("col('amount').isnull()", [3]),
        ("`amount` <= -1.0 & id >= 4", [4]),
        ("id<3 and id > 1", [2]),
        ("state == 3", []),
    ],
)
def test_a_row_condition_is_compared(text: str, keys: list[int]) -> None:
    """A column and a literal, joined by and; a NULL meets no comparison."""
    held = ROWS
    for condition in conditions(text):
        held = held[condition.holds(held)]
    assert held["id"].tolist() == keys


@pytest.mark.parametrize(
    "text",
    [
        "@__import__('os').system('touch CANARY') == 0", "id.apply(print)", "id == @x", "id > 0 or True", "id + 1 == 2",
        "(id == 1)", "not id == 1", "id in [1]", "id", "== 1", "id == 1; id == 2", "id == f'{1}'", "id == 1 and",
        "id == __name__", "col(id) == 1", 'col("a\\"b") == 1', "id == 'a' 'b'", "", "  ", "index == 0 #", "id == 1\x00",
        "id == 9" + "9" * 40, 3, None,
    ],
)  # fmt: skip
def test_no_other_row_condition_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Any) -> None:
    """Whatever else pandas would run as Python is refused by name before anything is looked at."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MalformedInput, match="row_condition"):
        conditions(text)
    if text:
        asked = Expectation(expect=NOT_NULL, arguments={"column": "id", "row_condition": text})
        with pytest.raises(MalformedInput, match="row_condition"):
            validated(ROWS, [asked], "id")
    assert not list(tmp_path.iterdir())


NOTHING: list[tuple[str, dict[str, Any], str]] = [
    (NOT_NULL, {"column": "id", "row_condition": 'state == "gone"'}, "no row"),
    (NOT_NULL, {"column": "id", "row_condition": "nowhere == 1"}, "nowhere"),
    (NOT_NULL, {"column": "id", "row_condition": "state < 3"}, "compared"),
    ("expect_table_row_count_to_equal", {"value": 0, "row_condition": "id > 9"}, "no row"),
    ("expect_column_values_to_be_unique", {"column": "empty"}, "NULL"),
    ("expect_column_values_to_be_in_set", {"column": "empty", "value_set": [1]}, "NULL"),
    ("expect_column_values_to_match_regex", {"column": "empty", "regex": "^a"}, "NULL"),
    ("expect_column_max_to_be_between", {"column": "empty", "min_value": 1}, "NULL"),
    ("expect_column_distinct_values_to_be_in_set", {"column": "empty", "value_set": [1]}, "NULL"),
    ("expect_column_values_to_be_unique", {"column": "amount", "row_condition": "id == 3"}, "NULL"),
    ("expect_column_pair_values_to_be_equal", {"column_A": "empty", "column_B": "empty"}, "NULL"),
    ("expect_compound_columns_to_be_unique", {"column_list": ["empty", "void"]}, "NULL"),
    ("expect_column_values_to_match_regex", {"column": "raw", "regex": "^a"}, "bytes"),
    ("expect_column_values_to_be_between", {"column": "state", "min_value": 1}, ""),
    (NOT_NULL, {"column": "nowhere"}, "nowhere"),
]


def test_an_expectation_that_looked_at_nothing_is_inconclusive() -> None:
    """Great Expectations passes on no rows and on nothing but NULL; here each is an error with its reason."""
    suite = [Expectation(expect=name, arguments=arguments) for name, arguments, _ in NOTHING]
    suite.append(Expectation(arguments={"column": "id"}))
    results = validated(ROWS, suite, "id")
    for (name, arguments, says), result in zip(NOTHING, results, strict=False):
        assert says in error_in(result), (name, arguments, result)
        assert error_in(result), (name, arguments, result)
    shown = records(suite, results)
    assert [record["outcome"] for record in shown] == ["inconclusive"] * len(NOTHING) + ["pass"]


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_every_expectation_that_is_allowed_is_in_the_gallery(name: str) -> None:
    """A name that leads nowhere would be refused as unknown only when a suite is validated."""
    gallery = pytest.importorskip("great_expectations.expectations")
    assert hasattr(gallery, "".join(part.title() for part in name.split("_")))


def test_bytes_are_looked_at_where_they_can_be() -> None:
    """Uniqueness and NULLs of a binary column are judged, and failing rows are named."""
    twice = ROWS.assign(raw=[b"a", b"a", b"\xff", None])
    how = ("be_unique", "not_be_null")
    suite = [Expectation(expect=f"column_values_to_{each}", arguments={"column": "raw"}) for each in how]
    assert [result["result"]["unexpected_keys"] for result in validated(twice, suite, "id")] == [[1, 2], [4]]
    assert [result["success"] for result in validated(ROWS, suite, "id")] == [True, True]


def test_the_check_of_an_experiment_says_the_same() -> None:
    """A suite in Great Expectations' form is judged as that, and one that looked at nothing is inconclusive."""
    asked = {"type": NOT_NULL, "kwargs": {"column": "value", "row_condition": "id > 100"}}
    evidence: Evidence = planting.ledger("1 insert 7 ok", found=[(1, 1, 7)])
    finding = Expectations.model_validate({"suite": [asked]}).judge(evidence)
    assert (finding.outcome, "no row" in finding.reasons[0]) == (Outcome.INCONCLUSIVE, True)
    for wrong in ({"expect": NOT_NULL, "argument": {}}, {"type": NOT_NULL, "kwarg": {}}):
        with pytest.raises(ValueError, match=r"argument|kwarg"):
            Expectations.model_validate({"suite": [wrong]})


def _expect(folder: Path, suite: bytes, *more: str) -> Result:
    (folder / "suite.json").write_bytes(suite)
    ROWS.assign(price=[Decimal("1.5")] * 4).to_parquet(folder / "rows.parquet")
    return CliRunner().invoke(command, [str(folder / "rows.parquet"), "--suite", str(folder / "suite.json"), *more])


@pytest.mark.parametrize(
    ("listed", "code"),
    [
        ([{"type": NOT_NULL, "kwargs": {"column": "amount"}}], 1),
        ([{"type": NOT_NULL, "kwargs": {"column": "id"}}], 0),
        ([{"type": "expect_column_values_to_be_unique", "kwargs": {"column": "empty"}}], 2),
        ([{"type": "expect_column_values_to_match_regex", "kwargs": {"column": "raw", "regex": "a"}}], 2),
        ([], 2),
    ],
)  # fmt: skip
def test_the_command_says_the_same(tmp_path: Path, listed: list[Any], code: int) -> None:
    """The exit code is the worst expectation's, and the page is written."""
    page = tmp_path / "page.html"
    assert _expect(tmp_path, _suite(*listed), "--json", "--html", str(page)).exit_code == code
    assert page.exists() is bool(listed)


@pytest.mark.parametrize(
    "suite", [b"", b"[" * 5000, b'{"expectations": [{"type"', b"\xff\x00", b'"\\ud800"', _suite({"argument": 1})]
)
def test_a_damaged_suite_is_one_line(tmp_path: Path, suite: bytes) -> None:
    """A file that is no suite is an error that names it, never the default expectation."""
    error = _expect(tmp_path, suite).exception
    assert isinstance(error, MalformedInput)
    assert "suite.json" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("output", ["--html", "--profile"])
def test_an_output_never_overwrites_what_is_read(tmp_path: Path, output: str) -> None:
    """A page or a profile that names the data is refused before anything is read."""
    data = tmp_path / "rows.parquet"
    ROWS.to_parquet(data)
    before = data.read_bytes()
    others = ["--suite", str(tmp_path / "suite.json")] if output == "--html" else []
    assert isinstance(CliRunner().invoke(command, [str(data), output, str(data), *others]).exception, UsageError)
    assert data.read_bytes() == before
