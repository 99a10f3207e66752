"""What a target says is never markup: hostile words sent through every way to print, draw or write them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as xml

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosday.cli import run as chaosday
from chaosday.clock import SystemClock
from chaosday.drills.gameday.board import NAME, Board
from chaosday.record.foreign_words import fenced, in_markdown, json_text, one_line, printable
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.terminal import console, plain
from tests.reporting.test_machines import a_run

FORGED = "pass: nothing was lost"
HOSTILE = (
    "[/x] [bold]b[/bold] [link=http://evil]l[/link] :smile: \\ "
    "\x1b]52;c;aGk=\x07 \x1b[31mred \x1b]8;;http://evil\x1b\\link \x9b31m \u202egnp.exe \u2066 \U000e0041 \ufffe "
    f"| `c` [l](http://evil) <b>x</b> ![i](http://evil/i.png) &amp; www.evil.test a@evil.test ```\r\n{FORGED}"
)
Capture = pytest.CaptureFixture[str]


def moving(text: str) -> set[str]:
    """Characters that a terminal would obey, or that turn the direction of writing round."""
    return {
        c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t\u200c\u200d"
    }


def hostile_run(root: Path) -> RunDirectory:
    """A finished run whose every word is somebody else's."""
    directory = a_run(root, "inconclusive")
    findings = directory.read_json("findings.json")
    findings[0] |= {"check": HOSTILE, "outcome": "violated", "reasons": [HOSTILE], "examined_unit": HOSTILE}
    findings[0]["anomalies"] = [{"name": HOSTILE, "count": 1, "keys": [HOSTILE], "detail": [HOSTILE]}]
    verdict = directory.read_json("verdict.json") | {"words": HOSTILE, "reasons": [HOSTILE]}
    verdict["proofs"] = {name: {"held": False, "lines": [HOSTILE]} for name in ("bite", "sight", "clean")}
    plan = directory.read_json("plan.json") | {"title": HOSTILE, "hypothesis": HOSTILE}
    plan["targets"] = {HOSTILE: {"is": HOSTILE, "kind": HOSTILE}}
    fault = {"fault": {"kind": HOSTILE, "target": HOSTILE}, "undo": HOSTILE, "affects": [HOSTILE], "mechanism": HOSTILE}
    plan |= {"faults": [fault | {"at_s": 0, "ends_by_itself_after_s": 1}], "operations_needed": 1}
    for name, data in (("findings", findings), ("verdict", verdict), ("plan", plan)):
        directory.write_json(f"{name}.json", data)
    journal = Journal.resume(directory.journal_path)
    journal.append("planned", lease_id="l", fault={"kind": HOSTILE}, target_name=HOSTILE, target={}, plan={})
    journal.append("attested", lease_id="l", bite={"why": HOSTILE})
    journal.append("shortfall", reason=HOSTILE)
    journal.append("action_done", kind=HOSTILE, words=HOSTILE)
    journal.close()
    return directory


def of_the_run(*words: str) -> Callable[[Path], list[str]]:
    return lambda folder: [str(hostile_run(folder / "runs").path) if word == "RUN" else word for word in words]


def diff_of_rows(folder: Path) -> list[str]:
    for name, value in (("l", 1), ("r", 2)):
        rows = duckdb.connect()
        rows.execute('create table t as select ? as "k [/x]\x1b[31m", ? as "v [/x]\x1b[31m"', [HOSTILE, value])
        rows.execute(f"copy t to '{folder / name}.parquet'")
    return ["diff", str(folder / "l.parquet"), str(folder / "r.parquet"), "-k", "k [/x]\x1b[31m"]


def manifests(folder: Path) -> list[str]:
    for name in ("before", "after"):
        (folder / name).mkdir()
        (folder / name / f"{name} {HOSTILE.replace('/', ' ')[:200]}").write_text(name)
        chaosday(["manifest", "make", str(folder / name), str(folder / f"{name}.manifest"), "--quiet"])
    return ["manifest", "compare", str(folder / "before.manifest"), str(folder / "after.manifest")]


