"""Every end of every command, through the real program: what its exit code is, and that it says so in one line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosday.errors import ChaosdayError
from chaosday.record.journal import open_faults, read
from chaosday.running.ends import ENDS
from tests.running.fork_server import CANARY

ROOT = Path(__file__).resolve().parent.parent.parent
CODES = {end.name: end.code for end in ENDS}
ARGUMENTS = {
    "advise": "redis://127.0.0.1",
    "campaign": "",
    "catalogue": "",
    "check": "FILE --as register",
    "completion": "bash",
    "cover": ".",
    "demo": "",
    "diff": "a.csv b.csv",
    "drill": "FILE",
    "exec": "true",
    "expect": "a.csv --suite FILE",
    "explain": "",
    "explore": "FILE",
    "flag action": "x --owner me",
    "flag board": "",
    "flag claim": "detect --team x",
    "flag note": "x",
    "flag verify": "",
    "gameday": "FILE",
    "halt": "why",
    "http-proxy": "--route a=http://127.0.0.1:1",
    "import": "FILE",
    "init": "new",
    "known": "FILE out",
    "lab": "",
    "manifest check": "FILE .",
    "manifest compare": "FILE FILE",
    "manifest make": ". out",
    "new": "postgresql://127.0.0.1/x new.yaml",
    "outages": "FILE",
    "plan": "FILE",
    "practice access": "--who ada --system x --went promote",
    "practice acknowledged": "--who ada --system x",
    "practice action": "x --owner ada --due 2030-01-01",
    "practice done": "1 --who ada",
    "practice idea": "x --who ada",
    "practice judge": "1 never --who ada",
    "practice paged": "--who ada --system x",
    "practice show": "FILE",
    "practice tabletop": "x --who ada --system x",
    "prove": "FILE",
    "prune": "",
    "reconcile": "postgresql://127.0.0.1:1/a#t postgresql://127.0.0.1:1/b#t",
    "recover": "",
    "report": "FILE",
    "resume": "",
    "run": "FILE",
    "serve": "",
    "tell": "FILE",
    "upgrade": "",
}
"""What each command takes, for its arguments to be in order; FILE is one that is there."""

Answer = tuple[int, str, str]
Program = Callable[..., Answer]


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The program, loaded once; each call is one run of it in a folder of its own."""
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.running.fork_server"],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin is not None and server.stdout is not None
    names = [" ".join(words) for words in json.loads(server.stdout.readline())]
    assert names == sorted(ARGUMENTS), "a new command needs a line in ARGUMENTS"

    def called(words: list[str], folder: Path, **case: Any) -> Answer:
        (folder / "FILE").write_text("{}")
        asked = {
            "words": words,
            "folder": str(folder),
            "do": "",
            "out": str(folder / ".out"),
            "err": str(folder / ".err"),
        }
        server.stdin.write(json.dumps({**asked, **case}) + "\n")  # type: ignore[union-attr]
        server.stdin.flush()  # type: ignore[union-attr]
        code = int(server.stdout.readline())  # type: ignore[union-attr]
        out = (folder / ".out").read_text() if "out" not in case else ""
        return code, out, (folder / ".err").read_text()

    yield called
    server.stdin.close()
    server.wait(120)


