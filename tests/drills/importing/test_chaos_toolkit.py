"""A dozen experiments in the shapes that Chaos Toolkit's users write, and what each comes to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chaosday.drills.importing.chaos_toolkit import imported
from chaosday.errors import InvalidExperiment
from chaosday.model.experiment import parse
from tests.commands.test_bad_input import chaosday

pytestmark = pytest.mark.kernel
WORKLOAD = {"workloads": [{"kind": "set", "target": "store"}], "checks": [{"kind": "set"}]}


def process(path: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """A provider."""
    return {"type": "process", "path": path, **({"arguments": arguments} if arguments is not None else {}), **more}


def http(url: str, **more: Any) -> dict[str, Any]:
    """A provider."""
    return {"type": "http", "url": url, **more}


def python(module: str, func: str, **arguments: Any) -> dict[str, Any]:
    """A provider."""
    return {"type": "python", "module": module, "func": func, "arguments": arguments}


def probe(provider: dict[str, Any], tolerance: Any = None) -> dict[str, Any]:
    """An activity."""
    return {"type": "probe", "name": "p", "tolerance": tolerance, "provider": provider}


def action(provider: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An activity."""
    return {"type": "action", "name": "a", "provider": provider, **more}


def whole(*method: Any, probes: tuple[Any, ...] = (), rollbacks: tuple[Any, ...] = (), **more: Any) -> dict[str, Any]:
    """An experiment."""
    hypothesis = {"steady-state-hypothesis": {"title": "it works", "probes": list(probes)}} if probes else {}
    return {
        "title": "t",
        "description": "d",
        "method": list(method),
        "rollbacks": list(rollbacks),
        **hypothesis,
        **more,
    }


KILL = process("pkill", ["-f", "it's me"])
WEB = "http://127.0.0.1:8080"
CASES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("a page and a kill", whole(action(KILL), probes=(probe(http(f"{WEB}/health?x=1"), 200),)),
     {"steady_state": [{"kind": "http.view", "target": "web1", "path": "/health?x=1", "status": 200}],
      "actions": [{"kind": "command", "target": "here", "run": "pkill -f 'it'\"'\"'s me'", "irreversible": True}]}, []),
    ("exit code and time-out", whole(probes=(probe(process("test", "-f /tmp/x", timeout=5), 0),)),
     {"steady_state": [{"kind": "command", "target": "here", "run": "test -f /tmp/x", "timeout_s": 5}]}, []),
    ("another exit code", whole(probes=(probe(process("grep", ["x", "y"]), 1),)),
     {"steady_state": [{"kind": "command", "target": "here", "run": "grep x y; [ $? -eq 1 ]"}]}, []),
    ("a range", whole(probes=(probe(process("wc", "-l"), {"type": "range", "range": [3, 9]}),)),
     {"steady_state": [{"kind": "command", "target": "here", "run": "wc -l", "at_least": 3, "at_most": 9}]}, []),
    ("a pattern", whole(probes=(
        probe(process("cat", ["x"]), {"type": "regex", "pattern": "o'k", "target": "stdout"}),)),
     {"steady_state": [{"kind": "command", "target": "here", "run": "cat x | grep -qE -e 'o'\"'\"'k'"}]}, []),
    ("a value in JSON", whole(probes=(
        probe(http(f"{WEB}/s"), {"type": "jsonpath", "path": "$.db.state", "expect": ["up"], "target": "body"}),)),
     {"steady_state": [{"kind": "http.view", "target": "web1", "path": "/s", "json_path": "db.state",
                       "equals": "up"}]}, []),
    ("one of several statuses", whole(probes=(probe(http(WEB), [200, 204]),)),
     {"steady_state": [{"kind": "http.view", "target": "web1", "path": "/"}]}, ["tolerance: list of a http probe"]),
    ("a function of one's own", whole(action(python("mine.ops", "drain", node="a")), probes=(
        probe(python("mine.checks", "ready"), True),)),
     {"steady_state": [{"kind": "python", "target": "here", "call": "mine.checks:ready", "arguments": {}}],
      "actions": [{"kind": "python", "target": "here", "call": "mine.ops:drain", "arguments": {"node": "a"},
                   "irreversible": True}]}, []),
    ("a pod is killed", whole(action(python("chaosk8s.pod.actions", "terminate_pods", label_selector="app=x"))),
     {"actions": []}, ["kubernetes.pod_kill"]),
    ("rollbacks", whole(action(http(f"{WEB}/off", method="POST")), rollbacks=(
        action(http(f"{WEB}/on", method="PUT")),)),
     {"repairs": [{"kind": "http", "target": "web1", "method": "PUT", "path": "/on", "irreversible": True}]}, []),
    ("configuration", whole(action(process("${tool}", ["${host}", "${token}"])), configuration={
        "tool": "nc", "host": "db", "token": {"type": "env", "key": "TOKEN"}}),
     {"actions": [{"kind": "command", "target": "here", "run": "nc db '${token}'", "irreversible": True}]},
     ["configuration.token"]),
    ("pauses, background, references, secrets, controls", whole(
        {"ref": "p"}, action(KILL, pauses={"after": 5}, background=True), probe(http(WEB), 200),
        secrets={"k": {"password": "hunter2"}}, controls=[{}]),
     {}, ["a reference to another activity", "pauses", "background", "a probe among actions", "secrets", "controls"]),
    ("an address with a password in it", whole(action(http("http://me:hunter2@h/x"))), {"actions": []},
     ["its address cannot be read"]),
    ("a query, a form and JSON", whole(
        action(http(f"{WEB}/a?x=1", method="GET", arguments={"n": "a b", "l": [1, 2]})),
        action(http(f"{WEB}/b", method="POST", arguments={"n": "a b"})),
        action(http(f"{WEB}/c", method="PUT", arguments={"n": [1]}, headers={"content-type": "application/json"})),
    ),
     {"actions": [
         {"kind": "http", "target": "web1", "method": "GET", "path": "/a?x=1&n=a+b&l=1&l=2", "irreversible": True},
         {"kind": "http", "target": "web1", "method": "POST", "path": "/b", "body": "n=a+b",
          "content_type": "application/x-www-form-urlencoded", "irreversible": True},
         {"kind": "http", "target": "web1", "method": "PUT", "path": "/c", "body": '{"n": [1]}',
          "content_type": "application/json", "irreversible": True}]}, []),
    ("what cannot be sent", whole(
        action(http(WEB, method="POST", arguments="text", headers={"X-A": "1"}, verify_tls=False)),
        action(http("http://[::1/x")), action(http("http://h:99999/x"))),
     {"actions": []}, ["its arguments; name them", "its headers", "verify_tls", "method.2 'a': its address cannot"]),
    ("what is of another type", whole(
        action(process("x", 7)), action(process("x", [{"a": 1}])), action({"type": ["http"]}),
        action({"type": "python", "module": "m", "func": "f", "arguments": [1]}),
        probes=(probe(process("x"), {"type": "number"}), probe(process("x"), "zero"),
                probe(http(WEB), {"type": "number"}),
                probe(python("m", "f"), {"type": "number", "value": "x"}), probe(python("m", "f"), {"type": "truth"}),
                probe(process("x"), {"type": "number", "value": [1]}),
                probe(http(WEB), {"type": "jsonpath", "path": "a", "count": 2}))),
     {"actions": []}, ["method.0 'a': its arguments", "method.1 'a': its arguments", "no provider \"['http']\"",
                       "method.3 'a': its arguments", *(f"hypothesis.{n} 'p': tolerance" for n in range(7))]),
    ("more than are read", whole(*[{"ref": "p"}] * 1001), {"actions": []}, ["method: all after the first 1000"]),
    ("hostile words", whole(action(process("/bin/$(touch x)", {"--a": "`id`"})), action(python("os;x", "system"))),
     {"actions": [{"kind": "command", "target": "here", "run": "'/bin/$(touch x)' --a '`id`'", "irreversible": True}]},
     ["no function that can be called"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "made", "missing"), [each[1:] for each in CASES], ids=[each[0] for each in CASES])
