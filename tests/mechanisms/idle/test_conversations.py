"""A proxy without a fault is not noticed: the same bytes arrive, and connections end as they do directly."""

from __future__ import annotations

import pytest

from tests.mechanisms.idle.compare import Leads, differences
from tests.mechanisms.idle.conversations import HTTP, TCP
from tests.mechanisms.idle.script import listening_on, play

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("case", list(HTTP))
def test_the_http_proxy_is_not_noticed(through_http: Leads, case: str) -> None:
    """HTTP/1.1 with all its corners, other protocols, and every way to end a connection."""
    assert differences(HTTP[case], through_http) == []


@pytest.mark.parametrize("case", list(HTTP | TCP))
def test_the_tcp_proxy_is_not_noticed(through_tcp: Leads, case: str) -> None:
    """The same, and what only TCP has."""
    assert differences((HTTP | TCP)[case], through_tcp) == []


def test_a_difference_is_seen(through_tcp: Leads) -> None:
    """A way that changes one byte is told from one that changes none."""
    with listening_on() as listening:
        honest = play(HTTP["one question"], listening, listening.getsockname(), 60)
    assert honest == ["0> as sent", "1< as sent", "2> b'' then FIN", "3< b'' then FIN"]
    with listening_on() as elsewhere:
        lost = differences(HTTP["one question"], lambda _: elsewhere.getsockname(), 0.5)
    assert lost == ["0> as sent | through the proxy the server never saw the client"]
