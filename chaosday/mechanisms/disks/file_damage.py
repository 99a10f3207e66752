"""Files at rest: listed, kept, damaged, and put back. Runs on a target's python3 (3.7 or later).

``python3 -I -c THIS WORDS``, where WORDS is a JSON object with ``verb`` (list, state, sums, damage, undo, residue),
``path`` of the directory, ``lease``, ``directory`` (its device:inode as planned; from sums on) and ``match`` (list,
state). To sums and damage the files come as JSON on standard input: ``name`` below the directory, ``id`` (device:inode
as planned), ``sum`` and, to damage, ``act`` with ``at``, ``bytes``, ``bit`` or ``other``.

Whoever owns the directory may exchange anything in it at any moment, and this is root: no link is followed, what was
opened is compared with the plan, and the originals are kept where nobody else comes in.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import shutil
import stat
import sys
from typing import Any

CHUNK = 1 << 20
FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW
OURS = ".chaosday-"


def kept(lease: str) -> str:
    """Where the originals of a lease are: a folder of root's, or of the account's."""
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join("/var/lib" if os.geteuid() == 0 else home, "chaosday", "kept", lease)


def identity(found: os.stat_result) -> str:
    """Device and inode."""
    return f"{found.st_dev}:{found.st_ino}"


def top(words: dict[str, Any]) -> int:
    """The directory, opened, if it is the one that was planned."""
    handle = os.open(words["path"], FOLDER)
    if "directory" in words and identity(os.fstat(handle)) != words["directory"]:
        sys.exit(f"{words['path']} is not the directory that it was at the plan")
    return handle


def above(root: int, name: str) -> int:
    """The folder that holds a name below the directory."""
    at = os.dup(root)
    for part in name.split("/")[:-1]:
        if part in ("", ".", ".."):
            sys.exit(f"{name!r} is no name below the directory")
        below = os.open(part, FOLDER, dir_fd=at)
        os.close(at)
        at = below
    return at


def opened(root: int, name: str, flags: int) -> int:
    """A regular file below the directory; ``OSError`` where there is none of that name."""
    folder = above(root, name)
    try:
        handle = os.open(os.path.basename(name), flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{name} is not a regular file")
    return handle


def digest(handle: int) -> str:
    """SHA-256 of all of it."""
    found, at = hashlib.sha256(), 0
    while True:
        piece = os.pread(handle, CHUNK, at)
        if not piece:
            return found.hexdigest()
        found.update(piece)
        at += len(piece)


def copy(source: int, target: int) -> None:
    """The whole content, on disk before this returns."""
    at = 0
    while True:
        piece = os.pread(source, CHUNK, at)
        if not piece:
            break
        os.pwrite(target, piece, at)
        at += len(piece)
    os.ftruncate(target, at)
    os.fsync(target)


def listed(words: dict[str, Any]) -> dict[str, Any]:
    """Every regular file of the directory that fits, and what is to be the same afterwards of all of them."""
    root, files, state = top(words), [], []
    for folder, folders, names, handle in os.fwalk(".", dir_fd=root):
        folders[:] = sorted(name for name in folders if not name.startswith(OURS))
        for name in sorted(names):
            inside = os.path.normpath(os.path.join(folder, name))
            shown = inside.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            with contextlib.suppress(OSError):
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
                try:
                    found = os.fstat(file)
                    if name.startswith(OURS) or not stat.S_ISREG(found.st_mode):
                        continue
                    total = digest(file) if fnmatch.fnmatchcase(name, words["match"]) else ""
                finally:
                    os.close(file)
                facts = (found.st_size, stat.S_IMODE(found.st_mode), found.st_uid, int(found.st_mtime))
                state.append(f"{shown} {total} " + " ".join(map(str, facts)))
                # One with a second name may be a file of somebody else's; a name that is no text cannot be told.
                if total and found.st_size and found.st_nlink == 1 and shown == inside:
                    files.append({"name": inside, "id": identity(found), "size": found.st_size, "sum": total})
    return {"directory": identity(os.fstat(root)), "files": files, "state": sorted(state)}


def sums(words: dict[str, Any]) -> int:
    """How many of the files read otherwise than planned."""
    root, other = top(words), 0
    for file in json.load(sys.stdin):
        try:
            handle = opened(root, file["name"], os.O_RDONLY)
            other += digest(handle) != file["sum"]
            os.close(handle)
        except OSError:
            other += 1
    return other


def damage(words: dict[str, Any]) -> None:
    """Keep every original, complete and on disk, then hurt the first."""
    root, folder, files = top(words), kept(words["lease"]), json.load(sys.stdin)
    os.umask(0o077)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    os.mkdir(folder)
    handles = []
    for number, file in enumerate(files):
        handle = opened(root, file["name"], os.O_RDWR)
        found = os.fstat(handle)
        if identity(found) != file["id"]:
            sys.exit(f"{file['name']!r} is not the file that it was at the plan")
        handles.append((file, handle))
        target = os.open(os.path.join(folder, f"{number}.part"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        copy(handle, target)
        os.close(target)
        facts = {"mode": stat.S_IMODE(found.st_mode), "owner": [found.st_uid, found.st_gid]}
        facts["times"] = [found.st_atime_ns, found.st_mtime_ns]
        with open(os.path.join(folder, f"{number}.json"), "w") as note:
            json.dump({**facts, "name": file["name"], "id": file["id"]}, note)
            note.flush()
            os.fsync(note.fileno())
        os.rename(os.path.join(folder, f"{number}.part"), os.path.join(folder, str(number)))
    for file, handle in handles:
        hurt(root, file, handle, folder)
        os.close(handle)


def hurt(root: int, file: dict[str, Any], handle: int, folder: str) -> None:
    """One file."""
    act, at = file["act"], file.get("at", 0)
    if act == "flip":
        os.pwrite(handle, bytes([os.pread(handle, 1, at)[0] ^ 1 << file["bit"]]), at)
    elif act == "zero":
        os.pwrite(handle, bytes(file["bytes"]), at)
    elif act == "truncate":
        os.ftruncate(handle, at)
    elif act == "swap":
        source = os.open(os.path.join(folder, str(file["other"])), os.O_RDONLY)
        copy(source, handle)
        os.close(source)
    else:
        place = above(root, file["name"])
        os.unlink(os.path.basename(file["name"]), dir_fd=place)
        os.close(place)
    os.fsync(handle)


def undo(words: dict[str, Any]) -> None:
    """Put back what was kept, with its times, its mode and its owner; any number of times."""
    folder = kept(words["lease"])
    if not os.path.isdir(folder):
        return
    root = top(words)
    for number in sorted(name for name in os.listdir(folder) if name.isdigit()):
        with open(os.path.join(folder, f"{number}.json")) as note:
            facts = json.load(note)
        source = os.open(os.path.join(folder, number), os.O_RDONLY)
        put_back(root, source, facts, words["lease"])
        os.close(source)
    shutil.rmtree(folder)


def put_back(root: int, source: int, facts: dict[str, Any], lease: str) -> None:
    """Into the very file where it is still there, else under its name anew."""
    try:
        handle = opened(root, facts["name"], os.O_RDWR)
    except OSError:
        handle = -1
    if handle >= 0 and identity(os.fstat(handle)) == facts["id"]:
        # What somebody repaired keeps its bytes: writing them again would show readers a file cut off.
        if digest(handle) != digest(source):
            copy(source, handle)
        settle(handle, facts)
        return
    place, fresh = above(root, facts["name"]), f"{OURS}new-{lease}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh, dir_fd=place)
    handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=place)
    copy(source, handle)
    settle(handle, facts)
    os.rename(fresh, os.path.basename(facts["name"]), src_dir_fd=place, dst_dir_fd=place)
    os.fsync(place)


def settle(handle: int, facts: dict[str, Any]) -> None:
    """Owner, mode and times; then it is done with."""
    os.fchown(handle, *facts["owner"])
    os.fchmod(handle, facts["mode"])
    os.utime(handle, ns=tuple(facts["times"]))
    os.close(handle)


def main() -> None:
    """One verb."""
    words = json.loads(sys.argv[1])
    if words["verb"] == "list":
        print(json.dumps(listed(words)))
    elif words["verb"] == "state":
        print("\n".join(listed(words)["state"]))
    elif words["verb"] == "sums":
        print(sums(words))
    elif words["verb"] == "damage":
        damage(words)
    elif words["verb"] == "undo":
        undo(words)
    elif os.path.isdir(kept(words["lease"])):
        print("files kept of", words["path"])


if __name__ == "__main__":
    main()
