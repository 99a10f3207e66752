"""A fault on a target that cannot take it: what to set, or what to point it at instead."""

from __future__ import annotations

import pytest

from chaosday.errors import CapabilityMissing
from chaosday.model.fault import Fault
from chaosday.model.target import Target
from chaosday.registry import member, members
from chaosday.running.needs import kinds_that_offer, need_capabilities

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("fault", "target", "words"),
    [
        ("process.pause", "ssh_host", "where process_pattern is set"),
        ("process.pause", "local_host", "kinds that do: local_process, ssh_host"),
        ("host.cpu", "postgresql", "kinds that do: local_host, local_process, ssh_host"),
        ("data.rows", "local_host", "kinds that do: mariadb, postgresql, sqlite_file"),
    ],
)
def test_what_to_do_is_said(fault: str, target: str, words: str) -> None:
    """The field that has to be set, or the kinds of target that offer what is needed."""
    fields = {"host": "h"} if target == "ssh_host" else {}
    hurt, given = member("faults", fault)(), member("targets", target).model_validate(fields)
    assert isinstance(hurt, Fault) and isinstance(given, Target)
    with pytest.raises(CapabilityMissing, match=words):
        need_capabilities(hurt, given)


@pytest.mark.parametrize("kind", members("faults"))
def test_every_fault_has_a_target(kind: str) -> None:
    """Whatever a fault requires, some kind of target offers it."""
    fault = member("faults", kind)
    assert issubclass(fault, Fault)
    assert all(kinds_that_offer(protocol) for protocol in fault.requires)
