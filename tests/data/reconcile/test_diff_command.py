from __future__ import annotations

import json
from pathlib import Path

import boto3
import duckdb
import pytest
from click.testing import CliRunner, Result

from chaosday.commands.diff import command
from chaosday.data.reconcile import Side, diff
from chaosday.errors import TargetUnreachable, UsageError
from tests.data.reconcile.servers import Postgres


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A Parquet file and a copy with one changed, one removed and one added row."""
    left, right = str(tmp_path / "l.parquet"), str(tmp_path / "r.parquet")
    duckdb.sql(f"copy (select i as id, i * 2 as v from range(1000) t(i)) to '{left}'")
    duckdb.sql(f"copy (select case id when 5 then 5000 else id end as id, case id when 7 then 0 else v end as v"
               f" from '{left}') to '{right}'")  # fmt: skip
    return left, right


def call(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_json_and_exit_codes(files: tuple[str, str], tmp_path: Path) -> None:
    """Equal is 0 and different is 1; --json prints one object with every promised field."""
    left, right = files
    same = call(left, left, "--key", "id", "--json")
    other = call(left, right, "--key", "id", "--json", "--output", str(tmp_path / "d.parquet"))
    assert (same.exit_code, other.exit_code) == (0, 1)
    said = json.loads(other.stdout)
    promised = ["equal", "rows_left", "rows_right", "added", "removed", "changed", "duplicate_keys", "mode"]
    assert [said[name] for name in promised] == [False, 1000, 1000, 1, 1, 1, 0, "exact"]
    assert said["blind_to"]
    assert duckdb.sql(f"select count(*) from '{said['differences']}'").fetchall() == [(3,)]


def test_rows_that_differ_are_kept_for_their_owner_only(files: tuple[str, str], runs: Path) -> None:
    """Rows are somebody's data: they lie among the runs, or where --output says, with 0600, and nowhere else."""
    kept = Path(json.loads(call(*files, "--key", "id", "--json").stdout)["differences"])
    named = runs.parent / "named.parquet"
    named.write_bytes(b"the last one")
    named.chmod(0o644)
    call(*files, "--key", "id", "--output", str(named))
    assert kept.is_relative_to(runs)
    assert [path.stat().st_mode & 0o777 for path in (kept, kept.parent, named)] == [0o600, 0o700, 0o600]
    assert sorted(path.name for path in runs.parent.iterdir()) == ["l.parquet", "named.parquet", "r.parquet", "runs"]


def test_words_for_people(files: tuple[str, str]) -> None:
    """Without --json the counts, the columns and what the check is blind to are told."""
    told = call(*files, "--key", "id").output
    assert all(words in told for words in ("added 1  removed 1  changed 1", "changed in v: 1", "blind to:"))


@pytest.mark.parametrize(
    "arguments",
    [["--key", "nope"], ["--key", "id", "--ignore", "nope"], ["--key", "id", "--tolerance", "v=much"],
     ["--key", "id", "--rename", "v"], ["--key", "id", "--columns", "nope"], ["--key", "id", "-o", "no/such/d"]],
)  # fmt: skip
def test_wrong_options_are_usage_errors(files: tuple[str, str], arguments: list[str]) -> None:
    """A wrong key, column, tolerance or folder is a usage error in one line."""
    error = call(*files, *arguments).exception
    assert isinstance(error, UsageError)
    assert "\n" not in str(error)


def test_an_unreachable_side_is_unavailable(files: tuple[str, str]) -> None:
    """No server is exit code 69 and one line, and JSON still is JSON."""
    result = call(files[0], "postgresql://127.0.0.1:1/x#t", "--key", "id", "--json")
    assert json.loads(result.stdout)["equal"] is None
    assert isinstance(result.exception, TargetUnreachable)
    assert result.exception.exit_code == 69


def test_each_pair_gets_its_own_answer(files: tuple[str, str], tmp_path: Path) -> None:
    """Of several pairs one has no file and one differs: all are answered, and the worst is the exit code."""
    left, right = files
    result = call(left, left, left, str(tmp_path / "none.csv"), left, right, "--key", "id", "--json")
    assert [json.loads(line)["equal"] for line in result.stdout.splitlines()] == [True, None, False]
    assert (result.exit_code, "none.csv" in result.stderr) == (1, True)
    assert call(left, left, left, str(tmp_path / "none.csv"), "--key", "id").exit_code == 69
    assert isinstance(call(left, left, left, "--key", "id").exception, UsageError)


def test_pairs_are_told_by_their_number(files: tuple[str, str]) -> None:
    """A pair that is asked about twice has two answers, each under its own number."""
    left, right = files
    told = call(left, left, left, left, left, right, "--key", "id").output.splitlines()
    assert [line for line in told if " of 3:" in line] == ["1 of 3:", "2 of 3:", "3 of 3:"]


@pytest.mark.parametrize(
    ("text", "engine", "what"),
    [("postgresql+psycopg://u:p@h:5/d#s.t", "postgresql", "s.t"), ("postgres://[::1]/d::t", "postgresql", "t"),
     ("mysql+pymysql://h/d#select 1", "mysql", "select 1"), ("sqlite:////x/y.db::t", "sqlite", "t"),
     ("s3://b/k.parquet?versionId=v1", "s3", "v1"), ("a/*.csv.gz", "file", "csv")],
)  # fmt: skip
def test_sides_are_read_as_urls_paths_and_globs(text: str, engine: str, what: str) -> None:
    """The engine, and the table, query, version or form, are found in the text."""
    side = Side.parse(text)
    assert (side.engine, side.table or side.query or side.version or side.form) == (engine, what)


def test_a_side_never_shows_its_password() -> None:
    """What is printed and stored names host and table only."""
    assert "hunter2" not in str(Side.parse("postgresql://u:hunter2@h/d#t"))


@pytest.mark.lab
def test_s3_versions_and_globs(
    moto: str, files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A glob of objects is a side, and so is an older version of one object."""
    for name, value in (("AWS_ENDPOINT_URL", moto), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"),
                        ("AWS_DEFAULT_REGION", "us-east-1")):  # fmt: skip
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="lake")
    client.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
    left, right = files
    first = client.put_object(Bucket="lake", Key="t/one.parquet", Body=Path(left).read_bytes())["VersionId"]
    assert diff(left, "s3://lake/t/*.parquet", key=["id"]).equal is True
    client.put_object(Bucket="lake", Key="t/one.parquet", Body=Path(right).read_bytes())
    assert diff(left, "s3://lake/t/one.parquet", key=["id"]).changed == 1
    assert diff(left, f"s3://lake/t/one.parquet?versionId={first}", key=["id"]).equal is True
    client.put_object(Bucket="lake", Key="t/x.tsv", Body=b"id\ta,b\n1\tx,y\n")
    (tmp_path / "x.tsv").write_bytes(b"id\ta,b\n1\tx,y\n")
    assert diff(str(tmp_path / "x.tsv"), "s3://lake/t/x.tsv", key=["id"]).equal is True
    assert call(left, "s3://nowhere/x.parquet", "-k", "id").exception.exit_code == 69


@pytest.mark.lab
def test_tables_by_option(server: Postgres, schema: str) -> None:
    """--table names the table on both sides; a missing one is said to be missing."""
    server.sql(f"create table {schema}.t as select 1 as id")
    assert call(server.url, server.url, "--table", f"{schema}.t", "--key", "id").exit_code == 0
    assert isinstance(call(server.url, server.url, "--key", "id").exception, UsageError)