def words_of(name: str) -> list[str]:
    """The command line that has nothing wrong with it."""
    return [*name.split(), *ARGUMENTS[name].split()]


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_defect_of_ours_is_70_and_keeps_its_traceback_without_secrets(
    forks: Program, name: str, tmp_path: Path
) -> None:
    """One line that names the file; the traceback is in there; the secret is in neither."""
    code, out, err = forks(words_of(name), tmp_path, do="raise")
    assert (code, out) == (CODES["defect"], "")
    (line,) = err.splitlines()
    found = re.search(r"its traceback is in (\S+);", line)
    assert found is not None, line
    kept = Path(found[1])
    assert "in _raising" in kept.read_text()
    assert "Traceback" not in line
    assert CANARY not in line + kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_defect_inside_a_run_is_kept_with_the_run(forks: Program, tmp_path: Path) -> None:
    """While a fault is on: it is undone, the run is judged and told, and the traceback lies with its evidence."""
    code, out, err = forks(words_of("run"), tmp_path, do="run")
    assert (code, out) == (CODES["defect"], "")
    (run,) = (path.parent for path in (tmp_path / "runs").glob("*/journal.jsonl"))
    kept = run / "crash.txt"
    assert f"its traceback is in {kept.relative_to(tmp_path)};" in err and len(err.splitlines()) == 1
    assert "in observe" in kept.read_text() and CANARY not in err + kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
    journal = read(run / "journal.jsonl")
    assert "injected" in [record.event for record in journal.records] and open_faults(journal) == []
    assert {path.read_text() for path in (tmp_path / "victims").glob("*.csv")} == {f"{n},x\n" * 300 for n in range(3)}
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["outcome"] == "inconclusive" and "ended by ValueError" in " ".join(verdict["reasons"])
    assert (run / "report.html").is_file()


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_wrong_option_is_64(forks: Program, name: str, tmp_path: Path) -> None:
    """One line that names the option."""
    code, out, err = forks([*name.split(), "--no-such-option"], tmp_path)
    assert (code, out) == (CODES["usage"], "")
    assert len(err.splitlines()) == 1 and "--no-such-option" in err


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_output_that_is_full_is_74(forks: Program, name: str, tmp_path: Path) -> None:
    """Words that could not be written are missed in one line."""
    code, _, err = forks([*name.split(), "--help"], tmp_path, out="/dev/full")
    assert (code, err) == (CODES["unwritable"], "chaosday: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_signal_is_128_and_its_number(forks: Program, name: str, number: signal.Signals, tmp_path: Path) -> None:
    """Whatever a command is at: it says by which signal it ended."""
    code, _, err = forks(words_of(name), tmp_path, do="wait", signal=number)
    assert code == 128 + number == CODES[number.name]
    assert err.strip() == f"chaosday: stopped by {number.name}"


def program(*words: str, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """The program as a user starts it."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **more}
    environment = {**os.environ, "HOME": str(cwd), "CHAOSDAY_RUNS": str(cwd / "runs"), **streams.pop("env", {})}
    command = [sys.executable, "-m", "chaosday", *words]
    return subprocess.run(command, cwd=cwd, env=environment, text=True, check=False, timeout=120, **streams)


def test_a_reader_that_went_away_is_141_and_nothing_is_said(tmp_path: Path) -> None:
    """``chaosday catalogue | head``: not 0, which would be a verdict's, and no word."""
    reader, writer = os.pipe()
    os.close(reader)
    done = program("catalogue", cwd=tmp_path, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (CODES["SIGPIPE"], "")


def test_a_table_that_nobody_reads_is_141_too(tmp_path: Path) -> None:
    """Tables are drawn by a library that would end the program with 1, which is a verdict."""
    (tmp_path / "table.py").write_text(
        "import sys\n"
        "from chaosday.reporting.terminal import console\n"
        "from chaosday.running.ends import Ending\n"
        "with Ending() as end:\n"
        "    console().print('a table')\n"
        "sys.exit(end.code)\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, str(tmp_path / "table.py")]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (CODES["SIGPIPE"], "")


def test_a_closed_output_takes_no_evidence_with_it(tmp_path: Path) -> None:
    """With standard output closed, the next file that is opened is not written into by what is printed."""
    script = f'exec "$0" -m chaosday new --unseen postgresql://127.0.0.1/x {tmp_path}/new.yaml >&-'
    done = subprocess.run(["sh", "-c", script, sys.executable], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "is written" not in (tmp_path / "new.yaml").read_text()


def test_a_run_that_cannot_keep_evidence_is_74(tmp_path: Path) -> None:
    """A runs folder that is none: one line, before anything is reached."""
    (tmp_path / "runs").write_text("a file")
    done = program("lab", "replica lag", cwd=tmp_path)
    assert done.returncode == CODES["unwritable"]
    assert len(done.stderr.splitlines()) == 1 and "runs" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of one's own needs root")
@pytest.mark.parametrize(
    ("words", "place"),
    [(["lab", "replica lag"], "runs"), (["expect", "../a.csv", "--profile", "p.json"], "p.json")],
    ids=["a run", "an output"],
)
def test_a_read_only_file_system_is_74(words: list[str], place: str, tmp_path: Path) -> None:
    """Nothing can be written there: one line that names what, before anything is reached."""
    (tmp_path / "a.csv").write_text("id,v\n1,2\n")
    (tmp_path / "disk").mkdir()
    mounted = f'mount -t tmpfs -o ro none {tmp_path}/disk && cd {tmp_path}/disk && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounted, "sh", sys.executable, "-m", "chaosday", *words],
        env={**os.environ, "HOME": str(tmp_path), "CHAOSDAY_RUNS": str(tmp_path / "disk" / "runs")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == CODES["unwritable"], done.stderr
    assert len(done.stderr.splitlines()) == 1 and place in done.stderr and "ead-only file system" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["diff", "postgresql://x@127.0.0.1:1/db#t", "postgresql://x@127.0.0.1:1/db#u"], "unavailable"),
        (["expect", "postgresql://x@127.0.0.1:1/db#t", "--profile", "p.json"], "unavailable"),
        (["manifest", "make", "nowhere", "out"], "unavailable"),
        (["manifest", "make", ".", "nowhere/out"], "usage"),
        (["report", "nowhere"], "usage"),
        (["campaign", "nowhere"], "usage"),
        (["explain"], "usage"),
        (["new", "postgresql://127.0.0.1/x", "nowhere/new.yaml"], "usage"),
        (["run", "."], "usage"),
        (["http-proxy", "--route", "a=http://127.0.0.1:1", "--listen", "b=127.0.0.1:0"], "usage"),
        (["halt", "why"], "pass"),
        (["diff", "a.csv", "b.csv"], "violated"),
        (["diff", "a.csv", "empty.csv", "-k", "id"], "violated"),
        (["diff", "a.csv", "a.csv", "-k", "id"], "pass"),
        (["expect", "empty.csv", "--suite", "suite.json"], "inconclusive"),
        (["expect", "a.csv", "--profile", "/dev/full"], "unwritable"),
    ],
    ids=" ".join,
)
def test_each_end_means_one_thing(words: list[str], code: str, tmp_path: Path) -> None:
    """What cannot be reached is 69, what cannot be is 64, and 0 to 2 are answers."""
    (tmp_path / "a.csv").write_text("id,v\n1,2\n")
    (tmp_path / "b.csv").write_text("id,v\n1,3\n")
    (tmp_path / "empty.csv").write_text("id,v\n")
    (tmp_path / "suite.json").write_text("[]")
    done = program(*words, cwd=tmp_path)
    assert done.returncode == CODES[code], done.stderr
    assert len(done.stderr.splitlines()) == (CODES[code] > 3)


def test_every_error_of_ours_has_an_end(tmp_path: Path) -> None:
    """No class of error ends a program with a code that the table does not know, or with a verdict's."""

    def below(kind: type[ChaosdayError]) -> Iterator[type[ChaosdayError]]:
        yield kind
        for each in kind.__subclasses__():
            yield from below(each)

    assert {kind.exit_code for kind in below(ChaosdayError)} <= {64, 69, 74}


def test_the_table_of_the_documentation_is_the_programs() -> None:
    """docs/exit-codes.md and ``chaosday --help`` list the same ends."""
    rows = re.findall(
        r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|", (ROOT / "docs" / "exit-codes.md").read_text(), re.MULTILINE
    )
    assert [(int(code), name.strip("` "), when.strip()) for code, name, when in rows] == [
        (end.code, end.name, end.when) for end in ENDS
    ]
