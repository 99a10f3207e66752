"""Prefect blocks: where a target is, its secrets, its limits. ``prefect block register -m blocks``."""

from blocks.aws import AwsAccountBlock, S3Bucket
from blocks.guardrails import Guardrails
from blocks.kubernetes import KubernetesNamespace
from blocks.postgresql import PostgreSQLDatabase

__all__ = ["AwsAccountBlock", "Guardrails", "KubernetesNamespace", "PostgreSQLDatabase", "S3Bucket"]
