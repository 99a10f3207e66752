"""A stream cut into messages."""

from __future__ import annotations

import random
import struct

import pytest

from chaosday.errors import MalformedInput
from chaosday.mechanisms.wire.messages import Framer, kin

pytestmark = pytest.mark.kernel


def test_messages_are_the_same_however_they_arrive() -> None:
    """Cut at any bytes, the stream gives the same messages in the same order."""
    said = [(tag, bytes([number]) * number) for number, tag in enumerate("QPBDESXd" * 5)]
    stream = b"".join(tag.encode() + struct.pack("!I", 4 + len(body)) + body for tag, body in said)
    dice = random.Random(7)
    for _ in range(50):
        framer, found, at = Framer(), [], 0
        while at < len(stream):
            step = dice.choice((1, 2, 5, 40, 4000))
            found += [(message.tag, message.body) for message in framer.feed(stream[at : at + step])]
            at += step
        assert found == said


def test_what_is_no_message_is_refused() -> None:
    """A length that cannot be is not waited for."""
    with pytest.raises(MalformedInput, match="not PostgreSQL's protocol"):
        list(Framer().feed(b"GET / HTTP/1.1\r\n\r\n"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("insert into t values (1, 'a')", "insert into t\n values (22, 'it''s')", True),
        ("create table load_1719312", "create table load_1719999", True),
        ("insert into t values (1)", "insert into u values (1)", False),
    ],
)
def test_statements_are_kin_whatever_literals_they_carry(one: str, other: str, same: bool) -> None:
    """Loads that are called after the time are found again in another run."""
    assert (kin(one) == kin(other)) is same
