"""The blocks for databases and brokers that workloads ask through their own protocols."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from blocks.target_block import TargetBlock
from chaosday.model.target import Target
from chaosday.model.variable import Variable
from chaosday.targets.delta_table import DeltaTableFolder
from chaosday.targets.duckdb_file import DuckDBFile
from chaosday.targets.etcd import Etcd
from chaosday.targets.iceberg_table import IcebergTableFolder
from chaosday.targets.kafka import Kafka
from chaosday.targets.line_store import LineStoreTarget
from chaosday.targets.mariadb import MariaDB
from chaosday.targets.nats import Nats
from chaosday.targets.parquet_folder import ParquetFolder
from chaosday.targets.patroni import Address, Patroni
from chaosday.targets.rabbitmq import RabbitMQ
from chaosday.targets.redis import Redis
from chaosday.targets.sqlite_file import SQLiteFile


class MariaDBDatabase(TargetBlock):
    """A MariaDB or MySQL server and a database that chaosday may write its own tables to."""

    _model: ClassVar[type[Target]] = MariaDB
    _block_type_name = "chaosday MariaDB"
    _block_type_slug = "chaosday-mariadb"
    _description = "A MariaDB or MySQL database that chaosday may write its own tables to."

    host: str = Field(default="127.0.0.1", description="Host name or address")
    port: int = Field(default=3306, ge=1, le=65535)
    user: str = Field(default="chaosday", description="An account with rights on that database only")
    password: SecretStr | None = None
    database: str = Field(default="chaosday")


class RedisServer(TargetBlock):
    """A Redis server; chaosday's keys begin with the name of its workload and run."""

    _model: ClassVar[type[Target]] = Redis
    _block_type_name = "chaosday Redis"
    _block_type_slug = "chaosday-redis"
    _description = "A Redis server that chaosday may write its own keys to."

    host: str = Field(default="127.0.0.1", description="Host name or address")
    port: int = Field(default=6379, ge=1, le=65535)
    password: SecretStr | None = None


class EtcdMember(TargetBlock):
    """A member of an etcd cluster, by its client address."""

    _model: ClassVar[type[Target]] = Etcd
    _block_type_name = "chaosday etcd"
    _block_type_slug = "chaosday-etcd"
    _description = "A member of an etcd cluster that chaosday may write its own keys to."

    host: str = Field(default="127.0.0.1", description="Host name or address")
    port: int = Field(default=2379, ge=1, le=65535)


class PatroniMembers(TargetBlock):
    """A PostgreSQL cluster that Patroni keeps available, by the REST interfaces of its members."""

    _model: ClassVar[type[Target]] = Patroni
    _block_type_name = "chaosday Patroni"
    _block_type_slug = "chaosday-patroni"
    _description = "A PostgreSQL cluster that Patroni keeps available, and that may be asked to fail over."

    members: list[Address] = Field(default=["127.0.0.1:8008"], description="host:port of each REST interface")
    scheme: Literal["http", "https"] = "http"
    user: str = Field(default="", description="Of the REST interface, where it asks for one")
    password: SecretStr | None = None


class NatsServer(TargetBlock):
    """A NATS server with JetStream; chaosday makes a stream of its own."""

    _model: ClassVar[type[Target]] = Nats
    _block_type_name = "chaosday NATS"
    _block_type_slug = "chaosday-nats"
    _description = "A NATS server on which chaosday may make a stream of its own."

    host: str = Field(default="127.0.0.1", description="Host name or address")
    port: int = Field(default=4222, ge=1, le=65535)


