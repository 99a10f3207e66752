"""Who may use what ``chaosday serve`` serves: one login, made at the first start, in files that only we can read.

It reaches children of ours through standard input, or by the path of a profile of Prefect's: never as an argument, and
never through an environment, which every grandchild would inherit.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaosday.errors import EvidenceMissing, Refused, Unavailable
from chaosday.processes.login import expanded
from chaosday.record.owned import open_owned

PROFILE, PROFILES_PATH = "chaosday", "PREFECT_PROFILES_PATH"
CLIENT, SERVER = "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"
OURS_ALONE = stat.S_IRWXG | stat.S_IRWXO


def prefect_home() -> Path:
    """Prefect's own folder, where its database is."""
    return expanded(os.environ.get("PREFECT_HOME") or "~/.prefect")


@dataclass(frozen=True)
class Login:
    """``words`` is ``user:password``, as for Prefect's basic authentication; ``fresh`` where it was made just now."""

    folder: Path
    words: str = field(repr=False)
    fresh: bool = False

    @classmethod
    def of(cls, home: Path) -> Login:
        """The one that is kept in ``home``, made where there is none."""
        folder = home / "chaosday"
        try:
            # Prefect makes its home so, too; but what is made on the way to another folder is open to all.
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"the login cannot be kept in {folder}: {error.strerror}; set PREFECT_HOME") from None
        try:
            return cls(folder, _private(folder / "login"))
        except EvidenceMissing:
            words = f"chaosday:{secrets.token_urlsafe(24)}"
            _write(folder / "login", words)
            return cls(folder, words, fresh=True)

    @property
    def profiles(self) -> Path:
        """What ``PREFECT_PROFILES_PATH`` names for clients of this server."""
        return self.folder / "profiles.toml"

    def write_profile(self, settings: Mapping[str, str], api: str) -> None:
        """The profile of clients: ``settings`` but any login, and the address of the API with the login to it."""
        named = {**without_login(settings), "PREFECT_API_URL": api, CLIENT: self.words}
        lines = [f'active = "{PROFILE}"', f"[profiles.{PROFILE}]"]
        lines += [f"{name} = {_quoted(value)}" for name, value in named.items()]
        _write(self.profiles, "\n".join(lines) + "\n")

    def ticket(self, name: str) -> str:
        """A word that logs one browser in, once."""
        ticket = secrets.token_urlsafe(24)
        _write(self.folder / f"{name}.ticket", ticket)
        return ticket

    @contextmanager
    def served(self) -> Iterator[None]:
        """While the block lasts nobody else serves from this home; ``Unavailable`` where somebody does.

        What is good for a server that runs goes with it: whoever takes its port next is told no login.
        """
        handle = os.open(self.folder / "serving", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle) as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                words = f"chaosday serve runs from {self.folder.parent} already"
                raise Unavailable(f"{words}: end that one, or give this one a PREFECT_HOME of its own") from None
            try:
                yield
            finally:
                for path in (self.profiles, *self.folder.glob("*.ticket")):
                    path.unlink(missing_ok=True)


def take_ticket(folder: Path, name: str, given: str) -> bool:
    """Whether ``given`` is the ticket of that name; it is none any more afterwards."""
    path = folder / f"{name}.ticket"
    try:
        if not hmac.compare_digest(_private(path).encode(), given.encode()):
            return False
        path.unlink()
    except (EvidenceMissing, Refused, FileNotFoundError):
        return False
    return True


def login_for(url: str) -> str | None:
    """The login to the API at ``url``, where that is the one that is being served from this home."""
    try:
        profile = tomllib.loads(_private(prefect_home() / "chaosday" / "profiles.toml"))["profiles"][PROFILE]
    except (EvidenceMissing, Refused, KeyError, tomllib.TOMLDecodeError):
        return None
    same = _place(str(profile.get("PREFECT_API_URL"))) == _place(url)
    return str(profile[CLIENT]) if same and CLIENT in profile else None


def settle(settings: Mapping[Any, str]) -> Any:
    """From now on these settings of Prefect's hold in every thread of this process, and in no child of it.

    Gives the context that held before.
    """
    import prefect.context

    outer = prefect.context.GLOBAL_SETTINGS_CONTEXT
    changed = outer.settings.copy_with_update(updates=settings)
    prefect.context.GLOBAL_SETTINGS_CONTEXT = prefect.context.SettingsContext(profile=outer.profile, settings=changed)
    return outer


@contextmanager
def logged_in(words: str, url: str = "") -> Iterator[None]:
    """While the block lasts every client of Prefect's in this process logs in with ``words``, at ``url`` if given."""
    import prefect.context
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL

    outer = settle({PREFECT_API_AUTH_STRING: words} | ({PREFECT_API_URL: url} if url else {}))
    try:
        yield
    finally:
        prefect.context.GLOBAL_SETTINGS_CONTEXT = outer


def without_login(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for children, with no login in it."""
    return {name: value for name, value in environment.items() if name not in (CLIENT, SERVER)}


def _place(url: str) -> str:
    return url.rstrip("/").replace("://localhost:", "://127.0.0.1:")


def _private(path: Path) -> str:
    """The content of a file of ours that nobody else may read."""
    with os.fdopen(open_owned(path), encoding="utf-8") as file:
        if os.fstat(file.fileno()).st_mode & OURS_ALONE:
            raise Refused(f"{path} may be read by others: whoever did knows the login; remove it for a new one")
        return file.read()


def _write(path: Path, text: str) -> None:
    """A new file, ours alone from its first moment, in the place of what was there."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def _quoted(value: str) -> str:
    """A basic string of TOML."""
    escaped = "".join(f"\\u{ord(c):04x}" if c in '"\\' or ord(c) < 32 or ord(c) == 127 else c for c in value)
    return f'"{escaped}"'
