from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.client import BaseClient

from chaosday.clients.objects import Bucket, Listed
from chaosday.data.manifest import compare, of_objects, of_table
from chaosday.data.reconcile import Side
from chaosday.errors import UsageError
from tests.data.reconcile.servers import Postgres

pytestmark = pytest.mark.lab


@pytest.fixture
def client(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseClient]:
    """An S3 client, and the environment that the code under test finds the same server by."""
    for name, value in (("AWS_ENDPOINT_URL", moto), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"),
                        ("AWS_DEFAULT_REGION", "us-east-1")):  # fmt: skip
        monkeypatch.setenv(name, value)
    made = boto3.client("s3")
    made.create_bucket(Bucket="vault")
    made.put_bucket_versioning(Bucket="vault", VersioningConfiguration={"Status": "Enabled"})
    yield made
    versions = made.list_object_versions(Bucket="vault")
    for entry in [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]:
        made.delete_object(Bucket="vault", Key=entry["Key"], VersionId=entry["VersionId"])
    made.delete_bucket(Bucket="vault")


@pytest.mark.parametrize("reread", [False, True])
def test_objects_are_compared_by_listing_or_by_bytes(client: BaseClient, reread: bool) -> None:
    """Missing, extra, renamed, misdirected and overwritten objects are named, from the listing and from the bytes."""
    for number in range(8):
        client.put_object(Bucket="vault", Key=f"p/{number}", Body=b"object %d" % number)
    bucket = Bucket("vault")
    before = of_objects(bucket, "p/", reread=reread)
    client.delete_object(Bucket="vault", Key="p/0")
    client.put_object(Bucket="vault", Key="p/new", Body=b"never seen")
    client.put_object(Bucket="vault", Key="p/1", Body=b"object 2")
    client.put_object(Bucket="vault", Key="p/3", Body=b"object X")
    client.delete_object(Bucket="vault", Key="p/4")
    client.put_object(Bucket="vault", Key="p/four", Body=b"object 4")
    found = compare(before, of_objects(bucket, "p/", reread=reread))
    assert {one.name: one.kind for one in found.damage} == {
        "p/0": "missing", "p/new": "extra", "p/1": "misdirected", "p/3": "bit_flip", "p/four": "renamed",
    }  # fmt: skip
    assert bool(found.blind_to) is not reread


def test_an_old_version_put_back_is_stale(client: BaseClient) -> None:
    """The versions of the bucket are the past: restoring an older content is called stale."""
    for body in (b"first", b"other"):
        client.put_object(Bucket="vault", Key="k", Body=body)
    before = of_objects(Bucket("vault"), "")
    client.put_object(Bucket="vault", Key="k", Body=b"first")
    assert [one.kind for one in compare(before, of_objects(Bucket("vault"), "")).damage] == ["stale"]


class Restless(Bucket):
    """A bucket in which others write, delete and add as soon as it was listed."""

    listed = 0

    def listing(self, prefix: str) -> list[Listed]:
        found = super().listing(prefix)
        self.listed += 1
        if self.listed == 1:
            self.client.put_object(Bucket=self.name, Key="p/1", Body=b"written")
            self.client.delete_object(Bucket=self.name, Key="p/2")
            self.client.put_object(Bucket=self.name, Key="p/9", Body=b"added")
        return found


@pytest.mark.parametrize("reread", [False, True])
def test_what_changes_while_it_is_listed_is_never_equal(client: BaseClient, reread: bool) -> None:
    """It is named on whichever side it happened, the rest is compared, and the answer is that it is not known."""
    for number in range(4):
        client.put_object(Bucket="vault", Key=f"p/{number}", Body=b"object %d" % number)
    torn = of_objects(Restless("vault"), "p/", reread=reread)
    whole = of_objects(Bucket("vault"), "p/", reread=reread)
    for before, after in ((torn, whole), (whole, torn)):
        found = compare(before, after)
        assert found.equal is None
        assert set(found.unread) == {"p/1", "p/2", "p/9"}
    assert {piece.name for piece in torn.pieces()} == {"p/0", "p/3"}
    assert compare(whole, of_objects(Bucket("vault"), "p/", reread=reread)).equal is True


