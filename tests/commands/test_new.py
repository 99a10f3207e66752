"""A first experiment is written, readable, and for the system that was named, which is looked at and not touched."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.drills.starter import look, starter
from chaosday.errors import CapabilityMissing, TargetUnreachable, UsageError
from chaosday.lab.stands import stand
from chaosday.model.experiment import load, parse
from chaosday.model.finding import Outcome
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import complete
from chaosday.running.run import Run
from chaosday.servers.ports import free_port
from tests.commands.test_bad_input import CANARY, chaosday
from tests.lab.machine import absent

ROOT = Path(__file__).resolve().parent.parent.parent
READY = {
    "postgresql": "postgresql://postgres@127.0.0.1:5432/postgres",
    "mariadb": "mysql://root@127.0.0.1:3306/test",
    "redis": "redis://127.0.0.1",
    "nats": "nats://127.0.0.1",
    "rabbitmq": "amqp://guest@127.0.0.1",
    "etcd": "etcd://127.0.0.1",
    "bucket": "s3://chaosday/chaosday/?endpoint=http://127.0.0.1:9000",
    "host": "ssh://root@127.0.0.1",
    "cluster": "kubernetes://kind-kind/default",
}
FILES = ("orders.sqlite", "orders.duckdb", "orders")
PORTS = {"mysql": ("mariadb", "MYSQL_PWD"), "redis": ("redis", ""), "etcd": ("etcd_single", "")}


@pytest.mark.kernel
@pytest.mark.parametrize("name", READY)
def test_the_files_among_the_deployments_are_the_same(name: str) -> None:
    """One first experiment of a kind, not two that drift apart, with two faults and a check for each workload."""
    path = ROOT / "deployments" / "experiments" / f"your-{name}.yaml"
    assert starter(READY[name]) == path.read_text()
    experiment = load(path)
    assert len(experiment.faults) == 2
    assert len(experiment.checks) == len(experiment.workloads) > 0


@pytest.mark.kernel
@pytest.mark.parametrize(("mark", "kind"), [("orders/_delta_log", "delta_table"), ("catalog.db", "iceberg_table")])
def test_a_folder_of_lake_tables_is_known_by_what_lies_in_it(mark: str, kind: str, tmp_path: Path) -> None:
    """Transactions are judged on it, and not a set of Parquet files alone."""
    (tmp_path / "lake" / mark).mkdir(parents=True)
    (tmp_path / "mine.yaml").write_text(starter(str(tmp_path / "lake")))
    experiment = load(tmp_path / "mine.yaml")
    assert experiment.targets["store"].kind == kind
    assert [check.kind for check in experiment.checks] == ["list-append", "set"]


@pytest.mark.kernel
@pytest.mark.parametrize("name", FILES)
def test_a_file_or_a_folder_gets_one_too(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told apart by its name; what is not there is a misspelt address."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        starter(name)
    (Path(name).touch if "." in name else Path(name).mkdir)()
    Path("written.yaml").write_text(starter(name))
    experiment = load(Path("written.yaml"))
    assert {each.fault.kind for each in experiment.faults} == {"host.cpu", "host.io"}
    assert str(getattr(experiment.targets["store"], "path", "")) == name


@pytest.mark.kernel
def test_it_is_for_the_system_that_was_named(tmp_path: Path) -> None:
    """Host, port, account and database are those of the address; an existing file is never written over."""
    asked = ("new", "--unseen", "postgresql://app@db.example.org:5444/orders", "mine.yaml")
    done = chaosday(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    database = load(tmp_path / "mine.yaml").targets["database"]
    assert database.name() == "app@db.example.org:5444/orders"
    again = chaosday(*asked, cwd=tmp_path)
    assert (again.returncode, len(again.stderr.splitlines())) == (64, 1)


@pytest.mark.kernel
def test_a_file_is_looked_at_and_not_touched(tmp_path: Path) -> None:
    """Its bytes are the same afterwards; the experiment is there."""
    connection = sqlite3.connect(tmp_path / "mine.sqlite")
    connection.execute("create table t (n int)")
    connection.close()
    before = (tmp_path / "mine.sqlite").read_bytes()
    done = chaosday("new", "mine.sqlite", "mine.yaml", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "mine.yaml").exists()) == (0, True), done.stderr
    assert (tmp_path / "mine.sqlite").read_bytes() == before


@pytest.mark.kernel
def test_what_cannot_be_reached_is_one_line_and_no_file(tmp_path: Path) -> None:
    """The exit code says that something is not there."""
    done = chaosday("new", f"redis://127.0.0.1:{free_port()}", "mine.yaml", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (69, 1), done.stderr
    assert not (tmp_path / "mine.yaml").exists()
    for scheme in ("mysql", "nats", "amqp", "etcd", "postgresql"):
        with pytest.raises(TargetUnreachable) as caught:
            look(starter(f"{scheme}://127.0.0.1:{free_port()}"))
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("oracle://app@db/orders", "no experiment is known for oracle"),
        ("http://db.example.org", "no experiment is known for http"),
        ("db.example.org", "postgresql://user@host"),
        ("postgresql://app@db:port/orders", "postgresql://user@host"),
        ("s3:///prefix", "names no bucket"),
        ("ssh://", "names no host"),
        ("redis://h/{x}", "misread"),
        (f"postgresql://app:{CANARY}@db/orders", "leave the password out"),
        (f"amqp://app:{CANARY}@db", "leave the password out"),
        (f"postgresql://app:12/{CANARY}@db/orders", "leave the password out"),
        (f"s3://bucket/?endpoint=http://app:{CANARY}%40db", "leave the password out"),
        (f"postgresql://app@db/orders?password={CANARY}", "leave the password out"),
        (f"nats://{CANARY}@db", "a token is a password"),
        ("postgresql://db/orders?sslmode=verify-full&sslrootcert=/ca.pem", "'sslrootcert' in the address"),
        ("mysql://db/orders?ssl-ca=/ca.pem", "'ssl-ca' in the address"),
        ("etcd://db?x=", "'x' in the address"),
        ("redis://db/3", "a path in an address of redis"),
        ("ssh://db/srv", "a path in an address of ssh"),
        ("s3://bucket/?endpoint=http://db%0Aseed:%202", "misread"),
        ("mysql://a%0Ab@db", "misread"),
    ],
)
def test_a_wrong_address_is_one_line(address: str, words: str) -> None:
    """It says how an address is written, and never repeats a password."""
    with pytest.raises(UsageError, match=words) as caught:
        starter(address)
    assert CANARY not in str(caught.value)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("address", "target", "fields"),
    [
        ("postgresql://no@[::1]:5444/on?sslmode=require", "database",
         {"host": "::1", "user": "no", "database": "on", "sslmode": "require"}),
        ("postgresql://a%3A%20b@db/x%23%7By%7D", "database", {"user": "a: b", "database": "x#{y}"}),
        ("postgresql://[::1]/", "door", {"upstream": "[::1]:5432"}),
        ("mysql://123@db/0x1f", "store", {"user": "123", "database": "0x1f"}),
        ("mysql://%22%5C%C3%A9@[fe80::1]/null", "store", {"user": '"\\é', "host": "fe80::1", "database": "null"}),
        ("mysql://x@[fe80::1]:3307/d", "door", {"upstream": "[fe80::1]:3307"}),
        ("amqp://guest@db/%2Forders", "store", {"virtual_host": "/orders"}),
        ("s3://123/on%22off/?region=no", "store", {"bucket": "123", "region": "no", "prefix": 'on"off/'}),
        ("ssh://y%2C%20port%3A%201@h", "host", {"user": "y, port: 1"}),
        ("kubernetes://admin@kind/123", "host", {"context": "admin@kind", "namespace": "123"}),
    ],
)  # fmt: skip
def test_what_is_named_is_read_back_as_it_was(address: str, target: str, fields: dict[str, Any]) -> None:
    """Also what a file would take for a number, a truth, or another field."""
    made = parse(yaml.safe_load(starter(address))).targets[target]
    assert {name: getattr(made, name) for name in fields} == fields


@pytest.mark.lab
@pytest.mark.breadth
@pytest.mark.xdist_group("stores")
@pytest.mark.parametrize("scheme", PORTS)
def test_it_runs_as_it_stands(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a sound system what was written ends in a pass."""
    name, variable = PORTS[scheme]
    folder = tmp_path / "stand"
    folder.mkdir()
    folder.chmod(0o711)
    try:
        with stand(name, folder, {}) as facts:
            server: dict[str, Any] = facts["server"]
            if variable:
                monkeypatch.setenv(variable, server["password"])
            text = starter(f"{scheme}://127.0.0.1:{server['port']}")
            assert str(server["port"]) in look(text)
            (tmp_path / "written.yaml").write_text(text)
            kind = ExperimentKind(load(tmp_path / "written.yaml"))
            with Run(kind, RunDirectory.create(tmp_path / "runs", scheme, SystemClock())) as run:
                verdict = complete(run)
    except CapabilityMissing as error:
        absent(str(error))
    assert verdict.outcome is Outcome.PASS, verdict.reasons
