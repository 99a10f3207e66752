"""Listings of an account, whole."""

from __future__ import annotations

from typing import Any

from chaosday.mechanisms.aws.account import Aws


def every(aws: Aws, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
    """Everything under ``key`` in every page of a listing."""
    client = aws.client(service)
    if not client.can_paginate(operation):
        return list(getattr(client, operation)(**parameters).get(key, []))
    return [item for page in client.get_paginator(operation).paginate(**parameters) for item in page.get(key, [])]
