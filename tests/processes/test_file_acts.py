"""What a tree of processes does to files: asked about before each change, and seen to its exact end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chaosday.processes.call_end import CallEnd
from chaosday.processes.connect_gate import supported
from chaosday.processes.file_acts import Files
from chaosday.processes.tree import Tree

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(supported()), reason=supported())]
PATIENCE_S = 60.0
WRITES = "import os; file = open('state/long', 'wb', buffering=0)\nfor n in range(300): file.write(b'x')"
THREADS = (
    "import threading, pathlib\n"
    "some = [threading.Thread(target=pathlib.Path(f'state/{n}').write_text, args=('x',)) for n in range(4)]\n"
    "[one.start() for one in some]; [one.join() for one in some]; raise SystemExit(3)"
)
MAPPED = "import mmap; file = open('state/old', 'r+b')\nwith mmap.mmap(file.fileno(), 0) as memory: memory[0] = 65"


def state(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in sorted((folder / "state").iterdir())}


@dataclass
class Watcher:
    """Notes each change with the files before and after it; ``until`` is the text at whose end all stands still."""

    folder: Path
    until: str = ""
    seen: list[tuple[str, dict[str, bytes], dict[str, bytes]]] = field(default_factory=list)
    stands: bool = False

    def changes(self, text: str, thread: int, go: Callable[[], bool], end: CallEnd | None) -> bool:
        before = state(self.folder)
        if end is None:
            go()
            self.seen.append((text, before, {}))
            return True
        assert end.begin(go)
        self.seen.append((text, before, state(self.folder)))
        self.stands = text == self.until
        end.leave(still=self.stands)
        return not self.stands


def started(tmp_path: Path, watcher: Watcher, *command: str) -> Tree:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "old").write_text("old")
    tree = Tree(command, tmp_path, dict(os.environ), tmp_path / "log", f"test-{tmp_path.name}")
    tree.start(lambda address: False, Files(tmp_path, ["state/"], watcher))
    return tree


def waited(done: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not done() and time.monotonic() < until:
        time.sleep(0.01)
    return done()


@pytest.mark.parametrize(
    ("command", "texts"),
    [
        (["sh", "-c", "echo new > state/new; ln state/new state/copy; rm state/new; echo else > other"],
         ["create state/new", "write state/new", "link state/new to state/copy", "remove state/new"]),
        (["sh", "-c", "gzip -c old.txt > state/old.gz; cd state; : > ../state/./old; ln -s old link"],
         ["create state/old.gz", "write state/old.gz", "empty state/old", "link state/link"]),
        ([sys.executable, "-c", "import os; os.truncate('state/old', 1); os.fsync(os.open('state/old', os.O_RDWR))"],
         ["resize state/old", "flush state/old"]),
    ],
    ids=["a shell", "a descriptor that is inherited", "cut and flushed"],
)  # fmt: skip
def test_each_change_is_asked_about_and_seen_before_and_after(
    tmp_path: Path, command: list[str], texts: list[str]
) -> None:
    """In order, by whichever process; what is before one is what was after the last, and nothing else is asked."""
    (tmp_path / "old.txt").write_text("old")
    watcher = Watcher(tmp_path)
    tree = started(tmp_path, watcher, *command)
    assert waited(lambda: tree.code is not None)
    tree.kill()
    assert tree.code == 0, tree.output()
    assert [text for text, _, _ in watcher.seen] == texts
    assert all(before != after for text, before, after in watcher.seen if not text.startswith("flush"))
    assert all(one[2] == other[1] for one, other in zip(watcher.seen, watcher.seen[1:], strict=False))
    assert watcher.seen[-1][2] == state(tmp_path)


def test_a_thread_stands_still_at_the_end_of_its_change(tmp_path: Path) -> None:
    """The rename has been done, and the next line of the program is not reached, however long nobody kills it."""
    watcher = Watcher(tmp_path, until="rename state/new to state/old")
    program = "import os; open('state/new', 'w').close(); os.replace('state/new', 'state/old'); print('gone on')"
    tree = started(tmp_path, watcher, sys.executable, "-uc", program)
    assert waited(lambda: watcher.stands)
    time.sleep(0.1)
    assert tree.living()
    assert state(tmp_path) == {"old": b""}
    tree.kill()
    assert [tree.code, tree.output(), *tree.living()] == [-9, ""]


def test_being_seen_does_not_change_how_a_program_ends(tmp_path: Path) -> None:
    """Changes of four threads are asked one at a time, and the exit code is the program's own."""
    watcher = Watcher(tmp_path)
    tree = started(tmp_path, watcher, sys.executable, "-c", THREADS)
    assert waited(lambda: tree.code is not None)
    tree.kill()
    assert (tree.code, len(watcher.seen)) == (3, 8)


def test_many_writes_are_each_seen_to_their_end(tmp_path: Path) -> None:
    """Each of some hundred writes has added its byte when it is looked at."""
    watcher = Watcher(tmp_path)
    tree = started(tmp_path, watcher, sys.executable, "-c", WRITES)
    assert waited(lambda: tree.code is not None)
    tree.kill()
    grown = [len(after["long"]) for text, _, after in watcher.seen if text == "write state/long"]
    assert grown == list(range(1, 301))


def test_memory_that_is_shared_with_a_file_is_told(tmp_path: Path) -> None:
    """What is written through it nobody is asked about: it is named instead."""
    tree = started(tmp_path, Watcher(tmp_path), sys.executable, "-c", MAPPED)
    assert waited(lambda: tree.code is not None)
    tree.kill()
    assert dict(tree.gate.unseen) == {"memory map of state/old": 1}
