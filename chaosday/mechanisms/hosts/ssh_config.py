"""The way to a host as OpenSSH's own configuration has it: name, port, account, keys, identity, jump hosts.

``ssh -G`` is asked, which knows every rule of ssh_config(5): Include, Match, patterns, tokens, which value wins. What a
target says itself wins over the file, as ssh's command line does.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from chaosday.errors import CapabilityMissing, UsageError
from chaosday.mechanisms.hosts.connection import Address, Hop
from chaosday.mechanisms.hosts.logging_in import Login
from chaosday.processes.local_shell import ended
from chaosday.processes.login import expanded

UNSAID = "chaosday-unsaid"
LAST = f"\nHost *\nInclude /etc/ssh/ssh_config\nUser {UNSAID}\n".encode()
"""After the user's file, where the first value wins: the system's, and what tells that neither names an account."""
LARGEST_BYTES = 1_000_000
PATIENCE_S = 20
FARTHEST = 8
KEPT = ("HOME", "PATH", "USER", "LOGNAME", "LANG")


@dataclass(frozen=True)
class Said:
    """What is known of one host; an empty value is one that nobody gave."""

    host: str
    port: int
    user: str
    known_as: str = ""
    known_hosts: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    identities_only: bool = False
    agent: bool = True
    jump: str = ""


def way(to: Address, jump: str, login: Login, config: str, depth: int = 0) -> tuple[Hop, ...]:
    """Every host on the way to ``to``, itself last; its port may be 0 and its user empty where they were not said.

    ``jump`` is a list of ``[user@]host[:port]`` with commas, ``none``, or empty for what the configuration says.
    """
    said = said_of(to, config)
    user = said.user or "root"
    before: tuple[Hop, ...] = ()
    *earlier, last = (jump or said.jump or "none").split(",")
    if last != "none":
        if depth == FARTHEST:
            raise UsageError(f"{to.host}: its ProxyJump leads over more than {FARTHEST} hosts, or in a circle")
        through = parsed(last)
        # An account that nobody named is that of the host behind it.
        named = replace(through, user=through.user or said_of(through, config).user or user)
        before = way(named, ",".join(earlier), login, config, depth + 1)
    ours = replace(
        login,
        known_hosts=login.known_hosts or said.known_hosts or ("~/.ssh/known_hosts",),
        identities=said.identities,
        identities_only=said.identities_only,
        agent=login.agent and said.agent,
    )
    return (*before, Hop(Address(said.host, said.port or 22, user, said.known_as), ours))


def parsed(text: str) -> Address:
    """``[user@]host[:port]``, as in OpenSSH's ProxyJump, also as ``ssh://``; port 0 and user "" where not said."""
    user, _, place = text.strip().removeprefix("ssh://").rstrip("/").rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or "]" in port:
        host, port = place, "0"
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise UsageError(f"{text!r} is not an address: write [user@]host[:port]")
    return Address(host.strip("[]"), int(port), user)


def said_of(to: Address, config: str) -> Said:
    """What the file ``config`` and the system's say of a host; what ``to`` says itself where there is no such file."""
    path = expanded(config) if config else None
    if path is None or not path.exists():
        return Said(to.host, to.port, to.user)
    values = _asked(to, path)

    def one(name: str) -> str:
        word = values[name][0] if values[name] else ""
        return "" if word == "none" else word

    if command := one("proxycommand"):
        raise UsageError(
            f"{path}: {to.host} is reached through a ProxyCommand ({shlex.split(command)[0]} ...), which is not "
            "followed: say ProxyJump there, or give the target its jump, or ssh_config: ''"
        )
    user = one("user")
    known = [name for key in ("userknownhostsfile", "globalknownhostsfile") for name in one(key).split()]
    return Said(
        host=one("hostname") or to.host,
        port=int(one("port") or 0),
        user="" if user == UNSAID else user,
        known_as=one("hostkeyalias"),
        known_hosts=tuple(known),
        identities=tuple(values["identityfile"]),
        identities_only=one("identitiesonly") == "yes",
        agent=values["identityagent"] != ["none"],
        jump=one("proxyjump"),
    )


def _asked(to: Address, path: Path) -> dict[str, list[str]]:
    """The words of ``ssh -G``, by lower-case name."""
    if to.host.startswith("-"):
        raise UsageError(f"{to.host!r} is no name of a host")
    command = ["ssh", "-G", "-F", "/dev/stdin"]
    command += ["-p", str(to.port)] if to.port else []
    command += ["-l", to.user] if to.user else []
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    try:
        code, said, problems = ended(
            [*command, "--", to.host], stdin=_own(path) + LAST, timeout_s=PATIENCE_S, env=environment
        )
    except FileNotFoundError:
        raise CapabilityMissing(
            f"{path} is read by OpenSSH's client, which is not installed: install openssh-client, or set ssh_config: ''"
        ) from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"{path}: ssh -G {to.host} took longer than {PATIENCE_S} s; is there a Match exec?") from None
    if code:
        problem = next((line for line in problems.splitlines() if "Pseudo-terminal" not in line), "it cannot be read")
        raise UsageError(f"{path}: {problem.removeprefix('/dev/stdin ')}")
    values: dict[str, list[str]] = defaultdict(list)
    for line in said.splitlines():
        name, _, value = line.partition(" ")
        values[name].append(value)
    return values


def _own(path: Path) -> bytes:
    """The file's text, under ssh's rule: who else may write it decides where we log in and as whom."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid not in (0, os.getuid()) or status.st_mode & 0o022:
                raise UsageError(f"{path} may be written by others: chmod 600 it, or set ssh_config: ''")
            text = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; mend it, or set ssh_config: ''") from None
    if len(text) > LARGEST_BYTES:
        raise UsageError(f"{path} is larger than {LARGEST_BYTES} bytes")
    return text
