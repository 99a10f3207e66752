"""The blocks for databases and brokers that workloads ask through their own protocols."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr

from blocks.target_block import TargetBlock
from chaosday.model.target import Target
from chaosday.targets.duckdb_file import DuckDBFile
from chaosday.targets.etcd import Etcd
from chaosday.targets.line_store import LineStoreTarget
from chaosday.targets.mariadb import MariaDB
from chaosday.targets.nats import Nats
from chaosday.targets.parquet_folder import ParquetFolder
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


class NatsServer(TargetBlock):
    """A NATS server with JetStream; chaosday makes a stream of its own."""

    _model: ClassVar[type[Target]] = Nats
    _block_type_name = "chaosday NATS"
    _block_type_slug = "chaosday-nats"
    _description = "A NATS server on which chaosday may make a stream of its own."

    host: str = Field(default="127.0.0.1", description="Host name or address")
    port: int = Field(default=4222, ge=1, le=65535)


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


class LineStore(TargetBlock):
    """Your own system, behind a small program that answers lines of JSON."""

    _model: ClassVar[type[Target]] = LineStoreTarget
    _block_type_name = "chaosday line store"
    _block_type_slug = "chaosday-line-store"
    _description = "Your own system, behind a small program that answers lines of JSON."

    host: str = Field(default="127.0.0.1", description="Host name or address")
    port: int = Field(default=9042, ge=1, le=65535)
