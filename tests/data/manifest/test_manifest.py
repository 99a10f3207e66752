from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosday.commands.manifest import command
from chaosday.data.manifest import Manifest, compare, directory, of_directory
from chaosday.data.manifest.tree import Header, Piece
from chaosday.errors import MalformedInput, Refused, TargetUnreachable, UsageError

HEADER = Header("directory", "here", "2024-01-01")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six hundred files in folders, so that the tree has several leaves."""
    root = tmp_path / "data"
    for number in range(600):
        path = root / f"d{number % 7}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d " % number * (number % 50 + 1))
    return root


def damage_to(root: Path, kind: str) -> dict[str, str]:
    """Damage one file and say what has to be found: kind by name."""
    victim, other = root / "d5" / "f40", root / "d6" / "f41"
    name = "d5/f40"
    if kind == "bit_flip":
        data = bytearray(victim.read_bytes())
        data[3] ^= 16
        victim.write_bytes(data)
    elif kind == "truncated":
        os.truncate(victim, 5)
    elif kind == "grown":
        victim.write_bytes(victim.read_bytes() + b"\0")
    elif kind == "missing":
        victim.unlink()
    elif kind == "extra":
        name = "d5/new"
        (root / name).write_bytes(b"unseen before")
    elif kind == "renamed":
        name = "d5/else"
        victim.rename(root / name)
    elif kind == "misdirected":
        shutil.copy(other, victim)
    elif kind == "stale":
        victim.write_bytes(b"the first content")
    return {name: kind}


@pytest.mark.parametrize(
    "kind", ["bit_flip", "truncated", "grown", "missing", "extra", "renamed", "misdirected", "stale"]
)
def test_every_kind_of_damage_is_found_and_named(folder: Path, kind: str) -> None:
    """One damaged file is found among six hundred, and what happened to it is called by its name."""
    victim = folder / "d5" / "f40"
    later = victim.read_bytes()
    victim.write_bytes(b"the first content")
    first = of_directory(folder)
    victim.write_bytes(later)
    before = of_directory(folder, previous=first)
    expected = damage_to(folder, kind)
    found = compare(before, of_directory(folder))
    assert {one.name: one.kind for one in found.damage} == expected
    assert found.exit_code == 1


def test_an_untouched_directory_is_equal(folder: Path, tmp_path: Path) -> None:
    """Made twice and read back from its file, the manifest has the same root and compares equal."""
    before = of_directory(folder)
    before.write(tmp_path / "m")
    back = Manifest.read(tmp_path / "m")
    assert (back.root, len(back)) == (before.root, 600)
    found = compare(back, of_directory(folder))
    assert (found.exit_code, found.leaves_read) == (0, 0)


@settings(max_examples=40, deadline=None)
@given(
    old=st.dictionaries(st.text(max_size=8), st.integers(0, 9), max_size=40),
    new=st.dictionaries(st.text(max_size=8), st.integers(0, 9), max_size=40),
    grow=st.integers(0, 2),
)
def test_comparison_agrees_with_set_algebra(old: dict[str, int], new: dict[str, int], grow: int) -> None:
    """The tree finds exactly the names whose content differs, also between trees of different depth."""
    filler = {f"filler {number}": -1 for number in range(600 * grow)}

    def made(content: dict[str, int]) -> Manifest:
        return Manifest.build(HEADER, [Piece(n, 4, v.to_bytes(16, "big", signed=True)) for n, v in content.items()])

    found = compare(made(old), made(new | filler))
    touched = {one.name for one in found.damage} | {one.other for one in found.damage if one.kind == "renamed"}
    assert touched == {n for n in old.keys() | (new | filler).keys() if old.get(n) != (new | filler).get(n)}


def test_only_leaves_that_differ_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """One change among 20,000 pieces makes the comparison read one leaf of each side."""
    pieces = [Piece(str(number), 1, number.to_bytes(16, "big")) for number in range(20_000)]
    before = Manifest.build(HEADER, pieces)
    after = Manifest.build(HEADER, [*pieces[:-1], Piece("19999", 1, bytes(16))])
    assert compare(before, after).leaves_read == 1


def test_nothing_is_inconclusive(tmp_path: Path) -> None:
    """Two empty directories are not equal: nothing was examined."""
    (tmp_path / "e").mkdir()
    assert compare(of_directory(tmp_path / "e"), of_directory(tmp_path / "e")).exit_code == 2


def test_what_cannot_be_read_is_inconclusive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changes while it is read is listed as unread, and is neither equal nor damaged."""
    before = of_directory(folder)
    hashing = directory.digest_of

    def written_meanwhile(path: Path) -> bytes:
        digest = hashing(path)
        if path.name == "f40":
            path.write_bytes(b"late")
        return digest

    monkeypatch.setattr(directory, "digest_of", written_meanwhile)
    found = compare(before, of_directory(folder))
    assert (found.exit_code, list(found.unread), found.damage) == (2, ["d5/f40"], [])


