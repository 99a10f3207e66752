"""Prefect blocks: where a target is, its secrets, its limits. ``prefect block register -m blocks``."""

from blocks.aws import AwsAccountBlock, S3Bucket
from blocks.databases import (
    DeltaTables,
    DuckDBDatabase,
    EtcdMember,
    IcebergTables,
    KafkaCluster,
    LineStore,
    MariaDBDatabase,
    NatsServer,
    ParquetFiles,
    PatroniMembers,
    RabbitMQBroker,
    RedisServer,
    SQLiteDatabase,
)
from blocks.guardrails import Guardrails
from blocks.kubernetes import KubernetesNamespace
from blocks.local_host import WorkersHost
from blocks.postgresql import PostgreSQLDatabase
from blocks.processes import PythonProgram, WorkersProcess
from blocks.routes import ProxiedRequests, ProxiedRoute
from blocks.ssh_host import SSHHost
from blocks.web_service import WebServiceBlock

__all__ = [
    "AwsAccountBlock",
    "DeltaTables",
    "DuckDBDatabase",
    "EtcdMember",
    "Guardrails",
    "IcebergTables",
    "KafkaCluster",
    "KubernetesNamespace",
    "LineStore",
    "MariaDBDatabase",
    "NatsServer",
    "ParquetFiles",
    "PatroniMembers",
    "PostgreSQLDatabase",
    "ProxiedRequests",
    "ProxiedRoute",
    "PythonProgram",
    "RabbitMQBroker",
    "RedisServer",
    "S3Bucket",
    "SQLiteDatabase",
    "SSHHost",
    "WebServiceBlock",
    "WorkersHost",
    "WorkersProcess",
]