def history(folder: Path) -> list[str]:
    rows = [
        {"process": 0, "type": kind, "f": "write" if n < 2 else "read", "value": HOSTILE if n < 2 else f"{HOSTILE}!"}
        for n, kind in enumerate(("invoke", "ok", "invoke", "ok"))
    ]
    (folder / "h.json").write_text(json.dumps(rows))
    return ["check", str(folder / "h.json"), "--as", "register"]


def board(folder: Path) -> list[str]:
    (folder / "day").mkdir()
    kept = Board.create(folder / "day" / NAME, "a-day", SystemClock())
    kept.note(HOSTILE, HOSTILE)
    return ["flag", "board", "--run", str(folder / "day")]


def halted(folder: Path) -> list[str]:
    chaosday(["halt", HOSTILE])
    return ["resume"]


def expectations(folder: Path) -> list[str]:
    duckdb.connect().execute(f"copy (select 1 as id, 'x' as v) to '{folder}/x.parquet'")
    suite = [{"expect": "column_values_to_be_in_set", "arguments": {"column": HOSTILE, "value_set": [HOSTILE]}}]
    (folder / "suite.json").write_text(json.dumps(suite))
    return ["expect", str(folder / "x.parquet"), "--suite", str(folder / "suite.json")]


PATHS: dict[str, Callable[[Path], list[str]]] = {
    "explain": of_the_run("explain", "RUN"),
    "report": of_the_run("report", "RUN", "--json"),
    "check a run": of_the_run("check", "RUN"),
    "prove": of_the_run("prove", "RUN"),
    "campaign": lambda folder: [hostile_run(folder / "runs").run and "campaign"],
    "campaign as JSON": lambda folder: [hostile_run(folder / "runs").run and "campaign", "--json"],
    "diff": diff_of_rows,
    "diff as JSON": lambda folder: [*diff_of_rows(folder), "--json"],
    "manifest compare": manifests,
    "manifest as JSON": lambda folder: [*manifests(folder), "--json"],
    "check a history": history,
    "check as JSON": lambda folder: [*history(folder), "--json"],
    "flag board": board,
    "resume": halted,
    "expect": expectations,
    "expect as JSON": lambda folder: [*expectations(folder), "--json"],
    "a usage error": lambda folder: ["catalogue", HOSTILE],
    "a wrong option": lambda folder: ["catalogue", f"--{HOSTILE}"],
    "a file that is away": lambda folder: ["check", HOSTILE, "--as", "register"],
    "an address": lambda folder: ["new", HOSTILE, "new.yaml"],
    "a side": lambda folder: ["diff", HOSTILE, HOSTILE],
}


