"""Blocks: one for every kind of target, no field that the target has not, and a check that says what it saw."""

from __future__ import annotations

import os
from typing import Any

import pytest

import blocks
from blocks.target_block import TargetBlock
from chaosday.errors import InvalidExperiment
from chaosday.registry import members
from chaosday.servers.postgres import Node
from tests.lab.pool import pool

TARGET_BLOCKS = {name: block for name in blocks.__all__ if issubclass(block := getattr(blocks, name), TargetBlock)}


def test_every_target_has_a_block() -> None:
    """A new kind of target without a block fails here."""
    assert {block._model.model_fields["kind"].default for block in TARGET_BLOCKS.values()} == set(members("targets"))


@pytest.mark.parametrize("name", TARGET_BLOCKS)
def test_a_block_is_its_target(name: str) -> None:
    """Every field is one of the target's, secrets are secret, and the form can tell a reference from a block."""
    block = TARGET_BLOCKS[name]
    target, fields = block._model.model_fields, block.model_fields
    assert set(fields) <= set(target)
    for field in fields:
        assert ("SecretStr" in str(target[field].annotation)) == ("SecretStr" in str(fields[field].annotation)), field
    assert block.model_json_schema()["required"]
    assert block._description and block.__doc__
    assert isinstance(block().target(), block._model)


def test_check_says_whether_a_database_can_be_touched(pair: tuple[Node, Node]) -> None:
    """Reached and allowed; reached and not allowed, with the grant that is missing; not reached."""
    primary, _ = pair
    import psycopg

    block = blocks.PostgreSQLDatabase
    owner = block(port=primary.port, user="postgres", password=primary.password)
    assert owner.check().endswith("; ready")
    address = f"host=127.0.0.1 port={primary.port} user=postgres password={primary.password} dbname=postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"create role guest login password '{primary.password}'")
        try:
            guest = block(port=primary.port, user="guest", password=primary.password)
            assert "GRANT CREATE ON DATABASE postgres TO guest" in guest.check()
        finally:
            connection.execute("drop role guest")
    assert block(port=1, password="wrong-canary").check().startswith("cannot be used: ")
    assert "canary" not in block(port=1, password="wrong-canary").check()


@pytest.mark.lab
def test_check_says_whether_a_host_can_be_touched() -> None:
    """Root over SSH is ready; a key that nobody knows is refused with the way to accept it."""
    lab = pool()
    with lab.victim() as host:
        fields: dict[str, Any] = {"host": host.address, "key_file": str(host.key), "agent": False}
        assert blocks.SSHHost(known_hosts=str(host.known_hosts), **fields).check().endswith("; ready")
        assert "is unknown" in blocks.SSHHost(known_hosts="/dev/null", **fields).check()


def test_check_of_what_is_here() -> None:
    """The worker's own machine and a process of it are reached; one that is not there is said to be missing."""
    assert blocks.WorkersHost().check().endswith("; ready")
    assert blocks.WorkersProcess(pid=os.getpid()).check().endswith("; ready")
    for absent in (blocks.WorkersProcess(pid_file="/nowhere"), blocks.WebServiceBlock(base_url="http://127.0.0.1:1")):
        assert absent.check().startswith("cannot be used: ")


def test_a_wrong_field_is_said_in_a_line() -> None:
    """What the target's own rules refuse is not a traceback in the UI."""
    with pytest.raises(InvalidExperiment, match="prefix"):
        blocks.S3Bucket(prefix="/absolute").target()
    assert blocks.S3Bucket(prefix="/absolute").check().startswith("cannot be used: the block is wrong")