def test_an_interrupted_run_is_resumed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash, a torn last line included, only what is new or changed is hashed again."""
    memory = tmp_path / "resume"
    whole = of_directory(folder, resume=memory)
    lines = memory.read_bytes().splitlines(keepends=True)
    memory.write_bytes(b"".join(lines[:400]) + lines[400][:20])
    (folder / "d0" / "f0").write_bytes(b"changed since")
    hashed = []
    hashing = directory.digest_of
    monkeypatch.setattr(directory, "digest_of", lambda path: hashed.append(path.name) or hashing(path))
    again = of_directory(folder, resume=memory)
    assert len(hashed) == 201
    assert [one.name for one in compare(whole, again).damage] == ["d0/f0"]
    assert len(memory.read_bytes().splitlines()) == 601


@pytest.mark.parametrize("what", ["tree", "leaf"])
def test_a_damaged_manifest_is_refused(folder: Path, tmp_path: Path, what: str) -> None:
    """A flipped bit in the tree or in a leaf, and a file that is none, are malformed and not silently used."""
    path = tmp_path / "m"
    of_directory(folder).write(path)
    data = bytearray(path.read_bytes())
    made = Manifest.read(path)
    # The tree is in the file twice, and Arrow reads the one in the footer.
    digest = bytes(made.levels[0][1]) if what == "tree" else next(iter(made.leaf(1).values())).digest
    data[data.rindex(digest)] ^= 1
    path.write_bytes(data)
    with pytest.raises(MalformedInput):
        list(Manifest.read(path).pieces())
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(MalformedInput):
        Manifest.read(path)


def test_commands(folder: Path, tmp_path: Path) -> None:
    """make, compare and check work together, with exit codes and JSON."""
    run = CliRunner().invoke
    first, second = str(tmp_path / "a"), str(tmp_path / "b")
    assert run(command, ["make", str(folder), first]).exit_code == 0
    assert run(command, ["check", first, str(folder)]).exit_code == 0
    damage_to(folder, "truncated")
    assert run(command, ["make", str(folder), second, "--previous", first]).exit_code == 0
    told = run(command, ["compare", first, second, "--json"])
    assert (told.exit_code, json.loads(told.stdout)["counts"]) == (1, {"truncated": 1})
    assert isinstance(run(command, ["make", str(folder / "none"), second]).exception, TargetUnreachable)
    assert not list(tmp_path.glob("*.resume"))


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """A file whose name is no UTF-8, or would turn the terminal red, is described, found and printed in one line."""
    root = tmp_path / "d"
    root.mkdir()
    odd, red = os.fsdecode(b"caf\xe9"), "\x1b[31m\n"
    for name in (odd, red):
        (root / name).write_bytes(b"before")
    made = tmp_path / "m"
    assert CliRunner().invoke(command, ["make", str(root), str(made)]).exit_code == 0
    assert CliRunner().invoke(command, ["check", str(made), str(root)]).exit_code == 0
    for name in (odd, red):
        (root / name).write_bytes(b"behind")
    told = CliRunner().invoke(command, ["check", str(made), str(root)])
    assert (told.exit_code, "caf\\xe9" in told.output, "\x1b" in told.output) == (1, True, False)
    assert json.loads(CliRunner().invoke(command, ["check", str(made), str(root), "--json"]).stdout)["equal"] is False


def test_what_is_no_file_is_described_and_not_opened(tmp_path: Path) -> None:
    """A FIFO, a socket and a device are part of a tree; a file that became one is damage, and nothing hangs."""
    root = tmp_path / "d"
    root.mkdir()
    (root / "f").write_bytes(b"x")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "s"))
    (root / "null").symlink_to("/dev/null")
    before = of_directory(root)
    assert (len(before), compare(before, of_directory(root)).equal) == (4, True)
    (root / "f").unlink()
    os.mkfifo(root / "f")
    assert [one.name for one in compare(before, of_directory(root)).damage] == ["f"]


def test_a_fifo_put_in_place_of_a_file_is_not_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the listing and the reading a file may become a FIFO: that is a change, and no reason to hang."""
    hashing = directory.digest_of

    def swapped(path: Path) -> bytes:
        if path.name == "f40":
            path.unlink()
            os.mkfifo(path)
        return hashing(path)

    monkeypatch.setattr(directory, "digest_of", swapped)
    assert list(of_directory(folder).header.unread) == ["d5/f40"]


