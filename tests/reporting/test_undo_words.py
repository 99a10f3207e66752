"""How a fault is undone is said in words, and tables cut no name."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest
from rich.console import Console
from rich.table import Table

from chaosday.reporting.terminal import columns
from chaosday.reporting.undo_words import NOTHING, undo_in_words
from flows import terminal

pytestmark = pytest.mark.kernel

CALLS = orjson.dumps([{"service": "ec2", "operation": "start_instances"}]).decode()
UNDOS: list[tuple[Any, str]] = [
    ("", NOTHING),
    (":\n", NOTHING),
    ({}, NOTHING),
    ("PATH=/sbin\ntc qdisc del\nrm -f x\n", "a script of 2 lines on box takes away what is ours, by tc and rm"),
    ("for p in 1; do kill -CONT $p; done", "a script of 1 line on box takes away what is ours, by kill"),
    ({"toxic": "network.proxy.latency"}, "the proxy takes it off the route"),
    ({"route": "r", "effect": "status"}, "the proxy takes its rule off (status)"),
    ({"table": "t", "key": "id", "keys": "[1, 2]"}, "2 rows of t put back as kept"),
    ({"objects": '{"a": {}}'}, "1 object put back as kept in the bucket"),
    ({"changes": "[{}, {}]"}, "2 changes in the cluster taken back"),
    ({"calls": CALLS, "resources": "[{}]"}, "AWS is asked for ec2.start_instances, and our tag taken off 1 resource"),
    ({"calls": "not JSON"}, "AWS is asked for nothing, and our tag taken off 0 resources"),
    ({"anything": 1}, "what was kept is put back: anything"),
]  # fmt: skip


@pytest.mark.parametrize(("undo", "words"), UNDOS)
def test_an_undo_is_said_in_words(undo: Any, words: str) -> None:
    """A script and what proxies, clouds and databases keep each have a sentence, and nothing is shown as a dict."""
    assert undo_in_words(undo, "box") == words


def test_a_plan_at_eighty_columns_cuts_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind of a fault, what it hurts and how it is undone stand whole in the terminal, however long they are."""
    said, target = io.StringIO(), "a-target-with-a-very-long-name." * 4
    monkeypatch.setattr(terminal, "console", Console(file=said, width=80))
    fault = {"kind": "network.proxy.slow_close", "target": target}
    undo = {"toxic": "network.proxy.slow_close"}
    planned = {"at_s": 2, "fault": fault, "affects": [target], "undo": undo, "ends_by_itself_after_s": 30}
    plan = {"title": "t", "hypothesis": "h", "targets": {target: {"is": "there"}}, "faults": [planned]}
    terminal.show_plan({**plan, "operations_needed": 299}, [])
    for whole in (fault["kind"], target, undo_in_words(undo)):
        assert whole in said.getvalue()
    assert "{" not in said.getvalue()


def test_a_table_goes_on_in_the_next_line_where_a_name_is_too_long() -> None:
    """At eighty columns every character of a long name is there, and no ellipsis."""
    said, name = io.StringIO(), "network.proxy." + "x" * 100
    table = Table(*columns("fault", "target", "found"))
    table.add_row(name, name, "lost")
    Console(file=said, width=80).print(table)
    assert "…" not in said.getvalue()
    assert said.getvalue().count("x") == 2 * name.count("x")