def test_each_part_is_mapped_or_named(data: dict[str, Any], made: dict[str, Any], missing: list[str]) -> None:
    """What has a word here is that; what has none is said by its place; with a workload it is an experiment of ours."""
    done = imported(data)
    assert {name: done.experiment[name] for name in made} == made
    for words in missing:
        assert any(words in each for each in done.not_mapped), done.not_mapped
    assert "hunter2" not in json.dumps([done.experiment, done.mapped, done.not_mapped])
    targets = {**done.experiment["targets"], "store": {"kind": "line_store"}}
    parse({**done.experiment, "targets": targets, **WORKLOAD})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "title"),
        ({"title": "x"}, "title"),
        ({"title": "x", "method": {}}, "title"),
        ({"method": []}, "title"),
        (whole(configuration=["x"]), "'configuration' has no fields"),
        (whole() | {"steady-state-hypothesis": "x"}, "'steady-state-hypothesis' has no fields"),
        (whole() | {"steady-state-hypothesis": {"probes": {"x": 1}}}, "'probes' is no list"),
        (whole() | {"rollbacks": {"x": 1}}, "'rollbacks' is no list"),
    ],
)
def test_what_is_no_experiment_of_theirs_is_one_line(data: dict[str, Any], words: str) -> None:
    """It says what one has."""
    with pytest.raises(InvalidExperiment, match=words):
        imported(data)


def test_the_command_prints_it_and_runs_nothing(tmp_path: Path) -> None:
    """YAML with what is not mapped above it and on standard error; the file is left as it is."""
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(whole(action(process("touch", [str(tmp_path / "ran")])))))
    before = path.read_bytes()
    done = chaosday("import", str(path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "kind: command" in done.stdout and done.stdout.startswith("# not mapped: ")
    assert "workloads and checks" in done.stderr
    assert not (tmp_path / "ran").exists() and path.read_bytes() == before
    assert chaosday("import", str(path), "--out", str(path), cwd=tmp_path).returncode == 64
    (tmp_path / "none.json").write_text("[1]")
    wrong = chaosday("import", str(tmp_path / "none.json"), cwd=tmp_path)
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (64, 1)
