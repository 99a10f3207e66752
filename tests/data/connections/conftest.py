from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.data.reconcile import servers
from tests.lab.machine import absent

PASSWORD = "hunter2"


@dataclass(frozen=True)
class Authority:
    """Certificates: of an authority, of a server on this machine that it vouches for, and of a stranger."""

    ca: Path
    certificate: Path
    key: Path
    stranger: Path


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    """An authority made for this session."""
    with servers.scratch() as folder:
        made = Authority(*(folder / name for name in ("ca.pem", "server.pem", "server.key", "stranger.pem")))
        ca, ca_key = _certificate("chaosday test authority")
        server, server_key = _certificate("localhost", ca, ca_key)
        made.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        made.certificate.write_bytes(server.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            server_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        made.stranger.write_bytes(_certificate("a stranger")[0].public_bytes(serialization.Encoding.PEM))
        made.key.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(made.key, servers.UNPRIVILEGED)
        yield made


def _certificate(
    name: str, issuer: x509.Certificate | None = None, issuer_key: ec.EllipticCurvePrivateKey | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256()), key


@pytest.fixture(scope="session")
def postgres(authority: Authority) -> Iterator[servers.Postgres]:
    """A PostgreSQL that takes ``lab`` over the network with TLS and a password only; ``postgres`` without either."""
    # The embedded package is built without TLS.
    binaries = servers.DEBIAN_POSTGRES
    if not (binaries / "initdb").exists():
        absent("no PostgreSQL 15 in /usr/lib: apt-get install postgresql-15")
    rules = authority.ca.with_name("pg_hba.conf")
    rules.write_text(
        "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhostssl all lab 127.0.0.1/32 scram-sha-256\n"
    )
    settings = ["ssl = on", f"ssl_cert_file = '{authority.certificate}'", f"ssl_key_file = '{authority.key}'",
                f"hba_file = '{rules}'"]  # fmt: skip
    with servers.postgres(binaries, *settings) as running:
        running.sql(
            f"create role lab login password '{PASSWORD}'",
            "create table t as select i as id, 'row ' || i as v from generate_series(1, 100) i",
            "grant select on t to lab",
        )
        yield running


@pytest.fixture(scope="session")
def mariadb(authority: Authority) -> Iterator[str]:
    """A MariaDB that takes ``guarded`` with TLS and a password only."""
    if shutil.which("mariadbd") is None:
        absent("no MariaDB here: apt-get install mariadb-server")
    settings = [f"--ssl-ca={authority.ca}", f"--ssl-cert={authority.certificate}", f"--ssl-key={authority.key}"]
    statements = (
        f"create user guarded@'%' identified by '{PASSWORD}' require ssl;\ngrant all on d.* to guarded@'%';\n"
        "create table d.t as select seq as id, concat('row ', seq) as v from d.seq_1_to_100;\n"
    )
    with servers.mariadb(*settings, statements=statements) as url:
        yield url
