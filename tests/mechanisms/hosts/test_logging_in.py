"""Keys, certificates and known_hosts as OpenSSH's users have them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.errors import AccessDenied, Refused, UsageError
from chaosday.mechanisms.hosts.known_hosts import known_for
from chaosday.targets.ssh_host import SshHost
from tests.lab.hosts import Lab, LabHost
from tests.lab.machine import need_lab

SETUP = """
cd /srv/lab
ssh-keygen -q -t ed25519 -N '' -f authority
ssh-keygen -q -s authority -I lab -h -n "$(sed -n 's/^ListenAddress //p' sshd_config)" host_key.pub
"""
SSHD = "HostCertificate /srv/lab/host_key-cert.pub\nTrustedUserCAKeys /srv/lab/authority.pub\nMaxAuthTries 3"

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def host() -> Iterator[LabHost]:
    """A host with a certificate, which takes those that its authority signed, and three tries a connection."""
    need_lab()
    with Lab() as made:
        yield made.start(disk_mb=0, setup=SETUP, sshd=SSHD)


def _reach(reached: LabHost, /, **fields: object) -> str:
    login = {"host": reached.address, "known_hosts": str(reached.known_hosts), "agent": False, "attempts": 1}
    target = SshHost.model_validate(login | fields)
    try:
        return target.reach()
    finally:
        target.close()


def _made(path: Path, *options: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, *options], check=True)
    return path


def test_the_right_key_is_the_last_of_nine(host: LabHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent's keys are tried over as many connections as the host asks for; with none that is right, it is said."""
    started = subprocess.run(["ssh-agent", "-s", "-a", tmp_path / "agent"], capture_output=True, text=True, check=True)
    pid = int(started.stdout.partition("SSH_AGENT_PID=")[2].partition(";")[0])
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        for number in range(8):
            subprocess.run(["ssh-add", "-q", _made(tmp_path / f"wrong{number}")], check=True, capture_output=True)
        with pytest.raises(AccessDenied, match="check user and key"):
            _reach(host, agent=True)
        subprocess.run(["ssh-add", "-q", host.key], check=True, capture_output=True)
        assert _reach(host, agent=True).startswith("Linux")
    finally:
        os.kill(pid, 15)


def test_certificates_vouch_for_users_and_hosts(host: LabHost, tmp_path: Path) -> None:
    """Each signed by an authority and for its name; by another one, or for another name, they vouch for nothing."""
    authority = host.directory / "authority"
    key = _made(tmp_path / "key")
    with pytest.raises(AccessDenied):
        _reach(host, key_file=str(key))
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "lab", "-n", "root", f"{key}.pub"], check=True)
    assert _reach(host, key_file=str(key)).startswith("Linux")
    known, public = tmp_path / "known", (authority.with_suffix(".pub")).read_text()
    for name, signer, good in (
        ("198.18.*", public, True),
        ("!198.18.*,*", public, False),
        ("*.example", public, False),
        ("*", Path(f"{_made(tmp_path / 'other')}.pub").read_text(), False),
    ):
        known.write_text(f"@cert-authority {name} {signer}")
        if good:
            assert _reach(host, key_file=str(host.key), known_hosts=str(known)).startswith("Linux")
            continue
        with pytest.raises(Refused, match="is unknown"):
            _reach(host, key_file=str(host.key), known_hosts=str(known))
    known.write_text(f"@cert-authority * {public}@revoked * {public}")
    with pytest.raises(Refused, match=r"whoever signed its host key .* is revoked in"):
        _reach(host, key_file=str(host.key), known_hosts=str(known))


def test_lines_that_nobody_can_read_are_skipped_with_a_word(host: LabHost, tmp_path: Path) -> None:
    """Hashed names, comments and markers are understood; a damaged line costs itself, and a revoked key is refused."""
    known = tmp_path / "known"
    good = host.known_hosts.read_text()
    known.write_text(good)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
    damaged = (
        f"|1|no|hash ssh-ed25519 AAAA\n{host.address} ssh-ed25519 AAAA=B\n{host.address}\n# no line\n\n@what a b c\n"
    )
    known.write_bytes(damaged.encode() + b"\xff\xfe \x00\n" + known.read_bytes())
    assert _reach(host, key_file=str(host.key), known_hosts=str(known)).startswith("Linux")
    known.write_text(damaged)
    with pytest.raises(Refused, match=rf"is unknown; line 1 of {known} cannot be read; line 2 .* accept it with"):
        _reach(host, key_file=str(host.key), known_hosts=str(known))
    known.write_text(f"{good}@revoked {good}")
    with pytest.raises(Refused, match="is revoked in"):
        _reach(host, key_file=str(host.key), known_hosts=str(known))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": "a" * 70 + ".example"}, "is no name of a host"),
        ({"key_file": "/bin/true"}, "cannot be read as a key: it is not a private key"),
        ({"key_file": "/no/such/key"}, "cannot be read as a key: No such file"),
    ],
)
def test_a_mistake_is_said_as_what_it_is(host: LabHost, fields: dict[str, object], words: str) -> None:
    """In one line, at the first try."""
    with pytest.raises(UsageError, match=words):
        _reach(host, **fields)


def test_a_key_with_a_passphrase(host: LabHost, tmp_path: Path) -> None:
    """Opened by its passphrase; without one, it is said what to do."""
    key = tmp_path / "locked"
    key.write_bytes(host.key.read_bytes())
    key.chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret words", "-f", key], check=True, capture_output=True
    )
    assert _reach(host, key_file=str(key), key_passphrase="secret words").startswith("Linux")
    for passphrase in ("", "others"):
        with pytest.raises(UsageError, match="passphrase"):
            _reach(host, key_file=str(key), key_passphrase=passphrase)


@pytest.mark.parametrize(
    ("line", "name", "found"),
    [
        ("a.example,b.example", "b.example", 1),
        ("*.example,!b.example", "b.example", 0),
        ("[a.example]:2222", "a.example", 0),
        ("[a.example]:2222", "[a.example]:2222", 1),
        ("A.example", "a.EXAMPLE", 1),
        ("a?example", "a.example", 1),
        ("a[.x]example", "a.example", 0),
    ],
)
def test_patterns_of_names(tmp_path: Path, line: str, name: str, found: int) -> None:
    """As sshd(8) has them: wildcards, exceptions, ports; brackets are no set of letters."""
    public = Path(f"{_made(tmp_path / 'key')}.pub").read_text()
    (tmp_path / "known").write_text(f"{line} {public}")
    assert len(known_for([tmp_path / "known"], name).keys) == found
