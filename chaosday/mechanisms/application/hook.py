"""The import hook of ``chaosday exec``: what is hurt is decided by a switch file, read a few times a second.

Loaded into other people's programs, so: standard library only, no logging, nothing at import time but
one thread. A function is wrapped only while a rule for it is in force, by putting a wrapper in the
place where its name is looked up; at the deadline, or when the rule goes, the original is put back.
Until then the program runs exactly the code it would run without us: off costs nothing.

The switch file is JSON: ``{"rules": [{"id", "at": "package.module:Class.name", "effect": "raise",
"error": "ConnectionError", "message", "delay_s", "value", "probability", "until": CLOCK_MONOTONIC}]}``.
A file that is missing, unreadable or not JSON means: no rules. So does one that somebody else may have written: it has
to be root's or this program's user's, in a folder that nobody else may write.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

POLL_S = 0.1
_put_back: dict[str, tuple[Any, str, Any, str]] = {}
_counts: dict[str, int] = {}


def start(switch: str) -> None:
    """Watch the switch file from a thread of our own that keeps nobody alive."""
    threading.Thread(target=_watch, args=(switch,), name="chaosday", daemon=True).start()


def _watch(switch: str) -> None:
    told: dict[str, int] = {}
    while True:
        rules = {rule["id"]: rule for rule in _read(switch) if rule["until"] > time.monotonic()}
        for name in [name for name in _put_back if name not in rules]:
            _restore(name)
        for name, rule in rules.items():
            if name not in _put_back:
                _replace(name, rule)
        # What was hurt is told beside the switch, so that somebody else can count it.
        if rules and _counts != told:
            told = dict(_counts)
            _tell(switch, told)
        time.sleep(POLL_S)


def _read(switch: str) -> list[dict[str, Any]]:
    try:
        folder = os.open(os.path.dirname(switch) or ".", os.O_RDONLY | os.O_DIRECTORY)  # noqa: PTH120 (as below)
        try:
            handle = os.open(os.path.basename(switch), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)  # noqa: PTH119
            with open(handle, encoding="utf-8") as file:  # noqa: PTH123 (pathlib would be an import into their program)
                if not (_ours(folder) and _ours(handle)):
                    return []
                rules = json.load(file)["rules"]
        finally:
            os.close(folder)
        return [rule for rule in rules if rule["at"] and isinstance(rule["until"], (int, float))]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _ours(handle: int) -> bool:
    """Whether only root and the user that this program runs under may have written it."""
    found = os.fstat(handle)
    return found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o022


def _tell(switch: str, counts: dict[str, int]) -> None:
    path = f"{switch}.{os.getpid()}"
    try:
        with open(f"{path}.new", "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(counts, file)
        os.replace(f"{path}.new", path)  # noqa: PTH105
    except OSError:
        return


def _replace(name: str, rule: dict[str, Any]) -> None:
    module_name, _, path = rule["at"].partition(":")
    module = sys.modules.get(module_name)
    if module is None:
        return  # not imported yet: the rule waits until the program does so
    owner: Any = module
    *outer, last = path.split(".")
    try:
        for word in outer:
            owner = getattr(owner, word)
        original = inspect.getattr_static(owner, last)
    except AttributeError:
        return
    bare = original.__func__ if isinstance(original, (staticmethod, classmethod)) else original
    if not callable(bare):
        return
    wrapper: Any = _wrapped(bare, rule)
    if isinstance(original, (staticmethod, classmethod)):
        wrapper = type(original)(wrapper)
    setattr(owner, last, wrapper)
    _put_back[name] = (owner, last, original, rule["at"])


def _restore(name: str) -> None:
    owner, last, original, _ = _put_back.pop(name)
    setattr(owner, last, original)


def _wrapped(bare: Callable[..., Any], rule: dict[str, Any]) -> Callable[..., Any]:
    dice = random.Random(rule.get("seed", 0))
    name, until, effect = rule["id"], rule["until"], rule["effect"]

    def struck() -> bool:
        # Asked at every call: the deadline holds even if the watching thread is starved.
        if time.monotonic() >= until or dice.random() >= rule.get("probability", 1):
            return False
        _counts[name] = _counts.get(name, 0) + 1
        return True

    if inspect.iscoroutinefunction(bare):

        @functools.wraps(bare)
        async def asynchronous(*args: Any, **named: Any) -> Any:
            if not struck():
                return await bare(*args, **named)
            if effect == "delay":
                import asyncio

                await asyncio.sleep(rule["delay_s"])
                return await bare(*args, **named)
            if effect == "raise":
                raise _error(rule)
            return rule.get("value")

        return asynchronous

    @functools.wraps(bare)
    def synchronous(*args: Any, **named: Any) -> Any:
        if not struck():
            return bare(*args, **named)
        if effect == "delay":
            time.sleep(rule["delay_s"])
            return bare(*args, **named)
        if effect == "raise":
            raise _error(rule)
        return rule.get("value")

    return synchronous


def _error(rule: dict[str, Any]) -> BaseException:
    """The exception by its dotted name; ``RuntimeError`` where there is none of that name or it takes no message.

    Only a class of exceptions, of a module that the program has imported: importing runs a module, and calling whatever
    has the name would run that.
    """
    module, _, name = rule["error"].rpartition(".")
    kind = getattr(sys.modules.get(module) if module else builtins, name, None)
    try:
        if isinstance(kind, type) and issubclass(kind, BaseException):
            made: BaseException = kind(rule.get("message", "injected"))
            return made
        return RuntimeError(f"{rule['error']}: {rule.get('message', 'injected')}")
    except TypeError:
        return RuntimeError(f"{rule['error']}: {rule.get('message', 'injected')}")
