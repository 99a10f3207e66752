"""Programs that somebody lays in our way, by a folder, a file or the words of some evidence, are not run."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.errors import ChaosdayError, MalformedInput, Refused
from chaosday.mechanisms.application import hook
from chaosday.mechanisms.application.switch import SwitchFile
from chaosday.mechanisms.hosts.postgres_tools import checked_slice
from chaosday.mechanisms.proxy.client import ProxyProcess
from chaosday.model.lease import Lease, Undo
from chaosday.record.journal import Journal
from chaosday.undo.watchdog import Watchdog
from tests.attackers import needs_root, shared_folder, stranger

pytestmark = pytest.mark.lab


@pytest.fixture
def shared() -> Iterator[Path]:
    with shared_folder() as folder:
        yield folder


def test_no_child_takes_modules_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchdog and proxies, started in a folder that holds modules named as those of the standard library."""
    canary = tmp_path / "canary"
    here = tmp_path / "here"
    here.mkdir()
    for name in ("argparse", "json", "asyncio", "pydantic", "chaosday"):
        (here / f"{name}.py").write_text(f"open({str(canary)!r}, 'w')\nraise SystemExit(1)\n")
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend("")
    monkeypatch.syspath_prepend(str(here))
    path = tmp_path / "run" / "journal.jsonl"
    Journal.create(path, "run").close()
    Watchdog.start("run", path).close()
    ProxyProcess.start(tmp_path / "proxy" / "state").close()
    assert not canary.exists()


@pytest.mark.parametrize("error", ["os.system", "subprocess.getoutput", "builtins.eval", "antigravity.x", "int"])
def test_only_exceptions_are_raised(tmp_path: Path, error: str) -> None:
    """A rule that names any other callable, or a module not imported, raises a RuntimeError and calls nothing."""
    made = hook._error({"error": error, "message": f"touch {tmp_path}/canary"})
    assert type(made) is RuntimeError
    assert not (tmp_path / "canary").exists()
    assert "antigravity" not in sys.modules


@needs_root
def test_a_switch_that_others_may_write_is_not_obeyed(shared: Path, tmp_path: Path) -> None:
    """Planted in a shared folder, by a link, or in a folder of ours that is open: no rules; and we write none there."""
    rules = json.dumps({"rules": [{"id": "r", "at": "m:f", "effect": "raise", "until": 9e9}]})
    assert stranger('printf %s "$2" > "$1"', shared / "planted", rules).returncode == 0
    (tmp_path / "good").write_text(rules)
    (tmp_path / "link").symlink_to(shared / "planted")
    assert [len(hook._read(str(path))) for path in (tmp_path / "good", tmp_path / "link", shared / "planted")] == [
        1,
        0,
        0,
    ]
    (shared / "ours").write_text(rules)
    assert hook._read(str(shared / "ours")) == []
    with pytest.raises(Refused, match="folder"):
        SwitchFile(shared / "ours", os.getpid()).arm(
            Lease(id="cd-switch-01", run="r", fault="f", target="t", undo=Undo(), ttl_s=9)
        )


def test_evidence_names_no_program_and_no_place(tmp_path: Path) -> None:
    """``prove`` runs the programs of this machine on pages that stay in its own folder, whatever the evidence says."""
    evil = tmp_path / "bin"
    evil.mkdir()
    (evil / "pg_checksums").write_text(f"#!/bin/sh\ntouch {tmp_path}/canary\n")
    (evil / "pg_checksums").chmod(0o755)
    kept = {"pg_version": "15", "control": "", "relation": "base/1/2"}
    said = {"bin_directory": str(evil), "version": "x", "slice": kept}
    (tmp_path / "one").mkdir()
    with contextlib.suppress(ChaosdayError):  # no PostgreSQL on this machine
        checked_slice(said, b"", tmp_path / "one")
    assert not (tmp_path / "canary").exists()
    for number, place in enumerate((str(tmp_path / "outside"), "../outside", "base/../../outside", "base/1/2\n")):
        (tmp_path / f"into{number}").mkdir()
        with pytest.raises(MalformedInput):
            checked_slice({**said, "slice": {**kept, "relation": place}}, b"evil", tmp_path / f"into{number}")
    assert not (tmp_path / "outside").exists()
