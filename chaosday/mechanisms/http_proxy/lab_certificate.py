"""A certificate for clients of a lab: an authority made for one run, whose key is thrown away at once."""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chaosday.errors import Unavailable

_DAYS = "30"
_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = {names}
"""


@dataclass(frozen=True)
class LabCertificate:
    """Files: whom clients are to trust, and what the proxy shows them."""

    authority_file: Path
    certificate_file: Path
    key_file: Path


def lab_certificate(folder: Path, names: Iterable[str]) -> LabCertificate:
    """Make an authority and a certificate of it for these host names and addresses in ``folder``, by ``openssl``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    config, authority_key = folder / "openssl.cnf", folder / "authority.key"
    made = LabCertificate(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    alternatives = ", ".join(_alternative(name) for name in dict.fromkeys(["localhost", "127.0.0.1", "::1", *names]))
    issued = ["-CA", str(made.authority_file), "-CAkey", str(authority_key)]
    try:
        config.write_text(_CONFIG.format(name="chaosday lab authority", names="DNS:unused.invalid"))
        _openssl(config, "authority", authority_key, made.authority_file)
        config.write_text(_CONFIG.format(name="chaosday http-proxy", names=alternatives))
        _openssl(config, "server", made.key_file, made.certificate_file, *issued)
    finally:
        # Nobody can make another certificate that these clients would trust.
        authority_key.unlink(missing_ok=True)
        config.unlink(missing_ok=True)
    return made


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def _openssl(config: Path, section: str, key: Path, out: Path, *more: str) -> None:
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", str(key), "-out", str(out)]
    command = ["openssl", "req", "-x509", "-days", _DAYS, "-config", str(config), "-extensions", section, *new, *more]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Unavailable("there is no openssl to make a certificate: install it, or give --certificate") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise Unavailable(f"openssl (3.0 or later is needed) made no certificate: {said}; or give --certificate")
