"""PostgreSQL's programs log in without a password in any environment or argument, and leave none with the server."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from chaosday.mechanisms.hosts.postgres_tools import PostgresTools, Server
from chaosday.servers.password_file import VARIABLE, password_file
from chaosday.servers.postgres import Node
from tests.attackers import STRANGER, needs_root

ODD = "c:an\\ary 5f2e"


@needs_root
def test_only_the_program_reads_it() -> None:
    """Under the account that it runs as, by whatever user it was made; nobody else has a name for it."""
    run_as = {"user": STRANGER, "group": STRANGER, "extra_groups": []}
    with password_file(ODD, run_as) as (needed, descriptors):
        command = ["/bin/sh", "-c", 'cat "$PGPASSFILE"']
        done = subprocess.run(
            command, env=needed, pass_fds=descriptors, capture_output=True, text=True, cwd="/", check=True, **run_as
        )
        assert done.stdout == "*:*:*:*:c\\:an\\\\ary 5f2e\n"
        assert ODD not in str(needed)
        assert Path(needed[VARIABLE]).stat().st_mode & 0o077 == 0


def test_a_program_logs_in_and_no_process_shows_how(pair: tuple[Node, Node]) -> None:
    """psql asks the server for a row while every environment and command line of the machine is looked through."""
    primary = pair[0]
    # Other tests run at the same time, and may have it in an environment that they made.
    others = _holding(primary.password)
    tools = PostgresTools(primary.bin, primary.account.popen_arguments())
    look = "\\! cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null"
    at = Server(primary.port, password=primary.password)
    said = tools.run("psql", *at.arguments, "-Atc", "select 'in'", "-c", look, "postgres", at=at)
    assert said.out.startswith("in\n"), said.err
    assert primary.password not in said.out + said.err
    assert _holding(primary.password) <= others


def _holding(password: str) -> set[str]:
    """The processes of the machine that have it in their environment."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended
            if password.encode() in path.read_bytes():
                found.add(path.parent.name)
    return found
