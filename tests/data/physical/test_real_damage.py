from __future__ import annotations

import sqlite3
from pathlib import Path

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaosday.checks.parquet_checksums import ParquetChecksums
from chaosday.checks.pg_verifybackup import PgVerifybackup
from chaosday.checks.s3_checksums import S3Checksums
from chaosday.checks.sqlite_integrity import SqliteIntegrity
from chaosday.clients.objects import Bucket
from chaosday.data.physical.backup import observe_backup
from chaosday.data.physical.parquet_pages import observe_parquet
from chaosday.data.physical.s3_objects import observe_objects
from chaosday.data.physical.sqlite_file import observe_sqlite
from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.hosts.postgres_tools import PostgresTools
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Finding, Outcome
from tests.data.reconcile import servers
from tests.lab.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS


def judged(check: Check, said: object) -> Finding:
    return check.judge(Evidence(Path("nowhere"), overlay={f"observations/{check.kind}": said}))


def flip(path: Path, at: int, bit: int = 3) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """A Parquet file of several row groups and page kinds, with page checksums."""
    table = pa.table(
        {"i": range(5000), "s": [f"value {i % 50}" for i in range(5000)], "l": [[i, None] for i in range(5000)]}
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, row_group_size=2000, write_page_checksum=True, data_page_size=4096)
    return path


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["snappy", "none", "zstd"])
def test_parquet_pages_of_every_make_are_read(tmp_path: Path, version: str, compression: str) -> None:
    """Both page formats and several codecs: every page is found and its checksum holds."""
    path = tmp_path / "v.parquet"
    table = pa.table({"i": range(3000), "s": [str(i % 7) for i in range(3000)]})
    pq.write_table(table, path, data_page_version=version, compression=compression, write_page_checksum=True)
    finding = judged(ParquetChecksums(), observe_parquet(str(path)))
    assert (finding.outcome, finding.examined >= 3) == (Outcome.PASS, True)


def test_every_flip_in_a_parquet_page_is_found(parquet: Path) -> None:
    """One random bit in pages with checksums is found every time; a file without them is called unprotected."""
    sound = parquet.read_bytes()
    footer = int.from_bytes(sound[-8:-4], "little") + 8
    rng = np.random.default_rng(7)
    outcomes = []
    for _ in range(60):
        parquet.write_bytes(sound)
        flip(parquet, int(rng.integers(4, len(sound) - footer)), int(rng.integers(8)))
        outcomes.append(judged(ParquetChecksums(), observe_parquet(str(parquet))).outcome)
    assert outcomes.count(Outcome.VIOLATED) == 60
    pq.write_table(pa.table({"i": range(10)}), parquet)
    finding = judged(ParquetChecksums(), observe_parquet(str(parquet)))
    assert (finding.outcome, "unprotected" in finding.reasons[0]) == (Outcome.INCONCLUSIVE, True)


def test_a_truncated_parquet_file_is_damage(parquet: Path) -> None:
    """A file cut off in the middle cannot be read: that is damage, and it is named."""
    parquet.write_bytes(parquet.read_bytes()[:3000])
    assert judged(ParquetChecksums(), observe_parquet(str(parquet))).anomaly("unreadable-file") is not None
    with pytest.raises(TargetUnreachable):
        observe_parquet(str(parquet.parent / "none*.parquet"))


def test_sqlite_structure_and_orphans(tmp_path: Path) -> None:
    """A sound database passes, orphans and damaged pages are named, a locked one is inconclusive."""
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as database:
        database.executescript("create table p (id integer primary key); insert into p values (1)")
        database.executescript("create table c (p int references p); create index ci on c (p)")
        database.executemany("insert into c values (?)", [(1,)] * 2000)
    database.close()
    assert judged(SqliteIntegrity(), observe_sqlite(path)).outcome is Outcome.PASS
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("begin exclusive")
    assert judged(SqliteIntegrity(), observe_sqlite(path)).outcome is Outcome.INCONCLUSIVE
    writer.execute("insert into c values (99)")
    writer.execute("commit")
    writer.close()
    assert [a.name for a in judged(SqliteIntegrity(), observe_sqlite(path)).anomalies] == ["orphan-row"]
    flip(path, 4096 * 2 + 3)
    assert judged(SqliteIntegrity(), observe_sqlite(path)).anomaly("corrupt-page") is not None


@pytest.mark.lab
@pytest.mark.parametrize("damage", ["none", "flip", "missing", "extra", "truncated"])
def test_a_backup_against_its_manifest(server: servers.Postgres, tmp_path: Path, damage: str) -> None:
    """pg_verifybackup's real words about a real backup are understood, for each kind of damage."""
    tools = PostgresTools(server.binaries)
    with servers.scratch() as folder:
        backup = folder / "backup"
        where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-D", str(backup)]
        done = tools.run("pg_basebackup", *where, "-c", "fast", "-X", "stream", "--no-sync")
        assert done.exit_code == 0, done.lines
        victim = backup / "global" / "pg_filenode.map"
        if damage == "flip":
            flip(victim, 0)
        elif damage == "missing":
            victim.unlink()
        elif damage == "extra":
            (backup / "stray").write_text("x")
        elif damage == "truncated":
            victim.write_bytes(b"")
        finding = judged(PgVerifybackup(), observe_backup(tools, backup))
    expected = {"none": [], "flip": ["wrong-checksum"], "missing": ["missing-file"], "extra": ["extra-file"],
                "truncated": ["wrong-size"]}[damage]  # fmt: skip
    assert [one.name for one in finding.anomalies] == expected, finding
    assert finding.examined > 500


@pytest.mark.lab
def test_rot_below_a_real_object_store_is_found(weed: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit flipped in the store's own file: HEAD goes on answering, and reading the object tells."""
    for name, value in (("AWS_ENDPOINT_URL", weed.url), ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                        ("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_MAX_ATTEMPTS", "1")):  # fmt: skip
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="rot")
    body = np.random.default_rng(3).bytes(50_000)
    for name in ("a", "b", "victim"):
        client.put_object(Bucket="rot", Key=name, Body=body + name.encode(), ChecksumAlgorithm="SHA256")
    assert judged(S3Checksums(), observe_objects(Bucket("rot"))).outcome is Outcome.PASS
    for path in weed.volumes.rglob("*.dat"):
        at = path.read_bytes().find(body + b"victim")
        if at >= 0:
            with path.open("r+b") as file:
                file.seek(at + 1000)
                file.write(bytes([body[1000] ^ 1]))
    assert client.head_object(Bucket="rot", Key="victim")["ContentLength"] == 50_006
    finding = judged(S3Checksums(), observe_objects(Bucket("rot", read_timeout_s=10)))
    assert finding.outcome is Outcome.VIOLATED
    assert finding.damaged_keys() == {"victim"}
