"""How settings are read: every spelling that a system takes for unsound is, and an address is read whole or refused."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from chaosday.commands.advise import _address, command
from chaosday.drills.advice.etcd import _fsync
from chaosday.drills.advice.postgresql import _is_off
from chaosday.drills.advice.redis import _replicas
from chaosday.drills.advice.s3 import _expiry, _held

pytestmark = pytest.mark.kernel
COUNTED = "# TYPE x histogram\netcd_disk_wal_fsync_duration_seconds_count {}\n"


@pytest.mark.parametrize("value", ["off", "OFF", "of", "false", "F", "no", "0", " off "])
def test_a_role_s_words_for_off(value: str) -> None:
    """ALTER ROLE keeps a word as it was written."""
    assert _is_off(value)


@pytest.mark.parametrize("value", ["on", "local", "remote_apply", "1", "true", "", "o"])
def test_words_that_are_not_off(value: str) -> None:
    """``local`` waits for this server's own disk."""
    assert not _is_off(value)


@pytest.mark.parametrize(
    ("arguments", "metrics", "said"),
    [
        (["--unsafe-no-fsync"], COUNTED.format(0), "off"),
        (["-unsafe-no-fsync=T"], "", "off"),
        (["--unsafe-no-fsync=false"], COUNTED.format(9), "on"),
        ([], COUNTED.format("1.2e+03"), "on"),
        ([], COUNTED.format(1), ""),
        (["--config-file=x"], "", ""),
    ],
)
def test_an_etcd_that_does_not_sync_is_seen_however_it_was_told(arguments: list[str], metrics: str, said: str) -> None:
    """By its arguments; one that counts no syncs is not called sound, since its file or environment may say it."""
    assert _fsync(["etcd", *arguments], metrics) == said


@pytest.mark.parametrize(("least", "lag", "told"), [("1", "10", False), ("1", "0", True), ("0", "10", True)])
def test_either_of_redis_two_settings_switches_both_off(least: str, lag: str, told: bool) -> None:
    """As redis.conf says."""
    values = {"replicas": "2", "min-replicas-to-write": least, "min-replicas-max-lag": lag}
    assert bool(_replicas(values)) is told


def test_a_lifecycle_says_what_it_is_about() -> None:
    """A rule for one prefix, tag or size is not told as one for everything."""
    rule = {
        "Status": "Enabled", "Expiration": {"Days": 7},
        "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "old", "Value": "1"}], "ObjectSizeGreaterThan": 9}},
    }  # fmt: skip
    said = _expiry({"Rules": [rule]})
    assert "logs/" in said and "tag old" in said and "9 bytes" in said and "everything" not in said
    assert _expiry({"Rules": [{**rule, "Filter": {}}]}).startswith("everything after 7 days")


def test_an_object_lock_without_a_default_holds_nothing_by_itself() -> None:
    """Only objects whose writer asks are held; that is said."""
    assert "whose writer asks" in _held({"object_lock": "on, no default"})
    assert not _held({"object_lock": "on, COMPLIANCE"}) and _held({"object_lock": ""})


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://app@/shop?host=/run/pg2&port=5433",
        "postgresql://app@h/shop?sslmode=verify-full",
        "redis://h/3",
        "etcd://h:2379/x",
        "postgresql://u:12/34@h/db",
        "nats://h:4222/stream",
        "kafka://h:9092/topic?acks=1",
        "kafka://u:secret@h:9092/topic",
    ],
)
def test_a_part_of_an_address_that_would_be_dropped_is_refused(address: str) -> None:
    """Advice on another server than the one that was named would be worse than none."""
    done = CliRunner().invoke(command, [address])
    assert done.exit_code != 0 and type(done.exception).__name__ in ("UsageError", "SystemExit")
    assert "34@h" not in str(done.exception)


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        ("nats://ada@h:4333", {"kind": "nats", "host": "h", "port": 4333, "user": "ada"}),
        ("kafka://h/orders", {"kind": "kafka", "brokers": "h:9092", "topic": "orders"}),
        ("kafka://ada@[::1]:9093", {"kind": "kafka", "brokers": "[::1]:9093", "user": "ada", "topic": ""}),
        ("redis://h:6380", {"kind": "redis", "host": "h", "port": 6380}),
        ("postgresql://a%40b@h/shop", {"kind": "postgresql", "user": "a@b", "database": "shop"}),
    ],
)
def test_an_address_is_read_as_its_system_writes_it(address: str, fields: dict[str, object]) -> None:
    """Host, port, account, and a database or a topic."""
    said = _address(address)[1].public()
    assert {name: said.get(name, "") for name in fields} == fields
