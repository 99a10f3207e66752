"""Who owns a covered directory gets none of root's rights from the file system that root serves there."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.mechanisms.disks import fault_filesystem_paths as paths
from chaosday.mechanisms.disks.cover import covered
from tests.attackers import BECOME, STRANGER
from tests.lab.machine import absent

pytestmark = pytest.mark.lab

# Two threads: one exchanges a file of ours with a link and with a file of root's, the other uses the name meanwhile.
RACE = """
import contextlib, json, os, sys, threading
os.chdir(sys.argv[1])
secret, tries, got, done = sys.argv[2], 1500, set(), threading.Event()
open("mine", "w").write("mine")
os.symlink(secret, "link")
os.symlink(os.path.dirname(secret), "way")
os.mkdir("folder")
open("folder/" + os.path.basename(secret), "w").write("mine")
def swap():
    while not done.is_set():
        for other, name in (("mine", "a"), ("link", "a"), ("roots", "a"), ("folder", "d"), ("way", "d")):
            with contextlib.suppress(OSError):
                os.rename(other, name)
                os.rename(name, other)
threading.Thread(target=swap).start()
inside = "d/" + os.path.basename(secret)
acts = (
    lambda: got.add(open("a").read()), lambda: got.add(open(inside).read()),
    lambda: open("a", "r+").write("evil"), lambda: open(inside, "r+").write("evil"),
    lambda: os.chmod("a", 0o666), lambda: os.chmod(inside, 0o666), lambda: os.truncate("a", 1),
    lambda: os.truncate(inside, 1), lambda: os.utime("a", (1, 1)), lambda: os.link(inside, "hard"),
    lambda: os.mknod("d/made", 0o600), lambda: os.mkdir("d/made"), lambda: os.unlink(inside),
)
for _ in range(tries // len(acts)):
    for act in acts:
        with contextlib.suppress(OSError):
            act()
done.set()
print(json.dumps(sorted(got)))
"""


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A directory of somebody's, with a file of root's in it."""
    if os.geteuid() != 0:
        absent("covering a directory needs root")
    with tempfile.TemporaryDirectory(prefix="cd-theirs-") as name:
        place = Path(name)
        os.chown(place, STRANGER, STRANGER)
        (place / "roots").write_text("secret within")
        (place / "roots").chmod(0o600)
        yield place


def test_an_exchanged_name_leads_to_nothing_of_roots(tmp_path: Path, theirs: Path) -> None:
    """Reading, writing, changing and making by way of a name that is exchanged for a link: root's files stay theirs."""
    secret = tmp_path / "secret"
    secret.write_text("secret outside")
    secret.chmod(0o600)
    before = secret.stat()
    with covered(theirs):
        done = subprocess.run(
            [*BECOME, sys.executable, "-I", "-c", RACE, str(theirs), str(secret)],
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
    assert not any("secret" in each for each in said), said
    after = secret.stat()
    assert (secret.read_text(), after.st_mode, after.st_mtime) == ("secret outside", before.st_mode, before.st_mtime)
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    (roots,) = [path for path in theirs.rglob("*") if not path.is_symlink() and path.stat().st_uid == 0]
    assert (roots.read_text(), stat.S_IMODE(roots.stat().st_mode)) == ("secret within", 0o600)


def test_what_is_made_belongs_to_whoever_made_it(theirs: Path) -> None:
    """Files, folders, links and fifos, with the mode that was asked for."""
    script = 'cd "$1" && umask 027 && touch f && mkdir d && ln -s f l && mkfifo p && echo x > f && mv f d/g && ln d/g h'
    with covered(theirs):
        done = subprocess.run([*BECOME, "sh", "-c", script, "sh", str(theirs)], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    made = [theirs / name for name in ("d", "l", "p", "h", "d/g")]
    assert {path.lstat().st_uid for path in made} == {STRANGER}
    assert [stat.S_IMODE(path.lstat().st_mode) for path in (made[0], made[3])] == [0o750, 0o640]


@pytest.mark.parametrize("known", [True, False], ids=["openat2", "step by step"])
def test_no_path_leaves_the_directory(tmp_path: Path, known: bool) -> None:
    """Up, by a link, by a link on the way: none; below: all."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "file").write_text("in")
    (tmp_path / "out").write_text("out")
    (tmp_path / "in" / "up").symlink_to("..")
    (tmp_path / "in" / "link").symlink_to("../out")
    handle = os.open(tmp_path / "in", os.O_RDONLY | os.O_DIRECTORY)
    below = paths.Beneath(handle, lambda: (0, 0, 0))
    below.known = known
    try:
        found = below.regular("/deep/file", os.O_RDONLY, os.O_RDONLY)
        assert os.read(found, 9) == b"in"
        os.close(found)
        for path in ("/../out", "/deep/../../out", "/up/out", "/link", "/deep/../up/out"):
            with pytest.raises(OSError):
                below.regular(path, os.O_RDONLY, os.O_RDONLY)
    finally:
        os.close(handle)
