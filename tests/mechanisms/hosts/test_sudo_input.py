"""What sudo leaves of its standard input is the command's; the password is not."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from chaosday.mechanisms.hosts.ssh import as_root
from tests.attackers import needs_root

PASSWORD = "canary-4d1f secret"
UNDO = "#!/bin/sh\n  touch 'a b' \\\n\nlast line without an end"


@needs_root
@pytest.mark.skipif(shutil.which("sudo") is None, reason="sudo is not installed")
def test_a_password_that_is_not_asked_for_is_no_input() -> None:
    """Root is asked for none, as with NOPASSWD: what arrives is what was sent, byte for byte."""
    command, before = as_root("sh -c 'cat; echo; tr \\\\0 \\\\n < /proc/$$/environ'", PASSWORD)
    done = subprocess.run(["sh", "-c", command], input=before + UNDO, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(UNDO)
    assert PASSWORD not in done.stdout + command


def test_without_a_password_nothing_is_put_before() -> None:
    """And sudo is told not to ask."""
    assert as_root("sh -c true", "") == ("sudo -n -- sh -c true", "")