def test_a_damaged_memory_is_not_believed(folder: Path, tmp_path: Path) -> None:
    """A digest that rotted in the resume file is not used; a file that is not ours is neither cut nor appended to."""
    memory = tmp_path / "resume"
    whole = of_directory(folder, resume=memory)
    data = memory.read_bytes()
    at = data.rindex(b'"', 0, len(data) // 2) - 1
    memory.write_bytes(data[:at] + (b"0" if data[at : at + 1] != b"0" else b"1") + data[at + 1 :])
    assert compare(whole, of_directory(folder, resume=memory)).equal is True
    memory.write_bytes(b"a letter to my aunt")
    with pytest.raises(Refused):
        of_directory(folder, resume=memory)
    assert memory.read_bytes() == b"a letter to my aunt"


@pytest.mark.parametrize("out", ["d/m", "d/deep/m", "no/m", "link/m"])
def test_a_manifest_is_not_written_into_what_it_describes(tmp_path: Path, out: str) -> None:
    """OUT inside SOURCE, by whatever path, or where nothing can be written, is refused before anything is read."""
    (tmp_path / "d" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("d")
    with pytest.raises(UsageError):
        command.main(["make", str(tmp_path / "d"), str(tmp_path / out)], standalone_mode=False)
    assert not list((tmp_path / "d").glob("**/m*"))


def test_each_pair_gets_its_own_answer(folder: Path, tmp_path: Path) -> None:
    """Of several pairs one cannot be read and one differs: all are answered, and the worst is the exit code."""
    made, torn = tmp_path / "m", tmp_path / "torn"
    of_directory(folder).write(made)
    torn.write_bytes(made.read_bytes()[:200])
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "d0" / "f0").write_bytes(b"other")
    pairs = [made, folder, torn, folder, made, tmp_path / "copy"]
    told = CliRunner().invoke(command, ["check", "--json", *map(str, pairs)])
    assert [json.loads(line)["equal"] for line in told.stdout.splitlines()] == [True, None, False]
    assert (told.exit_code, "torn" in told.stderr) == (1, True)
    assert CliRunner().invoke(command, ["check", *map(str, pairs[:4])]).exit_code == 64


@pytest.mark.parametrize(("etag", "equal"), [("a" * 32 + "-2", None), ("b" * 32, False), ("a" * 32, True)])
def test_an_etag_of_parts_says_nothing(etag: str, equal: bool | None) -> None:
    """An object uploaded again in other parts has another ETag and may be the same: neither equal nor bit_flip."""

    def made(tag: str) -> Manifest:
        piece = Piece("k", 10, tag[:16].encode() if "-" not in tag else tag[-16:].encode(), checksum=f"etag:{tag}")
        return Manifest.build(Header("objects", "s3://b/", "2024-01-01", "etag"), [piece])

    found = compare(made("a" * 32), made(etag))
    assert (found.equal, bool(found.unread)) == (equal, equal is None)


def test_columns_are_part_of_a_table() -> None:
    """A column that came or went is damage; one of another type cannot be compared; their order is nothing."""

    def made(**columns: str) -> Manifest:
        header = Header("table", "t", "2024-01-01", cut="dense:6:0:sum", columns=columns)
        return Manifest.build(header, [Piece("id from 0 to 63", 1, bytes(16))])

    before = made(id="integer", v="text")
    assert compare(before, made(v="text", id="integer")).equal is True
    assert compare(before, made(id="integer")).counts == {"missing": 1}
    assert compare(before, made(id="bigint", v="text")).equal is None


def test_manifests_of_different_things_do_not_compare(folder: Path) -> None:
    """A directory and a table are refused, rather than called different."""
    other = Manifest.build(Header("table", "t", "2024-01-01"), [Piece("a", 1, bytes(16))])
    with pytest.raises(UsageError, match="medium"):
        compare(of_directory(folder), other)
