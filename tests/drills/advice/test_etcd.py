"""Members of etcd that sync and one that does not, by themselves and as three."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from chaosday.drills.advice.advising import advise
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from chaosday.targets.etcd import Etcd

pytestmark = pytest.mark.lab


@contextmanager
def members(folder: Path, count: int, *flags: str, **environment: str) -> Iterator[Etcd]:
    """A cluster of so many; the first member."""
    ports = [(free_port(), free_port()) for _ in range(count)]
    cluster = ",".join(f"m{number}=http://127.0.0.1:{peer}" for number, (_, peer) in enumerate(ports))
    with ExitStack() as undo:
        for number, (clients, peer) in enumerate(ports):
            words = [
                program("etcd", "etcd-server"), f"--name=m{number}", f"--data-dir={folder}/m{number}",
                f"--initial-cluster={cluster}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--listen-client-urls=http://127.0.0.1:{clients}",
                f"--advertise-client-urls=http://127.0.0.1:{clients}", "--log-level=error", *flags,
            ]  # fmt: skip
            server = Server(f"m{number}", words, folder, {"ETCD_UNSUPPORTED_ARCH": "", **environment})
            undo.callback(server.stop)
            # A member is ready once the others are there: only the last one is waited for.
            server.start(Etcd(port=ports[0][0]).reach if number == count - 1 else lambda: None)
        yield Etcd(port=ports[0][0])


@pytest.mark.parametrize(
    ("count", "flags", "environment", "expected"),
    [
        (1, (), {}, {"members"}),
        (1, ("--unsafe-no-fsync",), {}, {"members", "unsafe-no-fsync"}),
        (1, ("-unsafe-no-fsync=t",), {}, {"members", "unsafe-no-fsync"}),
        (1, (), {"ETCD_UNSAFE_NO_FSYNC": "true"}, {"members", "?unsafe-no-fsync"}),
        (3, (), {}, set()),
    ],
)
def test_what_an_etcd_can_lose(
    tmp_path: Path, count: int, flags: tuple[str, ...], environment: dict[str, str], expected: set[str]
) -> None:
    """One member is one disk; one that does not sync is named, however it was told; three that do are not spoken of."""
    with members(tmp_path, count, *flags, **environment) as target:
        found = advise(target)
    assert {f"{'?' if each.state == 'unread' else ''}{each.rule}" for each in found} == expected
