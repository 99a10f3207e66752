"""What a target has installed and lets us do, asked before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.model.target import Shell

PATH = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH\n"
"""Before every script: ordinary users have no sbin, and that is where nft, tc and ip live."""

PACKAGES = {
    "bash": "bash",
    "dd": "coreutils",
    "df": "coreutils",
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
    """Raise ``CapabilityMissing`` for tools that are not there, naming their packages, and for lack of root."""
    listed = " ".join(quote(tool) for tool in tools)
    answers = ask(
        shell,
        {
            "missing": f"for tool in {listed}; do command -v $tool >/dev/null || echo $tool; done",
            "user": "id -u",
        },
    )
    if missing := [tool for tool in answers["missing"].split() if tool in tools]:
        packages = sorted({PACKAGES.get(tool, tool) for tool in missing})
        raise CapabilityMissing(f"the target lacks {', '.join(missing)}; install: apt install {' '.join(packages)}")
    if root and answers["user"] != "0":
        raise CapabilityMissing("this fault needs root on the target; log in as root, or allow our user sudo")


def act(shell: Shell, script: str, *, timeout_s: float = 30, stdin: str = "") -> str:
    """Run a script as root that has to work; ``CapabilityMissing`` with what it said where it did not."""
    result = shell.run(PATH + script, timeout_s=timeout_s, stdin=stdin, sudo=True)
    if result.code:
        said = " ".join((result.err or result.out).split())[:300]
        raise CapabilityMissing(f"the target could not do it (exit code {result.code}): {said or 'it said nothing'}")
    return result.out
