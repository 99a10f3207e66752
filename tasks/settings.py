"""What every task of an experiment has in common."""

from __future__ import annotations

from typing import Any

from prefect.cache_policies import NO_CACHE

# An act is never retried (a second injection is a second fault), never answered from a cache (a cached
# inject would be a no-op), and its result is evidence on disk, not a pickle at the server.
ACT: dict[str, Any] = {"retries": 0, "cache_policy": NO_CACHE, "persist_result": False, "log_prints": False}
