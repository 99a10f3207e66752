"""A shell completes commands and their options."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_that_of_the_shell(shell: str) -> None:
    """What is printed names the program, and the variable by which it is asked again."""
    done = subprocess.run(
        [sys.executable, "-m", "chaosday", "completion", shell], capture_output=True, text=True, check=True
    )
    assert "_CHAOSDAY_COMPLETE" in done.stdout and "chaosday" in done.stdout


@pytest.mark.parametrize(
    ("words", "offered"), [("chaosday cat", "catalogue"), ("chaosday catalogue --j", "--json"), ("chaosday la", "lab")]
)
def test_words_are_completed(words: str, offered: str) -> None:
    """As bash asks for it."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_CHAOSDAY_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-m", "chaosday"], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert f"plain,{offered}" in done.stdout.splitlines()
