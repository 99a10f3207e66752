"""Stands give back what they took, and keep nothing from who uses them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from chaosday.errors import CapabilityMissing
from chaosday.lab.stands import stand
from tests.lab.machine import absent

pytestmark = pytest.mark.lab


def test_an_error_of_who_uses_a_cluster_reaches_them() -> None:
    """A connection that is closed in vain at the end must not hide what went wrong before it."""
    if os.geteuid() != 0:
        absent("a network of one's own needs root")
    folder = Path(tempfile.mkdtemp(prefix="chaosday-stand-"))
    folder.chmod(0o711)
    try:
        with (
            pytest.raises(ConnectionResetError, match="ours"),
            stand("rabbitmq", folder, {"nodes": 2}),
        ):
            raise ConnectionResetError("ours")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_mariadb_leaves_the_temporary_files_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another server of the machine is writing to the system's folder for them is still there afterwards."""
    others = tmp_path / "#sql-temptable-58cf-1-2.MAD"
    others.touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = Path(tempfile.mkdtemp(prefix="chaosday-stand-", dir="/var/tmp"))
    folder.chmod(0o711)
    try:
        with stand("mariadb", folder, {}):
            assert others.exists()
    except CapabilityMissing as error:
        absent(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
