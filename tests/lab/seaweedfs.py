"""A real S3 server for tests: the SeaweedFS of ``chaosday.servers``, which can be killed and started again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chaosday.errors import TargetUnreachable
from chaosday.servers import object_store
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server

ACCESS_KEY, SECRET_KEY = "labkey", "canary-lab-secret"
START_S = 180


@dataclass
class SeaweedFS:
    """A server at ``url``; ``kill`` is SIGKILL, ``start`` starts it, also again on the same data."""

    url: str
    volumes: Path
    server: Server

    def client(self) -> BaseClient:
        """A client of one attempt a call."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=20),
        )

    def start(self) -> None:
        """Return once a bucket can be made and written to."""
        client = self.client()

        def writes() -> None:
            try:
                if "ready" not in [each["Name"] for each in client.list_buckets()["Buckets"]]:
                    client.create_bucket(Bucket="ready")
                client.put_object(Bucket="ready", Key="ready", Body=b"1")
            except (BotoCoreError, ClientError) as error:
                raise TargetUnreachable(f"no object can be written: {error}") from None

        self.server.start(writes, START_S)

    def kill(self) -> None:
        """End it as a crash would."""
        self.server.stop()


@contextmanager
def seaweedfs(directory: Path) -> Iterator[SeaweedFS]:
    """Start SeaweedFS on data in ``directory``; it ends with the block."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    made = object_store.seaweedfs(directory, port, ACCESS_KEY, SECRET_KEY)
    server = SeaweedFS(f"http://127.0.0.1:{port}", directory / "data", made)
    try:
        server.start()
        yield server
    finally:
        server.kill()
