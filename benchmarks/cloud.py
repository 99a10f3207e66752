"""Cloud dependencies: the HTTP proxy beside a direct connection, faults by backend, experiments side by side."""

from __future__ import annotations

import http.client
import http.server
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
from chaosday.model.fault import Fault
from chaosday.registry import members
from chaosday.targets.http_route import HttpRoute
from tests.faults.cloud.arrangements import ARRANGED, UNSEEN, account, instance
from tests.faults.cloud.living import struck
from tests.lab.moto import moto_server

BIG = bytes(1 << 20) * 64
EXPERIMENTS = 50


class _Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = BIG if self.path == "/big" else b"x"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


def run(quick: bool) -> dict[str, Any]:
    """All figures; ``quick`` takes fewer samples and every third kill point."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        with HttpProxyProcess.start(directory / "proxy.sock") as proxy, moto_server(directory) as moto:
            figures = {"proxy": _proxy(proxy, 200 if quick else 2000, 4 if quick else 16)}
            lived = {**_proxied(proxy, moto), **_controlled(moto)}
            killed = _killed(moto, directory, 3 if quick else 1)
            crowd = _crowd(moto)
    known = members("faults")
    mine = {kind for kind in known if kind.startswith(("cloud.", "application.", "kubernetes."))}
    return {
        "faults_total": len(known),
        "faults_here": len(mine),
        "conformant": sum(lived.values()),
        "lived": len(lived),
        **killed,
        **figures,
        **crowd,
        "backends": backends(mine),
    }


def _proxy(proxy: HttpProxyProcess, samples: int, downloads: int) -> dict[str, float]:
    """Streaming per core of the proxy's own CPU time, and what a small request takes more than directly."""
    server = subprocess.Popen(
        [sys.executable, "-c", "from benchmarks.cloud import serve; serve()"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    direct = server.stdout.readline().strip()
    try:
        through = proxy.add_route("bench", f"http://{direct}")
        used, began = _cpu_s(proxy.pid), time.perf_counter()
        moved = sum(_download(through) for _ in range(downloads))
        wall, cpu = time.perf_counter() - began, _cpu_s(proxy.pid) - used
        # In turns, so that a busy moment of the machine meets both alike.
        pairs = [(_small(direct, 20), _small(through, 20)) for _ in range(samples // 20)]
        added = statistics.median(b for _, b in pairs) - statistics.median(a for a, _ in pairs)
        began = time.perf_counter()
        straight = sum(_download(direct) for _ in range(downloads)) / (time.perf_counter() - began)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    return {
        "mb_per_s": round(moved / 1e6 / wall, 1),
        "mb_per_s_per_core": round(moved / 1e6 / max(cpu, 0.01), 1),
        "direct_mb_per_s": round(straight / 1e6, 1),
        "added_ms_p50": round(added * 1000, 3),
    }


def serve() -> None:
    """A server of its own process, so that its time is not the proxy's."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    print(f"127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


def _download(address: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", "/big")
    answer, moved, room = connection.getresponse(), 0, bytearray(1 << 20)
    while got := answer.readinto(room):
        moved += got
    connection.close()
    return moved


def _small(address: str, count: int) -> float:
    connection = http.client.HTTPConnection(address, timeout=60)
    taken = []
    for _ in range(count + 1):
        began = time.perf_counter()
        connection.request("GET", "/small")
        connection.getresponse().read()
        taken.append(time.perf_counter() - began)
    connection.close()
    return statistics.median(taken[1:])


def _cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _lives(act: Callable[[], bool]) -> bool:
    """Whether a fault lived its life: it bit, was undone, left nothing. An assertion that fails is a no."""
    try:
        return act()
    except AssertionError:
        return False


def _proxied(proxy: HttpProxyProcess, moto: str) -> dict[str, bool]:
    proxy.add_route("faults", moto)
    route = HttpRoute(control=proxy.control, route="faults")

    def one(fault: Fault) -> bool:
        with struck(fault, route) as (_, bite):
            return bite.bit

    kinds = [kind for kind in members("faults") if kind.startswith(("cloud.api.", "application.http."))]
    made = {kind: members("faults")[kind].model_validate({"target": "route"}) for kind in kinds}
    return {kind: _lives(lambda fault=fault: one(fault)) for kind, fault in made.items()}  # type: ignore[misc,arg-type]


def _controlled(moto: str) -> dict[str, bool]:
    aws, found = account(moto), {}
    for number, (kind, arrange) in enumerate(sorted(ARRANGED.items())):
        if kind in UNSEEN:
            continue
        fields = arrange(aws, f"bench-{kind.replace('.', '-').replace('_', '-')}")
        fault = members("faults")[kind].model_validate({"target": "account", **fields})

        def one(fault: Any = fault, number: int = number) -> bool:
            with struck(fault, aws, number=number) as (_, bite):
                return bool(bite.bit)

        found[kind] = _lives(one)
    return found


_CHILD = """
import os, sys
import chaosday.mechanisms.aws.calls as calls
from chaosday.model.lease import Lease, LeaseHolder
from tests.faults.cloud.arrangements import account
from tests.faults.cloud.living import planned
from chaosday.faults.cloud.ec2_stop import Ec2Stop
left, real = int(sys.argv[3]), calls.Call.run
def run(call, access):
    global left
    if left == 0: os.kill(os.getpid(), 9)
    left -= 1
    return real(call, access)
calls.Call.run = run
aws = account(sys.argv[1])
fault = Ec2Stop(target="account", ids=[sys.argv[2]])
plan = planned(fault, aws, number=int(sys.argv[4]))
aws.capability(LeaseHolder).arm(plan.lease); fault.inject(aws, plan); fault.heal(aws, plan.lease)
print("whole")
"""


def _killed(moto: str, directory: Path, step: int) -> dict[str, Any]:
    """SIGKILL before each API call of a life in turn; then recovery by tag alone; then what is left."""
    from chaosday.model.lease import LeaseHolder

    aws, points, left, removal_s = account(moto), 0, 0, []
    for point in range(0, 60, step):
        one = instance(aws, f"kill-{point}")
        command = [sys.executable, "-c", _CHILD, moto, one, str(point), str(5000 + point)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "whole" in done.stdout:
            break
        if done.returncode != -9:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        points += 1
        began = time.perf_counter()
        holder = account(moto).capability(LeaseHolder)
        for state in holder.leases():
            holder.heal(state.id)
        removal_s.append(time.perf_counter() - began)
        state = aws.client("ec2").describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]
        mine = f"cd-test-{5000 + point:04d}"
        left += len(holder.residue(mine)) + (state["State"]["Name"] != "running")
        left += any(tag["Key"].startswith("chaosday-l") for tag in state.get("Tags", []))
    return {"kill_points": points, "residues": left, "removal_ms_p50": round(statistics.median(removal_s) * 1000, 1)}


def _crowd(moto: str) -> dict[str, int]:
    """Experiments at the same time on one account, each with an instance of its own and one beside it."""
    aws = account(moto)
    ids = [instance(aws, f"crowd-{number}") for number in range(EXPERIMENTS)]
    together = threading.Barrier(EXPERIMENTS, timeout=300)
    wrong: list[int] = []

    def one(number: int) -> None:
        fault = members("faults")["cloud.ec2.stop"].model_validate({"target": "account", "ids": [ids[number]]})
        assert isinstance(fault, Fault)
        together.wait()
        try:
            with struck(fault, aws, number=6000 + number) as (plan, bite):
                if not bite.bit or list(plan.snapshot) != [ids[number]]:
                    wrong.append(number)
        except AssertionError:
            wrong.append(number)

    with ThreadPoolExecutor(EXPERIMENTS) as pool:
        list(pool.map(one, range(EXPERIMENTS)))
    reservations = aws.client("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    stopped = [each for r in reservations for each in r["Instances"] if each["State"]["Name"] != "running"]
    return {"concurrent_experiments": EXPERIMENTS, "interference": len(wrong) + len(stopped)}


def backends(kinds: set[str]) -> dict[str, list[str]]:
    """What the tests try each fault against."""

    def of(kind: str) -> list[str]:
        if kind.startswith("cloud.api."):
            return ["moto", "SeaweedFS"]
        if kind in {"cloud.s3.tamper", "cloud.s3.delete", "cloud.s3.old_version"}:
            return ["moto", "SeaweedFS"]
        if kind in UNSEEN:
            return ["moto (which shows no effect)"]
        if kind.startswith("cloud."):
            return ["moto"]
        if kind.startswith("kubernetes."):
            return ["Kubernetes 1.20"]
        return ["a real HTTP server"] if kind.startswith("application.http") else ["a real Python program"]

    return {kind: of(kind) for kind in sorted(kinds)}
