"""Apache Kafka: brokers that are their own controllers (KRaft), of one or three."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import TargetUnreachable, UsageError
from chaosday.lab import kafka_jars
from chaosday.mechanisms.disks.disk import disk as power_disk
from chaosday.mechanisms.disks.disk import sh
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from chaosday.targets.kafka import Kafka

USER, PASSWORD = "lab", "canary-lab-secret"
SESSION_MS = 3000
"""A broker that is not heard of for so long is taken for dead (as installed 9 s)."""


@contextmanager
def stand(folder: Path, *, brokers: int = 1, unclean: bool = False, own_disk: bool = False) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``process`` and ``process2`` and so on (the brokers), ``ready_s``; of the first
    broker ``secure`` (a target that needs TLS and an account) and ``astray`` (its door that names a wrong address).

    The first broker leads every topic that chaosday makes, as long as it runs. With ``unclean`` a replica that is
    behind may be elected where no other is left; with ``own_disk`` the first broker's files are on a ``disk`` whose
    power can be cut.
    """
    if brokers not in (1, 3):
        raise UsageError("a Kafka of the lab has one broker or three")
    jars = kafka_jars.folder()
    began = time.monotonic()
    with ExitStack() as undo:
        folder.mkdir(parents=True, exist_ok=True)
        ports = [(free_port(), free_port()) for _ in range(brokers)]
        doors = Doors(folder)
        voters = ",".join(f"{n}@127.0.0.1:{control}" for n, (_, control) in enumerate(ports, 1))
        servers, disks = [], [folder / f"disk{number}" for number in range(1, brokers + 1)]
        facts: dict[str, Any] = {}
        if own_disk:
            made = undo.enter_context(power_disk(folder / "power"))
            disks[0], facts = made.path / "kafka", {"disk": {"image": str(made.image), "path": str(made.path)}}
        for number, (port, control) in enumerate(ports, 1):
            settings = _settings(disks[number - 1], number, port, control, voters, brokers, unclean, doors)
            shutil.copy(jars / kafka_jars.CHECKPOINT, settings.parent)
            server = Server(f"kafka-{number}", kafka_jars.java(jars, "kafka.Kafka", str(settings)), folder)
            undo.callback(server.stop)
            server.start(lambda: None)
            servers.append(server)
        target = {"kind": "kafka", "brokers": ",".join(f"127.0.0.1:{port}" for port, _ in ports)}
        for server in servers:
            server.start(lambda: _all_there(Kafka.model_validate(target), brokers))
        names = ["process", *(f"process{number}" for number in range(2, brokers + 1))]
        processes = {name: server.process(folder / "leases") for name, server in zip(names, servers, strict=True)}
        yield {"server": target, "ready_s": time.monotonic() - began, **facts, **doors.facts(), **processes}


def _all_there(target: Kafka, brokers: int) -> None:
    there = target.metadata(2).brokers
    if len(there) < brokers:
        raise TargetUnreachable(f"{len(there)} of {brokers} brokers are there")


class Doors:
    """More ways into the first broker: one with TLS and an account, and one of which it says a wrong address."""

    def __init__(self, folder: Path) -> None:
        self.secure, self.astray = free_port(), free_port()
        self.certificate, self._pem = folder / "certificate.pem", folder / "broker.pem"
        key = folder / "key.pem"
        sh(
            *(program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(self.certificate)),
        )
        self._pem.touch(0o600)
        self._pem.write_text(key.read_text() + self.certificate.read_text())
        key.unlink()

    def facts(self) -> dict[str, Any]:
        """The targets that they are."""
        secure = {"brokers": f"localhost:{self.secure}", "tls": True, "ca_file": str(self.certificate)}
        account = {"user": USER, "password": PASSWORD, "mechanism": "PLAIN"}
        astray = {"kind": "kafka", "brokers": f"127.0.0.1:{self.astray}"}
        return {"secure": {"kind": "kafka", **secure, **account}, "astray": astray}

    def settings(self) -> str:
        """What the broker is told of them."""
        login = "org.apache.kafka.common.security.plain.PlainLoginModule"
        secure = "listener.name.secure"
        return (
            f"{secure}.ssl.keystore.type=PEM\n{secure}.ssl.keystore.location={self._pem}\n"
            f"{secure}.sasl.enabled.mechanisms=PLAIN\n"
            f'{secure}.plain.sasl.jaas.config={login} required user_{USER}="{PASSWORD}";\n'
        )


def _settings(
    disk: Path,
    number: int,
    port: int,
    control: int,
    voters: str,
    brokers: int,
    unclean: bool,
    doors: Doors,
) -> Path:
    """The settings of a broker, with its disk formatted for the cluster."""
    disk.mkdir()
    (disk / "meta.properties").write_text(
        f"version=1\ncluster.id={kafka_jars.CLUSTER}\nnode.id={number}\ndirectory.id=Y2hhb3NkYXktZGlzay0w{number}A\n"
    )
    copies, enough = min(brokers, 3), 2 if brokers > 1 else 1
    more = said = ""
    if number == 1:
        more = f",SECURE://127.0.0.1:{doors.secure},ASTRAY://127.0.0.1:{doors.astray}"
        said = f",SECURE://localhost:{doors.secure},ASTRAY://127.0.0.1:1"
    settings = disk / "server.properties"
    settings.touch(0o600)
    settings.write_text(
        "process.roles=broker,controller\n"
        f"node.id={number}\nlog.dirs={disk}\ncontroller.quorum.voters={voters}\n"
        f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}{more}\n"
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}{said}\ncontroller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,ASTRAY:PLAINTEXT\n"
        "inter.broker.listener.name=PLAINTEXT\n"
        "auto.create.topics.enable=false\n"
        f"broker.session.timeout.ms={SESSION_MS}\nbroker.heartbeat.interval.ms=500\n"
        "controller.quorum.election.timeout.ms=500\ncontroller.quorum.fetch.timeout.ms=1000\n"
        f"unclean.leader.election.enable={str(unclean).lower()}\n"
        "group.initial.rebalance.delay.ms=0\noffsets.topic.num.partitions=1\ntransaction.state.log.num.partitions=1\n"
        f"offsets.topic.replication.factor={copies}\ntransaction.state.log.replication.factor={copies}\n"
        f"transaction.state.log.min.isr={enough}\n"
        "num.network.threads=1\nnum.io.threads=2\nbackground.threads=1\nnum.recovery.threads.per.data.dir=1\n"
        "log.cleaner.dedupe.buffer.size=2097152\n" + (doors.settings() if number == 1 else "")
    )
    return settings
