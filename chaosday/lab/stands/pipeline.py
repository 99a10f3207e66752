"""Where a pipeline runs: this interpreter, or an environment with the toolchain that it is written for; and a Prefect
server, where its flows want one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server

_START_S = 600
"""Its start migrates an empty database, which takes a while on a busy machine."""
_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


@contextmanager
def stand(folder: Path, *, toolchain: str = "", prefect: bool = False) -> Iterator[dict[str, Any]]:
    """Facts: ``python`` and ``bin``, the folder of its programs; ``prefect`` is a server's url, address, and a home for
    its clients. ``toolchain`` is a program that lies in the
    environment's folder of programs, which is on the PATH; empty is the environment of chaosday itself."""
    found = shutil.which(toolchain) if toolchain else sys.executable
    if found is None:
        raise CapabilityMissing(
            f"no {toolchain} on the PATH; put an environment there that has it:"
            f' PATH="$(python -m tests.lab.toolchains {toolchain}):$PATH"'
        )
    place = Path(os.path.abspath(found)).parent  # noqa: PTH100 - a link into another environment is not followed
    python = place / "python" if toolchain else Path(found)
    if not python.exists():
        raise CapabilityMissing(f"{found} lies in no environment of Python's: there is no {python}")
    with ExitStack() as undo:
        facts: dict[str, Any] = {"python": str(python), "bin": str(place)}
        if prefect:
            facts["prefect"] = _prefect(folder, str(python), undo)
        yield facts


def _prefect(folder: Path, python: str, undo: ExitStack) -> dict[str, str]:
    """Start a Prefect server that keeps all that it has in ``folder``."""
    if importlib.util.find_spec("prefect") is None:
        raise CapabilityMissing("Prefect is not installed: pip install prefect")
    home, address = folder / "prefect", f"127.0.0.1:{free_port()}"
    home.mkdir(parents=True)
    host, _, port = address.partition(":")
    words = ["-m", "uvicorn", "--factory", "prefect.server.api.server:create_app", "--lifespan", "on"]
    server = Server("prefect", [python, *words, "--host", host, "--port", port, "--log-level", "error"], home,
                    {**_SETTINGS, "PREFECT_HOME": str(home)})  # fmt: skip
    undo.callback(server.stop_tree)

    def answers() -> None:
        try:
            with urllib.request.urlopen(f"http://{address}/api/health", timeout=60):
                return
        except OSError as error:
            raise TargetUnreachable(f"Prefect does not answer yet: {error}") from None

    server.start(answers, timeout_s=_START_S)
    return {"url": f"http://{address}/api", "address": address, "home": str(folder / "prefect-client")}
