"""``chaosday cover``: it passes everything through, and is gone with whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.test_bad_input import chaosday
from tests.lab.machine import absent

pytestmark = pytest.mark.lab


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with something in it."""
    if os.geteuid() != 0:
        absent("covering a directory needs root")
    with tempfile.TemporaryDirectory(prefix="cd-cover-") as name:
        (Path(name) / "there").write_text("before")
        yield Path(name)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_goes_with_its_process(place: Path, end: signal.Signals) -> None:
    """Covered it reads and writes as before; interrupted, ended or killed, nothing of it is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chaosday", "cover", str(place)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert "is covered" in said
    control = Path("/run") / said.partition("(")[2].partition(")")[0]
    assert control.is_dir()
    assert place.is_mount()
    assert (place / "there").read_text() == "before"
    (place / "new").write_text("written through")
    process.send_signal(end)
    process.wait(120)
    assert process.returncode == (-end if end is signal.SIGKILL else 128 + end)
    until = time.monotonic() + 120
    while place.is_mount() or control.exists():
        assert time.monotonic() < until, "still covered"
        time.sleep(0.05)
    assert (place / "new").read_text() == "written through"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """One line, 64, nothing mounted."""
    done = chaosday("cover", str(tmp_path / "nowhere"), cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (64, 1)