def test_an_object_uploaded_again_in_parts_is_not_known(client: BaseClient) -> None:
    """Its ETag is of its parts: the same bytes are not called damaged, other bytes of that length not equal."""
    body = bytes(5 << 20) + b"end"
    client.put_object(Bucket="vault", Key="k", Body=body)
    before = of_objects(Bucket("vault"), "")
    for piece in (body, body[:-1] + b"!"):
        named = {"Bucket": "vault", "Key": "k"}
        upload = client.create_multipart_upload(**named)["UploadId"]
        tags = [
            client.upload_part(**named, UploadId=upload, PartNumber=number, Body=part)["ETag"]
            for number, part in ((1, piece[: 5 << 20]), (2, piece[5 << 20 :]))
        ]
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        client.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": parts})
        found = compare(before, of_objects(Bucket("vault"), ""))
        assert found.equal is None and "--reread" in found.unread["k"]


@pytest.mark.parametrize(
    ("first", "again", "by_default", "equal"),
    [
        ({}, {}, False, False),
        ({"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "AES256"}, False, False),
        ({}, {"ServerSideEncryption": "aws:kms"}, False, None),
        ({"ServerSideEncryption": "aws:kms"}, {}, False, None),
        ({}, {}, True, None),
    ],
)
def test_an_etag_of_an_encrypted_object_says_nothing(
    client: BaseClient, first: dict[str, str], again: dict[str, str], by_default: bool, equal: bool | None
) -> None:
    """Encrypted by KMS or a customer's key, an object has an ETag that is no hash: neither equal nor bit_flip."""
    if by_default:
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
        client.put_bucket_encryption(Bucket="vault", ServerSideEncryptionConfiguration={"Rules": [rule]})
    client.put_object(Bucket="vault", Key="k", Body=b"one", **first)
    before = of_objects(Bucket("vault"), "")
    client.put_object(Bucket="vault", Key="k", Body=b"two", **again)
    found = compare(before, of_objects(Bucket("vault"), "", compared_to=before))
    assert (found.equal, list(found.unread)) == (equal, ["k"] if equal is None else [])


@pytest.mark.parametrize(("key", "where"), [("id", "id from 448 to 511"), ("name", "hash of name")])
def test_a_table_is_compared_by_key_ranges(server: Postgres, schema: str, key: str, where: str) -> None:
    """A changed row shows as one altered range of keys."""
    table = f"{schema}.t"
    server.sql(f"create table {table} as select i as id, i::text as name, i as v from generate_series(1, 9000) i")
    side = Side.parse(f"{server.url}#{table}")
    before = of_table(side, [key])
    server.sql(f"update {table} set v = 0 where id = 500")
    found = compare(before, of_table(side, [key], previous=before))
    assert [(one.kind, one.name.startswith(where)) for one in found.damage] == [("altered", True)]
    with pytest.raises(UsageError):
        of_table(side, ["nope"])


@pytest.mark.parametrize(
    ("made", "change", "equal"),
    [
        ("(values (5, 'x'), (5, 'x')) v(k, v)", "update {t} set v = 'y'", False),
        ("(values (null::int, 'x'), (1, 'z')) v(k, v)", "update {t} set v = 'y' where k is null", False),
        ("(values (5, 'x'), (5, 'y')) v(k, v)", "update {t} set v = case v when 'x' then 'y' else 'x' end", True),
        ("(values (5, 'x'), (6, 'y')) v(k, v)", "alter table {t} add c int; alter table {t} drop c", True),
        ("(values (5, 'x', 1)) v(k, v, chaosday_key)", "update {t} set chaosday_key = 2", False),
        ("(values (5, 'x', 1)) v(k, v, b)", "create table {t}2 as select b, v, k from {t}; drop table {t};"
         " alter table {t}2 rename to t", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", [["k"], ["k", "v"]])
def test_what_a_tables_manifest_sees(
    server: Postgres, schema: str, key: list[str], made: str, change: str, equal: bool
) -> None:
    """Duplicates do not cancel, NULL keys hide no values, the order of columns and rows is nothing."""
    table = f"{schema}.t"
    server.sql(f"create table {table} as select * from {made}")
    before = of_table(Side.parse(f"{server.url}#{table}"), key)
    server.sql(change.format(t=table))
    assert compare(before, of_table(Side.parse(f"{server.url}#{table}"), key, previous=before)).equal is equal