@pytest.mark.parametrize("path", PATHS)
def test_a_command_prints_hostile_words_as_words(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """No control character, no line of theirs, no crash: whatever the code, it is none of a defect's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAOSDAY_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("CHAOSDAY_HALT", raising=False)
    words = PATHS[path](tmp_path)
    capsys.readouterr()
    code = chaosday(words)
    out, err = capsys.readouterr()
    assert code != 70, err
    assert out + err
    assert not moving(out + err)
    assert not [line for line in (out + err).splitlines() if line.startswith(FORGED)]


def test_the_words_of_a_run_in_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    """Verdict, plan and progress, as ``run``, ``plan``, ``drill`` and ``lab`` show them."""
    from chaosday.judging.verdict import Verdict
    from chaosday.progress import Step, say
    from flows.terminal import show_plan, show_verdict, watching

    directory = hostile_run(tmp_path)
    show_verdict(directory, Verdict.model_validate(directory.read_json("verdict.json")))
    show_plan(directory.read_json("plan.json"), [HOSTILE])
    with watching(quiet=False, title=HOSTILE):
        say(Step("run", "inject", HOSTILE))
    out, err = capsys.readouterr()
    assert "[/x]" in out and "[/x]" in err
    assert not moving(out + err)
    assert not [line for line in (out + err).splitlines() if line.startswith(FORGED)]


def test_the_files_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Page, JUnit and the pages of many runs: whole, readable, and with no element of theirs."""
    monkeypatch.chdir(tmp_path)
    directory = hostile_run(tmp_path / "runs")
    assert chaosday(["report", str(directory.path), "--junit", "out.xml"]) == 0, capsys.readouterr().err
    xml.parse(tmp_path / "out.xml")
    assert chaosday(["campaign", str(tmp_path / "runs"), "--html", "campaign.html"]) == 0
    for page in (directory.path / "report.html", tmp_path / "campaign.html", tmp_path / "out.xml"):
        text = page.read_text()
        assert not moving(text), page
        assert "<b>x</b>" not in text and 'href="http://evil' not in text and 'src="http://evil' not in text


def test_the_artifacts_of_a_run(tmp_path: Path) -> None:
    """Rendered as Prefect's UI does, Markdown of ours has no link, image, tag or line of theirs."""
    from chaosday.reporting.page import markdown
    from chaosday.reporting.plan_page import plan_markdown

    directory = hostile_run(tmp_path)
    for text in (markdown(directory), plan_markdown(directory.read_json("plan.json"), [HOSTILE])):
        assert not moving(text)
        around = re.sub(r"(?ms)^(`{3,})sh$.*?^\1$", "", text)
        assert not re.search(r"(?<!\\)\]\(|(?<!\\)!\[|<b>|(?<![:\\])//evil|www\.", around)
        assert not [line for line in around.splitlines() if line.startswith((FORGED, f"- {FORGED}"))]
        rows = [re.findall(r"(?<!\\)\|", line) for line in around.splitlines() if line.startswith("|")]
        assert {len(bars) for bars in rows} <= {3, 4, 5, 6}


@pytest.mark.kernel
def test_each_place_has_its_own_escape() -> None:
    """One example of each kind, as it is shown."""
    assert printable("a\x1b[31m\x9b\u202e\U000e0041\ud800\n\tb") == "a\\x1b[31m\\x9b\\u202e\\U000e0041\\ud800\n\tb"
    assert printable("日本 👩\u200d🔬 é") == "日本 👩\u200d🔬 é"
    assert one_line("a\r\nb\u2028c") == "a\\x0d b\\u2028c"
    assert in_markdown("1. [l](http://e) <b> a|b") == r"1\. \[l\]\(http:&#47;/e\) &lt;b&gt; a\|b"
    assert fenced("a\n```\nb", "sh") == ["````sh", "a", "```", "b", "````"]
    assert json.loads(json_text('"\x9b\u202e\U000e0041é"')) == "\x9b\u202e\U000e0041é"


@pytest.mark.kernel
@settings(deadline=None)
@given(st.text())
def test_no_text_moves_a_terminal_or_is_lost(text: str) -> None:
    """Whatever it is, rich shows it as it is, JSON says the same again, and XML can hold it."""
    assert not moving(printable(text))
    assert plain(text).plain == printable(text)
    escaped = json_text(json.dumps(text, ensure_ascii=False))
    assert json.loads(escaped) == text and not moving(escaped)
    element = xml.Element("a")
    element.text = printable(text)
    assert xml.fromstring(xml.tostring(element)).text == (printable(text) or None)


@pytest.mark.kernel
@settings(deadline=None)
@given(st.text(alphabet="[]/\\:abol=\x1b*", max_size=30))
def test_a_console_takes_nothing_for_markup(text: str) -> None:
    """Brackets, backslashes and emoji names come out as they went in."""
    screen = console()
    with screen.capture() as captured:
        screen.print(plain(text), soft_wrap=True)
    assert captured.get() == printable(text) + "\n"
