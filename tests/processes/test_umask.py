"""A run's files are its owner's alone, a fence is everybody's, and no thread loosens or tightens another's."""

from __future__ import annotations

import stat
from contextlib import ExitStack
from pathlib import Path

import pytest

from chaosday.processes.umask import GIVEN, TOLD, appended_as_given, folder_as_given, given, ours_alone

pytestmark = pytest.mark.kernel


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_runs_that_overlap_leave_the_umask_as_it_was(tmp_path: Path) -> None:
    """The first to begin may be the first to end: the other's files stay closed, and afterwards all is as before."""
    one, other = ExitStack(), ExitStack()
    one.enter_context(ours_alone())
    other.enter_context(ours_alone())
    one.close()
    (tmp_path / "of the other").touch()
    other.close()
    (tmp_path / "afterwards").touch()
    assert mode(tmp_path / "of the other") == 0o600
    assert mode(tmp_path / "afterwards") == 0o666 & ~GIVEN


@pytest.mark.parametrize(("told", "is_given"), [("027", 0o27), ("000", 0), ("", GIVEN), ("89", GIVEN), ("-7", GIVEN)])
def test_a_strict_program_tells_whose_umask_it_was(told: str, is_given: int) -> None:
    """What its children give to others is as open as whoever started it lets it be; nonsense says nothing."""
    assert given({TOLD: told} if told else {}) == is_given


def test_what_is_shared_has_its_mode_while_a_run_lives(tmp_path: Path) -> None:
    """A folder of fences and a fence in it are as open as whoever started us lets them be; one that is there stays."""
    with ours_alone():
        folder_as_given(tmp_path / "a" / "b")
        for content in (b"one", b"two"):
            with appended_as_given(tmp_path / "a" / "b" / "fence") as file:
                file.write(content)
        (tmp_path / "ours").touch()
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b")] == [0o777 & ~GIVEN] * 2
    assert mode(tmp_path / "a" / "b" / "fence") == 0o666 & ~GIVEN
    assert (tmp_path / "a" / "b" / "fence").read_bytes() == b"onetwo"
    assert mode(tmp_path / "ours") == 0o600
    (tmp_path / "a" / "b" / "fence").chmod(0o640)
    with appended_as_given(tmp_path / "a" / "b" / "fence"):
        pass
    assert mode(tmp_path / "a" / "b" / "fence") == 0o640
