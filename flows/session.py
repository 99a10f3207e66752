"""A Prefect API to run against: the one that is configured, else a temporary one of our own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from chaosday.errors import AccessDenied, Unavailable, UsageError
from chaosday.record.crash import redacted
from flows.login import logged_in, login_for, prefect_home

# A cold start migrates an empty database, which takes longer than Prefect's own 20 s on a busy laptop.
QUIET = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}
# What a server that lives for two flow runs does not need.
WITHOUT_SERVICES = ("SCHEDULER", "LATE_RUNS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "FOREMAN", "TRIGGERS")
ADDRESS = "PREFECT_API_URL"
PATIENCE_S = 30.0
TRIED = ("3.7", "3.8", "3.9")
"""Minor versions of servers that whole runs, with the halt switch in them, were tried with."""


def quiet_prefect(home: Path | None = None) -> None:
    """Set Prefect's environment before Prefect is imported; ``home`` keeps everything it writes in one folder."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if home is not None:
        os.environ["PREFECT_HOME"] = str(home)
        os.environ.pop(ADDRESS, None)
        os.environ.pop("PREFECT_PROFILE", None)
        for service in WITHOUT_SERVICES:
            os.environ[f"PREFECT_SERVER_SERVICES_{service}_ENABLED"] = "false"


@contextmanager
def prefect_session(home: Path | None = None) -> Iterator[None]:
    """Prefect, set up quietly; where none is configured, by the server that this user's commands share.

    Raises before anything is begun: ``UsageError`` for an address that can be none; ``AccessDenied`` and
    ``Unavailable`` for a server that refuses us, does not answer or is something else, or, our own, does not start.
    """
    quiet_prefect(home)
    if not os.environ.get(ADDRESS):
        _writable(prefect_home())
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    with ExitStack() as meanwhile:
        if settings.api.url:
            # Whoever started ``chaosday serve`` may use it without being asked for what lies in a file of theirs.
            words = None if settings.api.auth_string or settings.api.key else login_for(settings.api.url)
            if words:
                meanwhile.enter_context(logged_in(words))
            _answering(settings.api.url)
        elif settings.server.ephemeral.enabled:
            from flows.kept_server import idle_s
            from flows.temporary_server import shared_server, temporary_server

            # What has a home of its own ends with it.
            alone = home is not None or not idle_s()
            meanwhile.enter_context(temporary_server() if alone else shared_server())
        else:
            raise Unavailable(f"no Prefect server is named, and Prefect is set to start none: set {ADDRESS}")
        yield


def _writable(home: Path) -> None:
    """Prefect keeps its database there; a server that cannot says so only after it has loaded, with a traceback."""
    probe = home / f".chaosday-{os.getpid()}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        words = f"Prefect cannot keep anything in {home}: {error.strerror}"
        raise Unavailable(f"{words}; name a folder that you may write with PREFECT_HOME") from None


def _answering(url: str) -> None:
    """Ask the server that is configured for something that every Prefect server has."""
    shown = redacted(url)
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named:
        raise UsageError(f"{ADDRESS} is {shown!r}, which is no address of a server: write http://HOST:PORT/api")
    import httpx
    from prefect.client.base import ServerType
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException

    try:
        with get_client(sync_client=True, httpx_settings={"timeout": PATIENCE_S}) as client:
            client.read_flows(limit=1)
            version = str(client.api_version()) if client.server_type is not ServerType.CLOUD else ""
    except httpx.TransportError as error:
        why = f"no Prefect server answers at {shown} ({type(error).__name__})"
        raise Unavailable(f"{why}: start that server, or unset {ADDRESS} to have a temporary one") from None
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        if code in (401, 403):
            raise AccessDenied(f"{shown} refuses us: set PREFECT_API_AUTH_STRING or PREFECT_API_KEY") from None
        raise Unavailable(
            f"{shown} answers {code}, as no Prefect server does; is {ADDRESS} right, with its /api?"
        ) from None
    except (PrefectException, ValueError, httpx.InvalidURL, httpx.RequestError):
        raise Unavailable(f"what answers at {shown} is no Prefect server; is {ADDRESS} right, with its /api?") from None
    if version.count(".") > 1:
        _of_a_version(version, shown)


def _of_a_version(server: str, shown: str) -> None:
    """Prefect refuses another major version in the middle of the first flow run, and says little of another minor."""
    from prefect import __version__ as ours

    (major, minor), own = server.split(".")[:2], ours.split(".")[0]
    if major != own:
        raise Unavailable(f"the server at {shown} is Prefect {server}, and we are {ours}: use one of version {own}")
    if f"{major}.{minor}" not in TRIED:
        print(f"the server at {shown} is Prefect {server}; {ours} was tried with {', '.join(TRIED)}", file=sys.stderr)
