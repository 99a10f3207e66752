"""What a target has installed and lets us do, asked before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.model.target import Shell
from chaosday.processes import mark

PATH = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH\n"
"""Before every script: ordinary users have no sbin, and that is where nft, tc and ip live."""

PACKAGES = {
    "bash": "bash",
    "date": "coreutils",
    "dd": "coreutils",
    "dmsetup": "dmsetup",
    "docker": "docker.io",
    "fallocate": "util-linux",
    "fusermount3": "fuse3",
    "ip": "iproute2",
    "iptables": "iptables",
    "nft": "nftables",
    "ping": "iputils-ping",
    "podman": "podman",
    "prlimit": "util-linux",
    "python3": "python3",
    "setsid": "util-linux",
    "ss": "iproute2",
    "strace": "strace",
    "systemctl": "systemd",
    "tail": "coreutils",
    "tc": "iproute2",
    "timeout": "coreutils",
}
"""Tool -> the Debian package that brings it."""

WHOLE = {"date": "date +%N | grep -q '^[0-9]'", "tc": "tc -V 2>&1 | grep -q iproute"}
"""Tool -> a question that the whole one answers, and not the one of that name in busybox, which knows no part of a
second, and no tbf."""
INSTALLERS = {"apt": "apt install", "apk": "apk add", "dnf": "dnf install", "zypper": "zypper install"}
ELSEWHERE = {
    "apk": {
        "dmsetup": "device-mapper",
        "docker.io": "docker",
        "iputils-ping": "iputils",
        "setsid": "util-linux-misc",
        "systemd": "openrc",
        "tc": "iproute2-tc",
    },
    "dnf": {
        "dmsetup": "device-mapper",
        "docker.io": "moby-engine",
        "iproute2": "iproute",
        "iptables": "iptables-nft",
        "iputils-ping": "iputils",
        "tc": "iproute-tc",
    },
    "zypper": {
        "dmsetup": "device-mapper",
        "docker.io": "docker",
        "iputils-ping": "iputils",
    },
}
"""Installer -> what it calls a tool or a Debian package, where it calls it otherwise."""

UPTIME_NS = "awk '{ printf \"%.0f\\n\", $1 * 1e9 }' /proc/uptime"
"""Shell text that prints a clock that every Linux has and nobody sets, in ns; it moves in steps of 10 ms."""

_MARK = "\x1e"


def ask(shell: Shell, questions: Mapping[str, str], *, timeout_s: float = 30) -> dict[str, str]:
    """Run several read-only scripts in one round trip; what each one printed, by its name.

    A script that fails answers with what it printed all the same. Run as root where we may be.
    """
    script = PATH + "".join(
        f"printf '{_MARK}%s\\n' {quote(name)}\n(\n{body}\n) 2>/dev/null\n" for name, body in questions.items()
    )
    result = shell.run(script, timeout_s=timeout_s, sudo=True)
    answers = {}
    for part in result.out.split(_MARK)[1:]:
        name, _, body = part.partition("\n")
        answers[name] = body.rstrip("\n")
    if missing := [name for name in questions if name not in answers]:
        raise TargetUnreachable(f"the target did not answer {missing[0]!r}: {result.err.strip() or result.code}")
    return answers


def need(shell: Shell, *tools: str, root: bool = True) -> None:
    """Raise ``CapabilityMissing`` for tools that are not there, naming their packages, and for lack of root.

    What is started in a session of its own (``setsid``) is found again by its mark, which has to be readable.
    """
    listed = " ".join(quote(tool) for tool in tools)
    answers = ask(
        shell,
        {
            "missing": f"for tool in {listed}; do command -v $tool >/dev/null || echo $tool; done\n"
            + "".join(f"{WHOLE[tool]} || echo {tool}\n" for tool in tools if tool in WHOLE),
            "user": "id -u",
            **({"marks": mark.visible()} if "setsid" in tools else {}),
        },
    )
    if missing := [tool for tool in tools if tool in answers["missing"].split()]:
        found = f"for each in {' '.join(INSTALLERS)}; do command -v $each && break; done | sed 's:.*/::'"
        how = _install(missing, ask(shell, {"installer": found})["installer"])
        raise CapabilityMissing(f"the target lacks {', '.join(missing)}; install: {how}")
    if not answers.get("marks", "yes"):
        raise CapabilityMissing(
            "the environment of processes cannot be read on the target (/proc/*/environ), so that what this fault "
            "starts could not be found again; mount /proc there, or do not hide it"
        )
    if root and answers["user"] != "0":
        raise CapabilityMissing("this fault needs root on the target; log in as root, or allow our user sudo")


def _install(tools: list[str], installer: str) -> str:
    """The command that brings the tools, on the kind of system that it is."""
    names = ELSEWHERE.get(installer, {})
    brings = {names.get(tool) or names.get(PACKAGES.get(tool, tool)) or PACKAGES.get(tool, tool) for tool in tools}
    return f"{INSTALLERS.get(installer, INSTALLERS['apt'])} {' '.join(sorted(brings))}"


def act(shell: Shell, script: str, *, timeout_s: float = 30, stdin: str = "") -> str:
    """Run a script as root that has to work; ``CapabilityMissing`` with what it said where it did not."""
    result = shell.run(PATH + script, timeout_s=timeout_s, stdin=stdin, sudo=True)
    if result.code:
        said = " ".join((result.err or result.out).split())[:300]
        raise CapabilityMissing(f"the target could not do it (exit code {result.code}): {said or 'it said nothing'}")
    return result.out


def passed_s(begin_ns: int, end_ns: int) -> float:
    """Seconds between two readings of ``UPTIME_NS``; ``TargetUnreachable`` where none passed, and no rate is known."""
    if end_ns <= begin_ns:
        raise TargetUnreachable("the host's clock stood still between two looks at it: there is no rate to be told")
    return (end_ns - begin_ns) / 1e9
