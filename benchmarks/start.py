"""How fast commands start, and what an installation is worth: times of whole processes, and suites counted by running.

Times are the smallest of several, since other programs only ever add to them; processor time stands beside each.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._suites import ROOT, run_suites
from chaosday.clients.line_server import LineServer
from chaosday.servers.ports import free_port
from scripts import site

SUITES = {
    "import_leaks": ("tests/commands/test_start.py",),
    "init_project_tests": ("tests/commands/test_init.py",),
    "old_formats_read": ("tests/record/test_formats.py", "tests/record/test_old_formats.py"),
    "shared_server": ("tests/flows/test_kept_server.py",),
}
CHAOSDAY = ("-m", "chaosday")
LIBRARIES = "import click, numpy, orjson, pyarrow, pydantic.fields"
"""What a history is held and described with: no command that reads one can take less than these."""
HISTORY = (
    "{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :ok, :f :write, :value 1}\n"
    "{:process 1, :type :invoke, :f :read, :value nil}\n{:process 1, :type :ok, :f :read, :value 1}\n"
)
EXPERIMENT = """
targets:
  store: {{kind: line_store, port: {port}}}
  door: {{kind: proxy_route, upstream: "127.0.0.1:{port}"}}
workloads: [{{kind: register, target: store}}]
faults:
  - fault: {{kind: network.proxy.latency, target: door, delay_ms: 20}}
  - {{at_s: 2, fault: {{kind: network.proxy.reset, target: door}}}}
checks: [{{kind: register}}]
"""


def run(*, quick: bool) -> dict[str, Any]:
    """``quick`` starts each command three times instead of ten."""
    times = 3 if quick else 10
    with tempfile.TemporaryDirectory(prefix="chaosday-start-") as name:
        folder, port = Path(name), free_port()
        (folder / "history.edn").write_text(HISTORY)
        (folder / "two.yaml").write_text(EXPERIMENT.format(port=port))
        store = f'{{"kind": "sqlite_file", "path": "{folder / "store.db"}"}}'
        with subprocess.Popen([sys.executable, "-m", LineServer.__module__, str(port), store]) as server:
            try:
                while server.poll() is None and not _listens(port):
                    time.sleep(0.1)
                figures = {
                    **timed("libraries", folder, times, "-c", LIBRARIES),
                    **timed("help", folder, times, *CHAOSDAY, "--help"),
                    **timed("check_small", folder, times, *CHAOSDAY, "check", "history.edn", "--as", "register"),
                    **timed("plan_two_faults", folder, times, *CHAOSDAY, "plan", "two.yaml"),
                }
            finally:
                server.terminate()
    suites = {name: run_suites(*words) for name, words in SUITES.items()}
    failed = [each for suite in suites.values() for each in suite.failed]
    return {
        **figures,
        "import_leaks": len(suites["import_leaks"].failed),
        "init_project_tests": "passed" if not suites["init_project_tests"].failed else "failed",
        "wheel_reproducible": not suites["init_project_tests"].failed,
        "old_formats_read": not suites["old_formats_read"].failed,
        "docs_broken_links": len(_broken_links()),
        "shared_server_cases": suites["shared_server"].cases,
        "shared_server_failed": len(suites["shared_server"].failed),
        "failed": failed,
    }


def _broken_links() -> list[str]:
    """Those of the documentation as a site, built whole."""
    with tempfile.TemporaryDirectory(prefix="chaosday-site-") as name:
        site.build(Path(name, "site"))
        return site.broken(Path(name, "site"))


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def environment(folder: Path) -> dict[str, str]:
    """Ours, with bytecode kept as an installed package has it."""
    own = {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PREFECT_HOME": str(folder)}
    return {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"} | own


def cpu_s() -> float:
    """Processor time of every process that was waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(name: str, folder: Path, times: int, *words: str) -> dict[str, Any]:
    """Wall and processor time of a command as a whole process, with its children, and how it ended."""
    walls, cpus, codes = [], [], set()
    for _ in range(times + 1):
        before, began = cpu_s(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, *words], cwd=folder, env=environment(folder), capture_output=True, check=False
        )
        walls.append(time.perf_counter() - began)
        cpus.append(cpu_s() - before)
        codes.add(done.returncode)
    # The first wrote the bytecode, as an installer does.
    walls, cpus = walls[1:], cpus[1:]
    return {f"{name}_s": round(min(walls), 3), f"{name}_cpu_s": round(min(cpus), 3), f"{name}_exits": sorted(codes)}
