"""The halt switch: on is on, away is off, and unreadable is on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaosday.errors import UsageError
from chaosday.safety.halting import HaltFile, HaltReading, HaltWatch, halted_by

pytestmark = pytest.mark.kernel


def test_halt_and_resume(tmp_path: Path) -> None:
    """Thrown by one and seen by all, with the reason; taken back, it is off."""
    switch = HaltFile(tmp_path / "HALT")
    assert not switch.reading().halted
    switch.halt("a customer called")
    assert "a customer called" in halted_by([HaltFile(tmp_path / "HALT")])
    assert switch.resume() and not switch.resume()
    assert halted_by([switch]) == ""


def test_what_cannot_be_read_is_halted(tmp_path: Path) -> None:
    """A folder in its place, a pipe that nobody fills, a link that leads nowhere, and a share that is offline."""
    folder, pipe, link = tmp_path / "folder", tmp_path / "pipe", tmp_path / "link"
    folder.mkdir()
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "nowhere")
    for path in (folder, pipe, link, tmp_path / "offline" / "HALT", link / "HALT"):
        assert HaltFile(path).reading().halted, path


@pytest.mark.parametrize(
    "content", ["", " \n", "{", "null", "[]", "{}", '""', "0", "false", '{"why": "", "by": "ada"}']
)
def test_whatever_it_holds_a_switch_that_is_there_is_on(tmp_path: Path, content: str) -> None:
    """Only its absence means not halted: somebody who touched the file meant something by it."""
    (tmp_path / "HALT").write_text(content)
    assert halted_by([HaltFile(tmp_path / "HALT")])


@pytest.mark.parametrize("why", ["", " ", "\n\t"])
def test_an_empty_reason_is_refused(tmp_path: Path, why: str) -> None:
    """Whoever finds everything halted would not know by what; nothing is thrown."""
    switch = HaltFile(tmp_path / "HALT")
    with pytest.raises(UsageError, match="say why"):
        switch.halt(why)
    assert not switch.reading().halted


def test_the_watch_stops_a_run_once(tmp_path: Path) -> None:
    """A switch thrown while it is watched stops the run, with its words."""
    switch, stopped = HaltFile(tmp_path / "HALT"), []
    watch = HaltWatch([switch], stopped.append, every_s=0.01)
    watch.start()
    switch.halt("now")
    until = time.monotonic() + 120
    while not stopped and time.monotonic() < until:
        time.sleep(0.01)
    watch.stop()
    assert len(stopped) == 1 and "now" in stopped[0]


def test_the_default_switch_lies_with_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of runs yet is nothing halted; a named switch without its folder is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAOSDAY_HALT", raising=False)
    monkeypatch.setenv("CHAOSDAY_RUNS", str(tmp_path / "none"))
    assert HaltFile().reading() == HaltReading(halted=False)
    monkeypatch.setenv("CHAOSDAY_HALT", str(tmp_path / "gone" / "HALT"))
    assert HaltFile().reading().halted


def test_the_commands(tmp_path: Path) -> None:
    """halt needs a reason, resume says what it took back."""

    def chaosday(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CHAOSDAY_RUNS": str(tmp_path / "runs")}
        command = [sys.executable, "-m", "chaosday", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert chaosday("halt").returncode == 64
    assert chaosday("halt", " ").returncode == 64
    assert chaosday("halt", "fire drill").returncode == 0
    assert "fire drill" in chaosday("resume").stdout
    assert chaosday("resume").stdout.strip() == "nothing was halted"
