"""The ports that labs take."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from chaosday.servers.ports import free_port

ASK = """
import sys
from chaosday.servers.ports import free_port
print(*(free_port() for _ in range(300)), flush=True)
sys.stdin.read()
"""


def test_no_two_processes_are_promised_one_port() -> None:
    """Four processes that ask at once, and are all still there, get a port each, every time."""
    asking = [
        subprocess.Popen([sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [each.stdout.readline() for each in asking if each.stdout]
    for each in asking:
        each.communicate()
    ports = " ".join(said).split()
    assert len(ports) == len(set(ports)) == 1200


def test_a_port_that_somebody_listens_on_is_not_given() -> None:
    """Whoever did not ask for a port, and listens, keeps it."""
    first = free_port()
    with socket.create_server(("127.0.0.1", first + 1)):
        assert first + 1 not in {free_port() for _ in range(50)}


def test_a_promise_ends_with_its_process() -> None:
    """Ports of processes that are gone can be had again."""
    program = "from chaosday.servers import ports; ports._FIRST = {0}; print(ports.free_port())"
    last = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]) - 1
    for _ in range(3):
        command = [sys.executable, "-c", program.format(last)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == str(last)