class KafkaCluster(TargetBlock):
    """A Kafka cluster; chaosday makes a topic of its own."""

    _model: ClassVar[type[Target]] = Kafka
    _block_type_name = "chaosday Kafka"
    _block_type_slug = "chaosday-kafka"
    _description = "A Kafka cluster on which chaosday may make a topic of its own."

    brokers: str = Field(default="127.0.0.1:9092", description="host:port, several with commas")
    topic: str = Field(default="", description="An existing topic that must be there")
    tls: bool = Field(default=False, description="Whether the connection is encrypted")
    ca_file: str = Field(default="", description="Who signed the brokers' certificates, as PEM; empty asks the system")
    certificate_file: str = Field(default="", description="The client's own certificate, as PEM")
    key_file: str = Field(default="", description="Its key, as PEM")
    user: str = Field(default="", description="Who logs in by SASL; empty is nobody")
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    password: SecretStr | None = None
    password_env: Variable = Field(default="KAFKA_PASSWORD", description="Where the password is, if it is not here")
    timeout_s: float = Field(default=5, gt=0, le=600)


class RabbitMQBroker(TargetBlock):
    """A RabbitMQ broker; chaosday makes a queue of its own."""

    _model: ClassVar[type[Target]] = RabbitMQ
    _block_type_name = "chaosday RabbitMQ"
    _block_type_slug = "chaosday-rabbitmq"
    _description = "A RabbitMQ broker on which chaosday may make a queue of its own."

    host: str = Field(default="127.0.0.1", description="Host name or address")
    port: int = Field(default=5672, ge=1, le=65535)
    user: str = Field(default="chaosday")
    password: SecretStr | None = None


class SQLiteDatabase(TargetBlock):
    """A SQLite file on the worker's machine."""

    _model: ClassVar[type[Target]] = SQLiteFile
    _block_type_name = "chaosday SQLite file"
    _block_type_slug = "chaosday-sqlite-file"
    _description = "A SQLite file of the worker's machine that chaosday may write its own tables to."

    path: Path = Field(default=Path("chaosday.sqlite"), description="The file; it is made where it is not there")


class DuckDBDatabase(TargetBlock):
    """A DuckDB file on the worker's machine."""

    _model: ClassVar[type[Target]] = DuckDBFile
    _block_type_name = "chaosday DuckDB file"
    _block_type_slug = "chaosday-duckdb-file"
    _description = "A DuckDB file of the worker's machine that chaosday may write its own tables to."

    path: Path = Field(default=Path("chaosday.duckdb"), description="The file; it is made where it is not there")


class ParquetFiles(TargetBlock):
    """A folder of Parquet files on the worker's machine."""

    _model: ClassVar[type[Target]] = ParquetFolder
    _block_type_name = "chaosday Parquet folder"
    _block_type_slug = "chaosday-parquet-folder"
    _description = "A folder of the worker's machine in which chaosday may keep Parquet files of its own."

    path: Path = Field(default=Path("chaosday-parquet"), description="A folder that is there")


class DeltaTables(TargetBlock):
    """A folder of Delta tables on the worker's machine."""

    _model: ClassVar[type[Target]] = DeltaTableFolder
    _block_type_name = "chaosday Delta tables"
    _block_type_slug = "chaosday-delta-table"
    _description = "A folder of the worker's machine in which chaosday may keep Delta tables of its own."

    path: Path = Field(default=Path("chaosday-lake"), description="A folder that is there")


class IcebergTables(TargetBlock):
    """A folder of Iceberg tables on the worker's machine."""

    _model: ClassVar[type[Target]] = IcebergTableFolder
    _block_type_name = "chaosday Iceberg tables"
    _block_type_slug = "chaosday-iceberg-table"
    _description = "A folder of the worker's machine in which chaosday may keep Iceberg tables of its own."

    path: Path = Field(default=Path("chaosday-lake"), description="A folder that is there")


class LineStore(TargetBlock):
    """Your own system, behind a small program that answers lines of JSON."""

    _model: ClassVar[type[Target]] = LineStoreTarget
    _block_type_name = "chaosday line store"
    _block_type_slug = "chaosday-line-store"
    _description = "Your own system, behind a small program that answers lines of JSON."

    host: str = Field(default="127.0.0.1", description="Host name or address")
    port: int = Field(default=9042, ge=1, le=65535)
