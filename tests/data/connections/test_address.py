from __future__ import annotations

import pytest

from chaosday.data.connections.address import Address
from chaosday.data.reconcile.sides import Side
from chaosday.errors import UsageError

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "hosts", "database"),
    [("postgresql://u:p@h:5/d", (("h", 5),), "d"), ("postgresql:///d?host=/run", (), "d"),
     ("postgresql://[::1]:5/d", (("::1", 5),), "d"), ("postgresql://[::1]/d", (("::1", None),), "d"),
     ("postgresql://%2Frun%2Fpg/d", (("/run/pg", None),), "d"), ("mysql://u:a%40b@h/d", (("h", None),), "d"),
     ("postgresql://a:1,b:2/d?target_session_attrs=any", (("a", 1), ("b", 2)), "d")],
)  # fmt: skip
def test_addresses(url: str, hosts: tuple[tuple[str, int | None], ...], database: str) -> None:
    """Hosts, ports, sockets in both habits and the database are read; what is quoted is unquoted."""
    address = Address.parse(url)
    assert (address.hosts, address.database) == (hosts, database)


@pytest.mark.parametrize(
    "text",
    ["postgresql://u:hunter2/x@h/d#t", "postgresql://u:1hunter2@h:hunter2/d#t", "mysql://u:hun@hunter2@h/d#t",
     "postgresql://u:1#hunter2@h/d", "mysql://u:p@h:0/d#t", "mysql://u@h:65536/d#t", "postgresql://u@1::2:5/d#t",
     "mysql://u@h/d?hunter2#t"],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused_without_its_secret(text: str) -> None:
    """A quoted-by-nobody @, #, / or port is a usage error that repeats nothing of the URL."""
    with pytest.raises(UsageError) as caught:
        Side.parse(text)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["postgresql://u:hunter2@h/d#t", "mysql://u@h/d?password=hunter2#t", "postgresql://u:hunter2@h/d::t",
     "postgresql:///d?host=/run&password=hunter2#select 1"],
)  # fmt: skip
def test_a_side_never_shows_its_password(text: str) -> None:
    """Neither in words nor as a value printed by a debugger is there a password, and it is known to be there."""
    side = Side.parse(text)
    assert side.address.has_password
    assert SECRET not in str(side) + repr(side) + repr(side.address)
