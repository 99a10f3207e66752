"""A server for S3 that we start leaves nothing outside its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.seaweedfs import seaweedfs


@pytest.mark.lab
def test_a_killed_seaweedfs_leaves_no_socket(tmp_path: Path) -> None:
    """Those that it makes in the system's folder for temporary files, wherever its own files are, go with it."""
    with seaweedfs(tmp_path / "weed") as store:
        made = [each for each in store.server.sockets if each.is_socket()]
        assert len(made) == len(store.server.sockets) > 0
        listening = {
            line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if "seaweedfs" in line
        }
        own = {each for each in listening if any(str(port) in each for port in _ports(store.server.command))}
        assert own <= {str(each) for each in made}
    assert not any(each.exists() for each in made)


def _ports(command: list[str]) -> set[str]:
    return {word.rpartition("=")[2] for word in command if ".port" in word} - {"0"}
