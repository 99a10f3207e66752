"""An interpreter that forks for each run of a script: run as ``python fork_server.py DOOR GATED_EXEC``.

What the script's imports cost is paid once. DOOR is a socket on which each message is a mapping in JSON: ``preload``
names a file with names of modules, one a line; ``reap`` a child; else a script or module is to be run, with its
arguments. A child installs the filter of ``gated_exec.py`` for itself, puts its own mark into its environment, and then
is what a fresh interpreter would be at the first line of the script. It imports nothing of ours, and runs under the
script's own interpreter.
"""

from __future__ import annotations

import array
import atexit
import builtins
import ctypes
import importlib
import importlib.machinery
import json
import os
import runpy
import socket
import sys
import types
from typing import Any

MARK = "CHAOSDAY_ATTEMPT"


def serve() -> dict[str, Any] | None:
    """Answer until the door closes, which is None; in a child, what it is to run."""
    door = socket.socket(fileno=int(sys.argv[1]))
    listener = runpy.run_path(sys.argv[2])["listener"]
    if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
        del sys.path[0]
    door.sendall(b"true")
    while True:
        said, handles, _, _ = socket.recv_fds(door, 1 << 16, 2)
        if not said:
            return None
        ask = json.loads(said)
        answer: object = None
        if "reap" in ask:
            answer = os.waitpid(ask["reap"], 0)[1]
        elif "preload" in ask:
            os.chdir(ask["folder"])
            answer = preload(ask["preload"])
        else:
            answer = os.fork()
            if answer == 0:
                door.close()
                begin(ask, listener, *handles)
                return dict(ask)
            for handle in handles:
                os.close(handle)
        door.sendall(json.dumps(answer).encode())


def begin(ask: dict[str, Any], listener: Any, channel: int, log: int) -> None:
    """A child becomes a run of its own: session, output, folder, mark, and the filter that asks."""
    os.setsid()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.chdir(ask["folder"])
    own_mark(ask["mark"])
    with socket.socket(fileno=channel) as ours:
        try:
            handle = listener(files=ask["files"])
        except OSError as error:
            ours.sendall(str(error).encode())
            os._exit(126)
        ours.sendmsg([b"ok"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))])
        os.close(handle)
        ours.recv(1)
    if "numpy.random" in sys.modules:
        # Two fresh processes do not begin with the same numbers; Python's own generator sees to that by itself.
        sys.modules["numpy.random"].seed()


def own_mark(mark: str) -> None:
    """Put the mark where others look for it: into the block of memory with which the interpreter was started."""
    with open("/proc/self/stat", "rb") as file:
        start, end = map(int, file.read().rpartition(b")")[2].split()[47:49])
    block = ctypes.string_at(start, end - start)
    at = block.find(f"\0{MARK}=".encode()) + 1 + len(MARK) + 1
    room = block.find(b"\0", at) - at
    ctypes.memmove(start + at, mark.encode().ljust(room, b"\0"), room)
    os.environ[MARK] = mark


def preload(file: str) -> list[str]:
    """Import the modules named in a file; what came of it that a child should not have.

    That is threads, processes, open files, and variables that the script could read before it imports anything.
    """
    with open(file, encoding="utf-8") as names:
        wanted = names.read().split()
    before, children, variables = _opened(), _children(), dict(os.environ)
    for name in wanted:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # what an import tries and does without
    threads = len(os.listdir("/proc/self/task")) - 1
    left = [f"{threads} thread{'s' if threads > 1 else ''}"] if threads else []
    if born := len(_children() - children):
        left.append(f"{born} process{'es' if born > 1 else ''}")
    changed = sorted(name for name, _ in dict(os.environ).items() ^ variables.items())
    left += [f"another value of {name}" for name in dict.fromkeys(changed)]
    return left + [f"an open {os.readlink(f'/proc/self/fd/{each}')}" for each in sorted(_opened() - before)]


def _children() -> set[str]:
    """The processes that this one has begun, as far as the kernel tells."""
    found: set[str] = set()
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children", encoding="ascii") as pids:
                found.update(pids.read().split())
        except OSError:
            continue
    return found


def _opened() -> set[str]:
    """The descriptors that are open; the one by which they are listed is not, and what holds nothing may be shared."""
    return set(filter(_open, os.listdir("/proc/self/fd")))


def _open(descriptor: str) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}") not in ("/dev/urandom", "/dev/null")
    except OSError:
        return False


def learn(file: str) -> None:
    """Write down, at the end, which modules were imported from where modules are installed."""
    homes = tuple({os.path.dirname(os.__file__), *(path for path in sys.path if path.endswith("-packages"))})
    with open(file, "w", encoding="utf-8") as names:
        for name, module in list(sys.modules.items()):
            place = getattr(getattr(module, "__spec__", None), "origin", None) or ""
            if name != "__main__" and (place in ("built-in", "frozen") or place.startswith(homes)):
                names.write(f"{name}\n")


def become(ask: dict[str, Any]) -> Any:
    """Make ``__main__`` the script's, as the interpreter does; what is left to do, for the last line of this file."""
    if "probe" in ask:
        return lambda: print(json.dumps(preload(ask["probe"])))
    if "learn" in ask:
        atexit.register(learn, ask["learn"])
    script, arguments = ask["script"], ask["arguments"]
    sys.argv = [script, *arguments]
    sys.orig_argv = ask["command"]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    vars(main).update({"__builtins__": builtins, "__annotations__": {}})
    if ask["module"]:
        sys.path.insert(0, ask["folder"])
        return lambda: runpy._run_module_as_main(script)  # type: ignore[attr-defined]
    sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec", dont_inherit=True)
    whole = script if os.path.isabs(script) else os.path.join(os.getcwd(), script)
    loader = importlib.machinery.SourceFileLoader("__main__", whole)
    vars(main).update({"__file__": whole, "__cached__": None, "__loader__": loader})
    return lambda: exec(code, vars(main))


if __name__ == "__main__":
    _own = sys.modules["__main__"]  # what it defines is called to the very end
    if (_asked := serve()) is not None:
        become(_asked)()
