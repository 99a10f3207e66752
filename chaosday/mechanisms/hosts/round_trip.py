"""Round trips from a target to a peer: the second path by which network faults are measured."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from shlex import quote

from chaosday.errors import CapabilityMissing, UsageError
from chaosday.mechanisms.hosts.tools import PATH
from chaosday.model.target import Shell
from chaosday.model.words import ADDRESS

_COUNTS = re.compile(r"(\d+) packets transmitted, (\d+) received")
_TIMES = re.compile(r"= ([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+) ms")
_ELAPSED = re.compile(r"time (\d+)ms")


@dataclass(frozen=True)
class Probe:
    """Whom to ask, and how: echo requests, or TCP connections where a port is given."""

    host: str
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Probe:
        """``host`` or ``host:port``; IPv6 in brackets where there is a port."""
        if not text or not re.fullmatch(ADDRESS, text):
            raise UsageError(f"{text!r} is nothing to probe: write an address or address:port")
        host, colon, port = text.rpartition(":")
        if colon and port.isdigit() and (":" not in host or host.startswith("[")):
            return cls(host.strip("[]"), int(port))
        return cls(text)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host

    def tools(self) -> tuple[str, ...]:
        """What the target needs to ask."""
        return ("bash", "date", "timeout") if self.port else ("ping",)


@dataclass(frozen=True)
class Pace:
    """How many times to ask, how far apart, how long to wait for an answer, and how much to send."""

    count: int = 20
    gap_s: float = 0.01
    wait_s: float = 1
    payload_bytes: int = 56


@dataclass(frozen=True)
class RoundTrips:
    """What came back: counts, and times in milliseconds (NaN where nothing came)."""

    sent: int
    received: int
    duplicates: int = 0
    refused: int = 0
    reordered: int = 0
    damaged: int = 0
    median_ms: float = math.nan
    least_ms: float = math.nan
    spread_ms: float = math.nan
    elapsed_s: float = math.nan

    @property
    def loss_percent(self) -> float:
        return 100 * (1 - self.received / self.sent) if self.sent else math.nan


def round_trips(shell: Shell, probe: Probe, pace: Pace) -> RoundTrips:
    """Ask as often as ``pace`` says; the payload is of echo requests only."""
    return _connects(shell, probe, pace) if probe.port else _echoes(shell, probe, pace)


def _echoes(shell: Shell, probe: Probe, pace: Pace) -> RoundTrips:
    # Every time is printed, because the mean that -q gives is moved by one late packet. -U: until the answer
    # is in our hands; the kernel's own time stamp is taken before a delay on the way in.
    script = (
        f"LC_ALL=C ping -n -U -c {pace.count} -i {pace.gap_s:g} -W {pace.wait_s:g} -s {pace.payload_bytes} "
        f"{quote(probe.host)}"
    )
    result = shell.run(PATH + script, timeout_s=pace.count * pace.gap_s + 30, sudo=True)
    counts = _COUNTS.search(result.out)
    if counts is None:
        raise CapabilityMissing(f"ping {probe}: {' '.join((result.err or result.out).split())[:200]}")
    times = sorted(float(t) for t in re.findall(r"time=([\d.]+) ms(?! \(DUP)", result.out))
    elapsed = _ELAPSED.search(result.out)
    order = [int(number) for number in re.findall(r"icmp_seq=(\d+) .*time=[\d.]+ ms(?! \(DUP)", result.out)]
    return RoundTrips(
        sent=int(counts[1]),
        received=int(counts[2]),
        duplicates=result.out.count("(DUP!)"),
        reordered=sum(later < earlier for earlier, later in pairwise(order)),
        damaged=result.out.count("BAD CHECKSUM") + result.out.count("wrong data byte"),
        median_ms=times[len(times) // 2] if times else math.nan,
        least_ms=times[0] if times else math.nan,
        spread_ms=_deviation(times),
        elapsed_s=int(elapsed[1]) / 1000 if elapsed else math.nan,
    )


def _connects(shell: Shell, probe: Probe, pace: Pace) -> RoundTrips:
    # The built-in /dev/tcp of bash: on nearly every host, and it tells refusal (at once) from silence.
    peer = f"{quote(probe.host)} {probe.port}"
    # Nobody waits for the one before, as with ping: twenty that are never answered would take twenty times the wait,
    # and a fault as much longer than it was asked for.
    script = (
        f"i=0; while [ $i -lt {pace.count} ]; do {{ s=$(date +%s%N); "
        f"timeout {pace.wait_s:g} bash -c 'exec 3<>\"/dev/tcp/$1/$2\"' bash {peer} 2>/dev/null; "
        f"echo $? $(($(date +%s%N) - s)); }} & sleep {pace.gap_s:g}; i=$((i + 1)); done; wait"
    )
    result = shell.run(PATH + script, timeout_s=2 * pace.wait_s * pace.count + 10)
    answers = [(int(code), int(ns) / 1e6) for code, ns in (line.split() for line in result.out.splitlines())]
    times = sorted(ms for code, ms in answers if code == 0)
    return RoundTrips(
        sent=len(answers),
        received=len(times),
        refused=sum(code not in (0, 124) for code, _ in answers),
        median_ms=times[len(times) // 2] if times else math.nan,
        least_ms=times[0] if times else math.nan,
        spread_ms=_deviation(times),
    )


def throughput_mbit(shell: Shell, probe: Probe, payload_bytes: int = 1400, outstanding: int = 60) -> float:
    """Echo requests a second, times their size: a window of ``outstanding`` is kept full for a second.

    ``ping -f`` sends the next one when an answer comes, so that it finds the rate of the narrowest
    place without a server at the other end.
    """
    script = f"LC_ALL=C ping -n -q -f -l {outstanding} -w 1 -s {payload_bytes} {quote(probe.host)}"
    result = shell.run(PATH + script, timeout_s=30, sudo=True)
    counts, elapsed = _COUNTS.search(result.out), _ELAPSED.search(result.out)
    if counts is None or elapsed is None or not int(elapsed[1]):
        raise CapabilityMissing(f"ping {probe}: {' '.join((result.err or result.out).split())[:200]}")
    return int(counts[2]) * (payload_bytes + 28) * 8 / int(elapsed[1]) / 1000


def _deviation(times: list[float]) -> float:
    if len(times) < 2:
        return math.nan
    mean = sum(times) / len(times)
    return math.sqrt(sum((t - mean) ** 2 for t in times) / (len(times) - 1))
