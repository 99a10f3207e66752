"""OpenSSH's configuration as users have it leads to a host, and whatever cannot be followed is said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.errors import AccessDenied, CapabilityMissing, Refused, UsageError
from chaosday.mechanisms.hosts import ssh_config
from chaosday.mechanisms.hosts.connection import Address
from chaosday.mechanisms.hosts.logging_in import Login
from chaosday.targets.ssh_host import SshHost
from tests.lab.hosts import Lab, LabHost
from tests.lab.machine import need_lab

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A host to go through, and one behind it with an account of its own."""
    need_lab()
    with Lab() as made:
        made.start(disk_mb=0)
        made.start(disk_mb=0)
        yield made


@pytest.fixture
def hosts(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[LabHost]:
    """The two hosts, and a home folder without keys."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    return list(lab.hosts.values())


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / ".ssh" / "config"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def way(name: str, config: Path | str, jump: str = "", port: int = 0, user: str = "") -> list[str]:
    return [str(hop.address) for hop in ssh_config.way(Address(name, port, user), jump, Login(), str(config))]


def test_a_target_that_says_only_its_name(hosts: list[LabHost], tmp_path: Path) -> None:
    """Name, account, key, identity and the host on the way come from the file, and from what it includes."""
    first, behind = hosts
    (tmp_path / "more").write_text(f"Host *\n  IdentityFile {first.key}\n  UserKnownHostsFile {first.known_hosts}\n")
    written(
        tmp_path,
        f"Host bastion\n  HostName {first.address}\n  User root\n"
        f"Host orders-*\n  HostName {behind.address}\n  ProxyJump bastion\n"
        f"Match host {behind.address}\n  Port 22\nMatch all\nInclude {tmp_path / 'more'}\n",
    )
    target = SshHost(host="orders-db", attempts=1)
    try:
        assert f"through root@{behind.address}:22" in target.reach()
        assert target._shell.run("echo $SSH_CONNECTION").out.split()[0] == first.address
    finally:
        target.close()
    assert target.fences([]) == SshHost(host=behind.address, ssh_config="").fences([])
    assert behind.address in target.things() and first.address in target.things()


def test_what_the_target_says_wins(hosts: list[LabHost], tmp_path: Path) -> None:
    """As ssh's command line does: account, port, key and the way, which may be none."""
    config = written(tmp_path, "Host db\n  HostName db.example\n  User ada\n  Port 2200\n  ProxyJump gate\n")
    assert way("db", config) == ["ada@gate:22", "ada@db.example:2200"]
    assert way("db", config, user="root", port=22) == ["root@gate:22", "root@db.example:22"]
    assert way("db", config, jump="none") == ["ada@db.example:2200"]
    assert way("db", config, jump="eve@one:1,[::1]:2") == ["eve@one:1", "ada@::1:2", "ada@db.example:2200"]
    assert way("other", config) == ["root@other:22"] == way("other", "") == way("other", tmp_path / "absent")


def test_a_key_filed_under_another_name(hosts: list[LabHost], tmp_path: Path) -> None:
    """HostKeyAlias is where its key is looked for, and there alone."""
    first = hosts[0]
    known = tmp_path / "known"
    known.write_text(first.known_hosts.read_text().replace(first.address, "orders"))
    text = f"Host db\n  HostName {first.address}\n  IdentityFile {first.key}\n  UserKnownHostsFile {known}\n"
    for more, error in (("  HostKeyAlias orders\n", None), ("  HostKeyAlias others\n", Refused), ("", Refused)):
        written(tmp_path, text + more)
        target = SshHost(host="db", attempts=1)
        if error is None:
            assert target.reach().startswith("Linux")
        else:
            with pytest.raises(error, match="is unknown"):
                target.reach()
        target.close()


def test_no_way_of_checking_less_is_followed(hosts: list[LabHost], tmp_path: Path) -> None:
    """StrictHostKeyChecking no means nothing here: a key that nobody accepted is refused."""
    first = hosts[0]
    written(tmp_path, f"Host *\n  StrictHostKeyChecking no\n  IdentityFile {first.key}\n")
    with pytest.raises(Refused, match="is unknown"):
        SshHost(host=first.address, attempts=1).reach()
    written(tmp_path, f"Host *\n  IdentityFile {tmp_path / 'none'}\n  UserKnownHostsFile {first.known_hosts}\n")
    with pytest.raises(AccessDenied, match="no key to try"):
        SshHost(host=first.address, attempts=1).reach()


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("Host db\n  ProxyCommand nc -X connect %h %p\n", 0o600, r"ProxyCommand \(nc \.\.\.\), which is not followed"),
        ("Host db\n  ProxyJump a\nHost a\n  ProxyJump db\n", 0o600, "in a circle"),
        ("Host db\n  HostNmae x\n", 0o600, "line 2: Bad configuration option: hostnmae"),
        ("Host db\n  User ada\n", 0o666, "may be written by others"),
        ("Host db\n  Port 70000\n", 0o600, "line 2: Bad port '70000'"),
        ('Match exec "sleep 600"\n  User ada\n', 0o600, "took longer than"),
    ],
)
def test_what_cannot_be_followed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, mode: int, said: str
) -> None:
    """With the file's name and what to do; nobody is connected to."""
    monkeypatch.setattr(ssh_config, "PATIENCE_S", 1)
    path = written(tmp_path, text, mode)
    began = time.monotonic()
    with pytest.raises(UsageError, match=said) as wrong:
        way("db", path)
    assert time.monotonic() - began < 60
    assert "\n" not in str(wrong.value) and ("circle" in said or str(path) in str(wrong.value))


def test_a_name_is_no_option_and_no_text_of_the_file(tmp_path: Path) -> None:
    """Neither a host nor an account becomes an option of ssh or a line of its configuration."""
    path = written(tmp_path, "Host *\n  User ada\n")
    with pytest.raises(UsageError, match="no name of a host"):
        way("-oProxyCommand=touch${IFS}canary", path)
    for name in ("x\nProxyCommand touch canary", "$(touch canary)", "x;touch canary"):
        with pytest.raises(UsageError):
            way(name, path)
    assert not Path("canary").exists() and not (tmp_path / "canary").exists()


def test_without_the_client_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that is there is never passed over in silence."""
    path = written(tmp_path, "Host *\n  User ada\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CapabilityMissing, match="openssh-client"):
        way("db", path)
