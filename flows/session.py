"""A Prefect API to run against: the one that is configured, else a temporary one of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# A cold start migrates an empty database, which takes longer than Prefect's own 20 s on a busy laptop.
QUIET = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}
# What a server that lives for two flow runs does not need.
WITHOUT_SERVICES = ("SCHEDULER", "LATE_RUNS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "FOREMAN", "TRIGGERS")


def quiet_prefect(home: Path | None = None) -> None:
    """Set Prefect's environment before Prefect is imported; ``home`` keeps everything it writes in one folder."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if home is not None:
        os.environ["PREFECT_HOME"] = str(home)
        os.environ.pop("PREFECT_API_URL", None)
        os.environ.pop("PREFECT_PROFILE", None)
        for service in WITHOUT_SERVICES:
            os.environ[f"PREFECT_SERVER_SERVICES_{service}_ENABLED"] = "false"


@contextmanager
def prefect_session(home: Path | None = None) -> Iterator[None]:
    """Prefect, set up quietly; a temporary server that was started for us ends with the block."""
    quiet_prefect(home)
    from prefect.server.api.server import SubprocessASGIServer

    try:
        yield
    finally:
        for server in list(SubprocessASGIServer._instances.values()):
            server.stop()
