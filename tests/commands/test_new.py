"""A first experiment is written, readable, and for the system that was named."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosday.drills.starter import starter
from chaosday.errors import UsageError
from chaosday.model.experiment import load
from tests.commands.test_bad_input import CANARY, chaosday

pytestmark = pytest.mark.kernel
READY = Path(__file__).resolve().parent.parent.parent / "deployments" / "experiments" / "your-postgresql.yaml"


def test_the_file_among_the_deployments_is_the_same() -> None:
    """There is one first experiment, not two that drift apart."""
    assert starter("postgresql://postgres@127.0.0.1:5432/postgres") == READY.read_text()


def test_it_is_for_the_system_that_was_named(tmp_path: Path) -> None:
    """Host, port, account and database are those of the address; an existing file is never written over."""
    done = chaosday("new", "postgresql://app@db.example.org:5444/orders", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    database = load(tmp_path / "mine.yaml").targets["database"]
    assert database.name() == "app@db.example.org:5444/orders"  # type: ignore[attr-defined]
    again = chaosday("new", "postgresql://app@db.example.org/orders", "mine.yaml", cwd=tmp_path)
    assert (again.returncode, len(again.stderr.splitlines())) == (64, 1)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mysql://app@db/orders", "postgresql://user@host"),
        ("db.example.org", "postgresql://user@host"),
        ("postgresql://app@db:port/orders", "postgresql://user@host"),
        (f"postgresql://app:{CANARY}@db/orders", "leave the password out"),
    ],
)
def test_a_wrong_address_is_one_line(address: str, words: str) -> None:
    """It says how an address is written, and never repeats a password."""
    with pytest.raises(UsageError, match=words) as caught:
        starter(address)
    assert CANARY not in str(caught.value)
