"""Secrets leave a value only here: into the standard input of a child process of ours, never into a file, an
argument or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr


def revealed(value: Any) -> Any:
    """Plain JSON data of a model with its secrets in clear; for a pipe to our own child, nothing else."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return {name: revealed(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): revealed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [revealed(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
