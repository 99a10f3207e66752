"""The test command waits for what it needs before its first test, whoever installs that."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from scripts import check


@pytest.mark.parametrize(("ends", "code"), [("true", 0), ("(exit 3)", 3), ("exit 100", 100)])
def test_an_installation_that_ended_before_it_is_waited_for_is_known(
    ends: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is a file's, so a shell that took its child's end long ago loses nothing."""
    ended = tmp_path / "of it" / "code"
    ended.parent.mkdir()
    trap = f'trap \'echo $? >"{ended}.part" && mv "{ended}.part" "{ended}"\' EXIT'
    subprocess.run(["sh", "-euc", f"( {trap}; {ends} ) & sleep 0.1; true"], check=True)
    monkeypatch.setenv("CHAOSDAY_PACKAGES_ENDED", str(ended))
    assert check.packages() == code
    assert not ended.parent.exists()


def test_an_installation_that_still_runs_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first test comes after the last package."""
    ended = tmp_path / "of it" / "code"
    ended.parent.mkdir()
    monkeypatch.setenv("CHAOSDAY_PACKAGES_ENDED", str(ended))
    later = threading.Timer(0.3, lambda: ended.write_text("0\n"))
    later.start()
    assert check.packages() == 0
    later.join()


def test_without_an_installation_there_is_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's `./run test` installs no package of the distribution."""
    monkeypatch.delenv("CHAOSDAY_PACKAGES_ENDED", raising=False)
    assert check.packages() == 0
