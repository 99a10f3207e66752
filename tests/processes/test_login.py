"""Who we are, where no passwd entry says it: a container's random uid."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.processes.login import cache_folder, expanded, home, state_folder, user_name

UID = 54321
BECOME = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that anybody may write, whoever runs the tests."""
    if subprocess.run([*BECOME, sys.executable, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("becoming somebody else needs root, and an interpreter that everybody may start")
    with tempfile.TemporaryDirectory(prefix="cd-uid-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def as_nobody_known(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The program as a uid without a passwd entry and without $HOME."""
    environment = {"PATH": os.environ["PATH"], **more}
    command = [*BECOME, sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_uid_without_a_name_halts_everything(folder: Path) -> None:
    """The switch is thrown and taken back, and says who threw it as far as anybody can know."""
    halted = as_nobody_known(folder, "-m", "chaosday", "halt", "fire drill")
    assert (halted.returncode, halted.stderr) == (0, "")
    assert f"uid {UID}" in (folder / "chaosday-runs" / "HALT").read_text()
    assert as_nobody_known(folder, "-m", "chaosday", "resume").returncode == 0


def test_a_defect_is_kept_where_there_is_no_home(folder: Path) -> None:
    """The traceback goes to a temporary file of a random name, and the line names it."""
    program = "from chaosday.running.ends import Ending\nwith Ending() as end: 1 / 0\nraise SystemExit(end.code)"
    done = as_nobody_known(folder, "-c", program, TMPDIR=str(folder))
    assert done.returncode == 70
    (kept,) = folder.glob("crash-*.txt")
    assert str(kept) in done.stderr and "ZeroDivisionError" in kept.read_text()


def test_what_needs_a_home_says_what_to_set(folder: Path) -> None:
    """One line each, and no KeyError of the library's."""
    program = (
        "from chaosday.processes import login\nfrom chaosday.errors import CapabilityMissing\n"
        "for ask in (login.home, login.state_folder, login.cache_folder, lambda: login.expanded('~/x')):\n"
        "    try: ask()\n"
        "    except CapabilityMissing as error: print(error)\n"
    )
    done = as_nobody_known(folder, "-c", program)
    assert len(done.stdout.splitlines()) == 4, done.stderr
    assert "HOME=" in done.stdout


@pytest.mark.kernel
def test_where_there_is_a_name_and_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says wins over the passwd entry."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOGNAME", "somebody")
    assert user_name() == "somebody"
    assert (home(), expanded("~/x")) == (tmp_path, tmp_path / "x")
    assert state_folder() == tmp_path / ".local" / "state" / "chaosday"
    assert cache_folder() == tmp_path / "cache" / "chaosday"
