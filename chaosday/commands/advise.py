"""``chaosday advise``: what a system's settings can lose, read and not touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import click

from chaosday.drills.advice.advising import Advice, advise, drafted
from chaosday.errors import UsageError
from chaosday.model.target import Target
from chaosday.record.inputs import refuse_special
from chaosday.record.outputs import unwritable
from chaosday.registry import member
from chaosday.reporting.several import each_of
from chaosday.reporting.terminal import say, say_json

_KINDS = {"postgresql": "postgresql", "postgres": "postgresql", "mariadb": "mariadb", "mysql": "mariadb",
          "redis": "redis", "etcd": "etcd", "nats": "nats", "kafka": "kafka"}  # fmt: skip
_WRITTEN = (
    "write postgresql://user@host/database, mariadb://..., redis://host, etcd://host, nats://host, kafka://host/topic,"
    " or name a file"
)


@click.command("advise", short_help="Say what a system's settings can lose, and what would show it.")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option(
    "--write", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Write the experiments that would show it into this folder.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a target.")
def command(targets: tuple[str, ...], folder: Path | None, as_json: bool) -> int:
    """Read what decides whether each TARGET keeps what it acknowledged; nothing is changed.

    A TARGET is an address (postgresql://user@host/database, mariadb://, redis://, etcd://, nats://, kafka://host/topic),
    a SQLite or DuckDB file, or an experiment, whose targets are looked at. Exits 0 where nothing was found, 2 where
    something can be lost or was not to be read: it is proven or refuted by an experiment alone."""
    named = [pair for word in targets for pair in _targets(word)]
    ours: set[Path] = set()

    def answer(pair: tuple[str, Target]) -> int:
        name, target = pair
        found = advise(target)
        files = _written(found, folder, ours) if folder else {}
        if as_json:
            plain = [each.model_dump(mode="json", exclude={"draft"}) for each in found]
            say_json({"target": name, "advice": plain, "written": files})
        else:
            _show(name, found, files)
        return 2 if found else 0

    return each_of(named, answer, shown=lambda pair: pair[0], unread=_unread if as_json else None)


def _unread(pair: tuple[str, Target], words: str) -> dict[str, Any]:
    return {"target": pair[0], "advice": None, "error": words}


def _targets(word: str) -> Iterator[tuple[str, Target]]:
    from chaosday.model.experiment import load_targets
    from chaosday.targets.duckdb_file import DuckDBFile
    from chaosday.targets.sqlite_file import SQLiteFile

    if "://" in word:
        yield _address(word)
        return
    path = Path(word)
    refuse_special(path)
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; {_WRITTEN}") from None
    if head.startswith(b"SQLite format 3\x00"):
        yield word, SQLiteFile(path=path)
    elif head[8:12] == b"DUCK":
        yield word, DuckDBFile(path=path)
    else:
        from chaosday.drills.advice.advising import SYSTEMS

        found = load_targets(path)
        known = {name: each for name, each in found.items() if getattr(each, "kind", "") in SYSTEMS}
        if not known:
            raise UsageError(f"{path} has no target that there is advice on; there is on {', '.join(SYSTEMS)}")
        yield from known.items()


def _address(word: str) -> tuple[str, Target]:
    from chaosday.model.experiment import validated

    try:
        parts = urlsplit(word)
        port = parts.port
    except ValueError:
        # What the standard library says of it repeats a part, which may be half a password.
        raise UsageError(f"an address cannot be read; {_WRITTEN}") from None
    kind = _KINDS.get(parts.scheme)
    if kind is None:
        raise UsageError(f"there is no advice on {parts.scheme}://; {_WRITTEN}")
    if parts.password:
        raise UsageError("leave the password out of the address: give it in the variable that the target reads")
    if parts.query or parts.fragment or "@" in parts.path:
        raise UsageError(
            "an address for advice is SCHEME://USER@HOST:PORT/DATABASE; what stands behind a ? (TLS, a socket, another "
            "port) goes into a file of targets, which is read as well"
        )
    if kind in ("redis", "etcd", "nats") and parts.path.strip("/"):
        raise UsageError(f"advice is on a whole {kind}: leave {parts.path} out of the address")
    given: dict[str, Any] = {"kind": kind, "host": parts.hostname, "port": port}
    if kind in ("postgresql", "mariadb", "nats", "kafka"):
        given["user"] = parts.username and unquote(parts.username)
    if kind in ("postgresql", "mariadb"):
        given["database"] = unquote(parts.path.strip("/"))
    if kind == "kafka":
        host = given.pop("host") or "127.0.0.1"
        at = f"[{host}]" if ":" in host else host
        given |= {"brokers": f"{at}:{given.pop('port') or 9092}", "topic": unquote(parts.path.strip("/"))}
    fields = {name: value for name, value in given.items() if value}
    name = f"{kind} {parts.hostname or ''}{f':{port}' if port else ''}{parts.path}"
    return name, validated(cast("type[Target]", member("targets", kind)), fields)


def _show(name: str, found: list[Advice], files: dict[str, str]) -> None:
    if not found:
        say(f"{name}: nothing was found that can lose what it acknowledges; an experiment says more")
    for each in found:
        setting = ", ".join(f"{key} = {value}" for key, value in each.setting.items())
        said = f" ({setting})" if setting and each.state == "can lose" else ""
        say(f"{name}: {'!' * each.risk if each.state == 'can lose' else '?'} {each.rule}{said}: {each.words}")
        say(f"    {each.cites}")
        if each.rule in files:
            say(f"    what would show it: {files[each.rule]}")
        elif each.finding:
            say(f"    shown in the lab by: chaosday run {each.finding}")


def _written(found: list[Advice], folder: Path, ours: set[Path]) -> dict[str, str]:
    """The experiments of a target's advice, each in a file that was not there; ``ours`` are those of targets before."""
    files = {}
    for each in found:
        if each.draft is None:
            continue
        slug = re.sub(r"[^a-z0-9]+", "-", each.rule.lower()).strip("-")
        path = folder / f"{each.system}-{slug}.yaml"
        number = 1
        while path in ours:
            number += 1
            path = folder / f"{each.system}-{slug}-{number}.yaml"
        try:
            with path.open("x") as file:
                file.write(drafted(each))
        except FileExistsError:
            raise UsageError(f"{path} is there already; move it, or name another folder") from None
        except OSError as error:
            raise unwritable(path, error) from None
        ours.add(path)
        files[each.rule] = str(path)
    return files
