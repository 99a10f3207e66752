"""An Apache Kafka cluster, or what speaks its protocol."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.model.variable import Variable
from chaosday.stores.kafka import KafkaStore, refused

_HOST = re.compile(r"[\w.-]+|\[[0-9a-fA-F:.]+\]", re.ASCII)


class Kafka(Target):
    """A cluster, by the addresses at which its brokers take clients.

    With ``tls`` the connection is encrypted and the broker's certificate checked against ``ca_file`` or the system's;
    with ``user`` it logs in by SASL. The password comes from ``password``, else from ``password_env``.
    """

    kind: Literal["kafka"] = "kafka"
    brokers: str = "127.0.0.1:9092"
    """Addresses to begin with, ``host:port``, several with commas; the cluster says where the others are."""
    topic: str = ""
    """An existing topic that must be there; workloads make one of their own."""
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    """The client's own certificate, with its key in ``key_file``."""
    key_file: str = ""
    user: str = ""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    password: SecretStr | None = None
    password_env: Variable = "KAFKA_PASSWORD"
    timeout_s: float = Field(default=5, gt=0, le=600)
    """How long a broker may take to answer."""

    @field_validator("brokers")
    @classmethod
    def _addresses(cls, text: str) -> str:
        for address in text.split(","):
            host, _, port = address.strip().rpartition(":")
            if not _HOST.fullmatch(host) or not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError(f"brokers are host:port, several with commas, not {address.strip()!r}")
        return text

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store."""
        return {Store: KafkaStore(self.settings, self._where())}

    def settings(self) -> dict[str, Any]:
        """What its client library is told."""
        told: dict[str, Any] = {"bootstrap.servers": self.brokers, "log_level": 0, "client.id": "chaosday"}
        told["security.protocol"] = ("SASL_" if self.user else "") + ("SSL" if self.tls else "PLAINTEXT")
        files = {"ca": self.ca_file, "certificate": self.certificate_file, "key": self.key_file}
        told |= {f"ssl.{name}.location": path for name, path in files.items() if path}
        if self.user:
            secret = self.password.get_secret_value() if self.password else os.environ.get(self.password_env, "")
            told |= {"sasl.mechanism": self.mechanism, "sasl.username": self.user, "sasl.password": secret}
        return told

    def reach(self) -> str:
        """Ask for the cluster's brokers, and reach each of them where the cluster says that it is."""
        said = self.metadata(self.timeout_s)
        for broker in said.brokers.values():
            try:
                socket.create_connection((broker.host, broker.port), self.timeout_s).close()
            except OSError as error:
                words = f"broker {broker.id} says it is at {broker.host}:{broker.port}, where nobody answers: {error}"
                raise TargetUnreachable(f"{self._where()}: {words}; look at its advertised.listeners") from None
        if self.topic and self.topic not in said.topics:
            raise TargetUnreachable(f"{self._where()} has no topic {self.topic}")
        count = len(said.brokers)
        return f"Kafka cluster {said.cluster_id}, {count} broker{'s' if count > 1 else ''}, at {self.brokers}"

    def metadata(self, timeout_s: float) -> Any:
        """What the cluster says of itself; errors are ours, in one line, without secrets."""
        return self._asked(lambda admin: admin.list_topics(timeout=timeout_s))

    def topic_settings(self, topics: Sequence[str], names: Sequence[str]) -> tuple[dict[str, dict[str, str]], str]:
        """By topic the settings of these names, and why those of others could not be read."""
        from confluent_kafka import KafkaException

        def described(admin: Any) -> tuple[dict[str, dict[str, str]], str]:
            from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]

            found, unread = dict[str, dict[str, str]](), ""
            asked = admin.describe_configs(
                [ConfigResource("topic", name) for name in topics], request_timeout=self.timeout_s
            )
            for resource, future in asked.items():
                try:
                    said = future.result(self.timeout_s)
                except KafkaException as error:
                    unread = str(refused(self._where(), error))
                else:
                    found[resource.name] = {name: str(said[name].value) for name in names if name in said}
            return found, unread

        return self._asked(described) if topics else ({}, "")

    def _asked(self, ask: Callable[[Any], Any]) -> Any:
        try:
            from confluent_kafka import KafkaException
            from confluent_kafka.admin import AdminClient
        except ImportError:
            raise CapabilityMissing("Kafka needs confluent-kafka: pip install 'chaosday[kafka]'") from None
        for name in ("ca_file", "certificate_file", "key_file"):
            if (path := getattr(self, name)) and not os.access(path, os.R_OK):
                raise TargetUnreachable(f"{self._where()}: {name} {path} cannot be read")
        heard: list[str] = []
        client = None
        try:
            client = AdminClient(self.settings() | {"error_cb": lambda error: heard.append(str(error.str()))})
            return ask(client)
        except KafkaException as error:
            if client is not None:
                client.poll(0)  # what it heard of its connections is told only now
            raise refused(self._where(), error, heard) from None
        finally:
            client = None  # it connects again and again for as long as anybody keeps the error, and with it this frame

    def _where(self) -> str:
        return f"Kafka at {self.brokers}"
