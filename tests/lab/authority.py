"""Certificates for servers that demand them: an authority, a server's and a client's, made for one run by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "store.test"


@dataclass(frozen=True)
class Authority:
    """PEM files; ``stranger`` is an authority that signed none of them."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path
    stranger: Path

    def tls(self, **changed: str) -> dict[str, str]:
        """The fields of a target that is let in."""
        fields = {"ca_file": self.ca, "certificate_file": self.client, "key_file": self.client_key}
        return {name: str(path) for name, path in fields.items()} | {"server_name": NAME} | changed


def authority(folder: Path) -> Authority:
    """Make them in ``folder``; readable by anybody but for the keys, which are their owner's."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("ca", "stranger"):
        _made(folder, name, f"/CN={name}", ["-addext", "basicConstraints=critical,CA:TRUE"])
    signed = ["-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"), "-addext", "basicConstraints=CA:FALSE"]
    _made(folder, "server", f"/CN={NAME}", [*signed, "-addext", f"subjectAltName=DNS:{NAME}"])
    # Without a CommonName: the gateway of etcd takes none where accounts are on.
    _made(folder, "client", "/O=client", signed)
    files = [folder / f"{name}" for name in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")]
    ca, server, server_key, client, client_key = files
    return Authority(ca, server, server_key, client, client_key, folder / "stranger.pem")


def _made(folder: Path, name: str, subject: str, more: list[str]) -> None:
    key, out = folder / f"{name}.key", folder / f"{name}.pem"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", str(key), "-out", str(out)]
    subprocess.run(
        ["openssl", "req", "-x509", "-days", "30", "-subj", subject, *new, *more], check=True, capture_output=True
    )
