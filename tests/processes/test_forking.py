"""A run that is forked where imports end is what a fresh process is, as far as a script can see it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from chaosday.errors import Unavailable
from chaosday.processes.connect_gate import supported
from chaosday.processes.forking import Forked, ForkServer, program_of
from chaosday.processes.tree import MARK, Tree, marked
from tests.processes.test_tree import connecting, door, ended

__all__ = ["door"]
pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(supported()), reason=supported())]
LOOK = f"""
import atexit, inspect, json, os, pickle, subprocess, sys

class Row:
    pass

atexit.register(print, "the end")
main = sys.modules["__main__"]
environ = open("/proc/self/environ").read().split("\\0")
child = subprocess.run(["cat", "/proc/self/environ"], capture_output=True, text=True).stdout.split("\\0")
print(json.dumps({{
    "argv": sys.argv, "orig_argv": sys.orig_argv, "name": __name__, "file": __file__, "path": sys.path,
    "spec": getattr(__spec__, "name", None), "package": __package__, "names": sorted(vars(main)),
    "folder": os.getcwd(), "flags": list(sys.flags), "leads": os.getpid() == os.getsid(0),
    "mark": [os.environ["{MARK}"], [e for e in environ if e.startswith("{MARK}")],
             [e for e in child if e.startswith("{MARK}")]],
    "descriptors": sorted(fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{{fd}}")),
    "stdin": os.readlink("/proc/self/fd/0"), "row": pickle.loads(pickle.dumps(Row())).__class__.__module__,
    "source": inspect.getsource(Row).strip(), "encoding": sys.stdout.encoding, "lines": sys.stdout.line_buffering,
}}))
"""


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Path]:
    """A folder for ``job.py`` and its output; nothing of a server of it is left."""
    yield tmp_path
    assert not marked(f"test-{tmp_path.name[-20:]}")


def begun(folder: Path, *command: str, forks: ForkServer | None = None) -> Tree:
    (folder / "log").unlink(missing_ok=True)
    started = Tree(command, folder, dict(os.environ), folder / "log", f"test-{folder.name[-20:]}", forks)
    started.start(lambda address: False)
    return started


def server(folder: Path, *command: str) -> ForkServer:
    program = program_of(command, folder, os.environ["PATH"])
    assert program is not None
    return ForkServer(program, folder, dict(os.environ))


@pytest.mark.parametrize(
    "command", [("job.py", "a", "-b"), ("-m", "job", "a"), ("{folder}/job.py",)], ids=["script", "module", "absolute"]
)
def test_a_script_sees_no_difference(script: Path, command: tuple[str, ...]) -> None:
    """Its arguments, names, path, folder, environment, descriptors, output and end are those of a fresh process."""
    (script / "job.py").write_text(LOOK)
    whole = [sys.executable, *(word.format(folder=script) for word in command)]
    forks = server(script, *whole)
    said = []
    try:
        for of in (None, forks):
            tree = begun(script, *whole, forks=of)
            assert ended(tree) == 0, tree.output()
            assert isinstance(tree._process, Forked) is (of is not None)
            assert tree.end() == []
            said.append((script / "log").read_text())
    finally:
        forks.close()
    fresh, forked = (json.loads(text.splitlines()[0]) for text in said)
    assert forked == fresh
    assert said[1].endswith("the end\n") and forked["mark"][2] == [f"{MARK}=test-{script.name[-20:]}"]


@pytest.mark.parametrize(
    ("ends", "code"),
    [("sys.exit(3)", 3), ("1/0", 1), ("os._exit(4)", 4), ("os.kill(os.getpid(), 9)", -9), ("sys.exit('no')", 1)],
)
def test_it_ends_as_it_would(script: Path, ends: str, code: int) -> None:
    """By whatever code or signal."""
    (script / "job.py").write_text(f"import os, sys\n{ends}\n")
    forks = server(script, sys.executable, "job.py")
    try:
        tree = begun(script, sys.executable, "job.py", forks=forks)
        assert (ended(tree), tree.end()) == (code, [])
    finally:
        forks.close()


def test_each_run_is_watched_and_ended_alone(script: Path, door: str) -> None:
    """Connections of a run are its own, two run beside each other, and a killed one takes its children with it."""
    (script / "job.py").write_text(
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {connecting(door)[2]!r}], check=True)\n"
        "print('there', flush=True)\nsubprocess.run(['sleep', '600'])\n"
    )
    forks = server(script, sys.executable, "job.py")
    try:
        first = begun(script, sys.executable, "job.py", forks=forks)
        while "there" not in first.output():
            assert first.code is None
        other = Tree([sys.executable, "-c", "pass"], script, dict(os.environ), script / "other", "test-other", None)
        other.start(lambda address: False)
        assert ended(other) == 0 and other.end() == []
        # It says so before its child has begun.
        until = time.monotonic() + 60
        while len(first.living()) != 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(first.living()) == 2
        first.kill()
        assert first.code == -9 and dict(first.gate.opened) == {door: 1}
    finally:
        forks.close()


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_imports_leave_is_said(script: Path) -> None:
    """Threads do not live on in a child, a file would be shared, a process is nobody's, and a variable is read by those
    who come first; what cannot be imported is left out. A process that is left ends with the server."""
    (script / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=[60], daemon=True).start()"
    )
    (script / "opens.py").write_text("kept = open('kept', 'w')")
    (script / "begins.py").write_text("import subprocess\nbegun = subprocess.Popen(['sleep', '600'])")
    (script / "sets.py").write_text("import os\nos.environ['CANARY'] = 'secret'")
    (script / "job.py").write_text("")
    (script / "names").write_text("json\nno_such_module\n")
    (script / "bad").write_text("threaded\nopens\nbegins\nsets\n")
    os.environ["PYTHONPATH"], before = str(script), os.environ.get("PYTHONPATH")
    forks = server(script, sys.executable, "job.py")
    try:
        assert forks.preload(script / "names", script) == []
        assert forks.preload(script / "bad", script) == [
            "1 thread", "1 process", "another value of CANARY", f"an open {script}/kept",
        ]  # fmt: skip
        (child,) = psutil.Process(forks._process.pid).children()
    finally:
        forks.close()
        until = time.monotonic() + 60
        while _runs(child) and time.monotonic() < until:
            time.sleep(0.01)
        assert not _runs(child)
        os.environ.pop("PYTHONPATH")
        os.environ |= {"PYTHONPATH": before} if before is not None else {}


def test_a_server_that_is_gone_is_done_without(script: Path) -> None:
    """The run begins as ever; a server that cannot start says so."""
    (script / "job.py").write_text("print('well')")
    forks = server(script, sys.executable, "job.py")
    forks.close()
    tree = begun(script, sys.executable, "job.py", forks=forks)
    assert ended(tree) == 0 and tree.output() == "well" and not isinstance(tree._process, Forked)
    tree.end()
    program = program_of([sys.executable, "job.py"], script, "")
    assert program is not None
    with pytest.raises(Unavailable):
        ForkServer(program, script, {**os.environ, "PYTHONHOME": "/nowhere"})


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (["python3", "job.py", "x"], ("job.py", ("x",), False)),
        (["python3", "-m", "job", "x"], ("job", ("x",), True)),
        (["python3", "-O", "job.py"], None),
        (["python3", "-c", "pass"], None),
        (["python3", "gone.py"], None),
        (["python3"], None),
        (["tool", "x"], ("{folder}/tool", ("x",), False)),
        (["shell"], None),
        (["no-such-program"], None),
    ],
)
def test_which_commands_are_plainly_pythons(
    tmp_path: Path, command: list[str], found: tuple[str, tuple[str, ...], bool] | None
) -> None:
    """A script or a module, and a program whose first line names the interpreter; with options it is left alone."""
    for name, first in (("job.py", ""), ("tool", f"#!{sys.executable}\n"), ("shell", "#!/bin/sh\n")):
        (tmp_path / name).write_text(first)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "python3").symlink_to(os.path.realpath(sys.executable))
    program = program_of(command, tmp_path, str(tmp_path))
    assert (program and (program.script.replace(str(tmp_path), "{folder}"), program.arguments, program.module)) == found
