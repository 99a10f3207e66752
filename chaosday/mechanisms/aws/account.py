"""The capability of an AWS account: calls, and whether its leases are durable."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from chaosday.mechanisms.aws.session import Access


@runtime_checkable
class Aws(Protocol):
    """An account and region that may be asked and changed."""

    def access(self) -> Access:
        """Where and as whom."""

    def client(self, service: str) -> Any:
        """A boto3 client."""

    def durable(self) -> bool:
        """Whether the account reverts by itself at the deadline (EventBridge Scheduler)."""
