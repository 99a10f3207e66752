"""What ``chaosday serve`` starts: where each program listens, what it is called, and what it may know."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path

from chaosday.errors import UsageError
from chaosday.mechanisms.proxy.addresses import joined
from chaosday.processes.umask import GIVEN, TOLD
from flows.children import ROOT, Child
from flows.door import EVERYWHERE, LOGIN_PATH, TICKET, Door, is_loopback, names_of
from flows.evidence_server import LOGIN as REPORTS_LOGIN
from flows.login import PROFILE, PROFILES_PATH, SERVER, Login, prefect_home, without_login
from flows.session import QUIET

DATABASE = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")
"""Settings that only the server needs, a password among them."""


def login_of(host: str) -> Login:
    """The login of this home, or the one that Prefect's own variable names for its server.

    ``UsageError`` where that variable wants none and ``host`` is open to other machines.
    """
    given = os.environ.get(SERVER)
    if given == "" and not is_loopback(host):
        raise UsageError(f"--host {host} is open to other machines, and {SERVER} says that there is no login: unset it")
    if given and ":" not in given:
        raise UsageError(f"{SERVER} has to be USER:PASSWORD")
    login = Login.of(prefect_home())
    return replace(login, words=given, fresh=False) if given else login


@dataclass(frozen=True)
class Served:
    """Prefect's server with its UI at ``port`` of ``host``, the reports at ``reports_port``, runs in ``runs``."""

    host: str
    port: int
    reports_port: int
    login: Login
    runs: Path

    def named(self, port: int) -> str:
        """``host:port`` as people's browsers have it."""
        name = socket.gethostname() if self.host in EVERYWHERE else self.host
        return joined(name.strip("[]"), port)

    @property
    def api(self) -> str:
        """Prefect's API, as our own children reach it."""
        return f"http://{f'127.0.0.1:{self.port}' if self.host in EVERYWHERE else self.named(self.port)}/api"

    @property
    def start(self) -> str:
        """The page where people begin."""
        return f"http://{self.named(self.port)}/deployments"

    def link(self) -> str:
        """A link that logs one browser in to both servers, once."""
        return f"http://{self.named(self.port)}{LOGIN_PATH}?ticket={self.login.ticket(TICKET)}"

    def environment(self) -> dict[str, str]:
        """For the worker and for Prefect's commands: they read the login from a profile."""
        ours = {
            "PREFECT_API_URL": self.api,
            PROFILES_PATH: str(self.login.profiles),
            "PREFECT_PROFILE": PROFILE,
            # The worker starts each run in a folder of its own choice; all of them keep their evidence in this one.
            "CHAOSDAY_RUNS": str(self.runs),
            # We are strict, and so are they; what a run gives to others is as open as whoever started us lets it be.
            TOLD: f"{GIVEN:03o}",
        }
        return {name: value for name, value in self._shared().items() if not name.startswith(DATABASE)} | ours

    def server(self) -> Child:
        """Prefect's server behind our door."""
        own = {
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_API_HOST": self.host,
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_UI_API_URL": f"http://{self.named(self.port)}/api",
        }
        onward = f"http://{self.named(self.reports_port)}{REPORTS_LOGIN}?ticket="
        place = ("--host", self.host.strip("[]"), "--port", str(self.port), "--app-dir", str(ROOT))
        # At "info" it would write down every address that is asked for, tickets among them.
        words = ("uvicorn", "--factory", "flows.door:app", *place, "--log-level", "warning")
        return Child("server", words, self._shared() | own, told=self._door(self.port, onward).line())

    def reports(self) -> Child:
        """The server of reports."""
        folders = ("--runs", str(self.runs), "--docs", str(ROOT / "docs"))
        words = ("flows.evidence_server", "--host", self.host.strip("[]"), "--port", str(self.reports_port), *folders)
        return Child("server of reports", words, self._shared(), told=self._door(self.reports_port, self.start).line())

    def _door(self, port: int, onward: str) -> Door:
        return Door(self.login.words, names_of(self.host, port), str(self.login.folder), onward)

    def _shared(self) -> dict[str, str]:
        told = {"PREFECT_LOGGING_LEVEL": "INFO", "CHAOSDAY_EVIDENCE_URL": f"http://{self.named(self.reports_port)}"}
        return without_login(os.environ) | QUIET | told


def own_profile() -> dict[str, str]:
    """What the user has set in Prefect's own profile, for ``Login.write_profile``: no key, nothing of the database."""
    from prefect.context import get_settings_context

    profile = get_settings_context().profile.to_environment_variables()
    return {name: value for name, value in profile.items() if not name.startswith((*DATABASE, "PREFECT_API_KEY"))}
