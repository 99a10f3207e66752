"""The board keeps what people say, whoever writes at the same time, and refuses what would be worth nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chaosday.cli import run as chaosday
from chaosday.clock import SystemClock
from chaosday.drills.gameday.board import NAME, OVER, Board, action_in
from chaosday.errors import UsageError


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board.create(tmp_path / NAME, "a-day", SystemClock())


def test_many_write_at_once(board: Board) -> None:
    """Ten processes of five notes each: fifty notes, none lost, the chain whole."""
    program = "import sys; from pathlib import Path; from chaosday.drills.gameday.board import Board\n" + (
        "for n in range(5): Board(Path(sys.argv[1])).note(sys.argv[2], str(n))"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(board.path), str(n)]) for n in range(10)]
    assert [writer.wait(120) for writer in writers] == [0] * 10
    notes = board.notes()
    assert {(note.by, note.words) for note in notes} == {(str(by), str(n)) for by in range(10) for n in range(5)}
    assert [note.at_ns for note in notes] == sorted(note.at_ns for note in notes)


def test_the_commands_write_to_it(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    """Claims, notes and action items by the command line; after the end a claim is refused, a note is not."""
    where = ["--run", str(board.path.parent)]
    assert chaosday(["flag", "claim", "localise", "--team", "red", "--where", "db", "rows are gone", *where]) == 0
    assert chaosday(["flag", "note", "they look at the wrong graph", "--by", "ben", *where]) == 0
    assert chaosday(["flag", "action", "alert on NULLs", "--owner", "ada", "--due", "2026-10-01", *where]) == 0
    assert [(c.team, c.stage, c.where, c.words) for c in board.claims()] == [("red", "localise", "db", "rows are gone")]
    assert [(item.owner, item.what, item.due) for item in board.actions()] == [("ada", "alert on NULLs", "2026-10-01")]
    assert chaosday(["flag", "claim", "localise", "--team", "red", *where]) == 64
    board.say(OVER)
    assert chaosday(["flag", "claim", "detect", "--team", "red", *where]) == 69
    assert chaosday(["flag", "note", "late", *where]) == 0 and len(board.notes()) == 2
    assert chaosday(["flag", "board", *where]) == 0
    assert "wrong graph" in capsys.readouterr().out
    assert chaosday(["flag", "note", "x", "--run", str(board.path.parent.parent)]) == 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ada: alert on NULLs by friday", ("ada", "alert on NULLs", "friday")),
        ("ben: write it down", ("ben", "write it down", "")),
        ("everybody should be careful", None),
        (": nobody", None),
    ],
)
def test_an_action_item_has_an_owner(board: Board, text: str, said: tuple[str, str, str] | None) -> None:
    """Somebody's name, or it is refused."""
    if said is None:
        with pytest.raises(UsageError, match="owner"):
            board.act(action_in(text))
        return
    board.act(action_in(text))
    assert [(item.owner, item.what, item.due) for item in board.actions()] == [said]
