"""The ready drills of backups that people take anyhow, as their files stand; only where things are is filled in."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaosday.drills.restoring.drill import parse_drill
from chaosday.model.finding import Outcome
from chaosday.servers import postgres
from chaosday.servers.account import unprivileged
from chaosday.servers.postgres import Node
from tests.docs.pages import ROOT
from tests.drills.restoring.test_restore_drill import played
from tests.lab.machine import absent

pytestmark = [pytest.mark.lab, pytest.mark.breadth]
DEBIAN = Path("/usr/lib/postgresql/15/bin")
RESTORE_PICKED = ' restore --set="$CHAOSDAY_PICKED"'
SMALL = {"before_s": 0.7, "before_at_most_s": 300, "after_s": 0.3, "sight_budget_s": 600, "loss_rate_to_see": 0.1}


def ran(node: Node, *command: str) -> None:
    """A program under the account of the server's files."""
    subprocess.run(command, check=True, capture_output=True, cwd="/", **node.account.popen_arguments())


def restic(node: Node, folder: Path) -> dict[str, str]:
    """A repository of restic's."""
    word = folder / "word"
    word.write_text(secrets.token_hex(8))
    node.account.own(word)
    ran(node, "restic", "--repo", str(folder / "kept"), "--password-file", str(word), "--no-cache", "init")
    return {"/var/backups/restic": str(folder / "kept"), "/etc/restic-password": str(word)}


def borg(node: Node, folder: Path) -> dict[str, str]:
    """A repository of borg's."""
    ran(node, "env", f"BORG_BASE_DIR={folder}/home", "borg", "init", "--encryption=none", str(folder / "kept"))
    allowed = "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes"
    return {"/var/backups/borg": str(folder / "kept"), "export BORG_BASE_DIR": f"export {allowed} BORG_BASE_DIR"}


KEEPERS: dict[str, Callable[[Node, Path], dict[str, str]]] = {"restic": restic, "borg": borg}


@pytest.fixture(scope="module")
def room(pair: tuple[Node, Node], server_directory: Path) -> Iterator[Path]:
    """A folder that the account of the copies may write to."""
    folder = server_directory / "kept"
    folder.mkdir(mode=0o700)
    pair[0].account.own(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", KEEPERS)
def test_a_ready_file_restores_what_was_acknowledged(
    pair: tuple[Node, Node], server_directory: Path, room: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, but for its addresses: it passes with its proofs, and in the time that it promises."""
    if shutil.which(name) is None:
        absent(f"{name} is not installed")
    folder = room / name
    folder.mkdir(mode=0o700)
    pair[0].account.own(folder)
    monkeypatch.setenv("PATH", f"{pair[0].bin}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(folder))
    text = (ROOT / "deployments" / "drills" / f"restore-{name}.yaml").read_text()
    for place, here in KEEPERS[name](pair[0], folder).items():
        assert place in text
        text = text.replace(place, here)
    said: dict[str, Any] = yaml.safe_load(text)
    verdict, directory = played(
        parse_drill({**said, **SMALL, "source": pair[0].target()}), server_directory / f"r-{name}"
    )
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    assert all(proof.held for proof in verdict.proofs.values())
    assert not (directory.path / "copy").exists()
    # The same repository, by what it lists itself.
    verdict, directory = played(
        parse_drill({**_older(said, name, folder), **SMALL, "source": pair[0].target()}), server_directory / f"o-{name}"
    )
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    assert directory.read_json("observations/recovery_objectives.json")["picked_of"] == 1


def _older(said: dict[str, Any], name: str, folder: Path) -> dict[str, Any]:
    """A drill of the backup that is there, in a repository that the ready file ``said`` is filled in for."""
    own, before = said["restore"], "" if name == "restic" else said["restore"]["command"].split(";")[0] + "; "
    if name == "restic":
        text = (ROOT / "deployments" / "drills" / "restore-older.yaml").read_text()
        for place, here in {"/var/backups/restic": folder / "kept", "/etc/restic-password": folder / "word"}.items():
            text = text.replace(place, str(here))
        own = yaml.safe_load(text)["restore"]
    else:
        own = own | {
            "listing": f"{before}borg list --json {folder}/kept",
            "command": f'{before}cd "$CHAOSDAY_INTO" && borg extract {folder}/kept::"$CHAOSDAY_PICKED"',
        }
    return said | {"restore": {**own, "backup": "", "pick": "random"}}


def test_pgbackrest_s_ready_file_restores_what_was_acknowledged(server_directory: Path) -> None:
    """Its own archive, on a server that pushes to it."""
    if shutil.which("pgbackrest") is None or not DEBIAN.is_dir():
        absent("pgbackrest or PostgreSQL 15 is not installed")
    folder = server_directory / "rest"
    folder.mkdir(mode=0o711)
    port_file = folder / "pgbackrest.conf"
    push = f'pgbackrest --config={port_file} --stanza=main archive-push "%p"'
    extra = f"archive_mode = on\narchive_command = '{push}'\nunix_socket_directories = '{folder}/s'\n"
    (folder / "s").mkdir(mode=0o711)
    account = unprivileged()
    account.own(folder / "s")
    account.own(folder)
    node = postgres.primary(folder, name="main", extra=extra, bin_directory=DEBIAN)
    try:
        (node.data / "pg_hba.conf").write_text("local all all trust\n" + (node.data / "pg_hba.conf").read_text())
        node.tool("pg_ctl", "reload", "-D", str(node.data))
        port_file.write_text(
            f"[global]\nrepo1-path={folder}/repo\nlog-path={folder}/log\nlock-path={folder}/lock\nspool-path={folder}/spool\n"
            f"start-fast=y\nlog-level-console=error\n[main]\npg1-path={node.data}\npg1-port={node.port}\n"
            f"pg1-socket-path={folder}/s\npg1-user=postgres\n"
        )
        account.own(port_file)
        ran(node, "pgbackrest", f"--config={port_file}", "--stanza=main", "stanza-create")
        text = (ROOT / "deployments" / "drills" / "restore-pgbackrest.yaml").read_text()
        said = yaml.safe_load(text.replace("--stanza=main", f"--config={port_file} --stanza=main"))
        value = parse_drill({**said, **SMALL, "source": node.target()})
        verdict, directory = played(value, server_directory / "r-pgbackrest")
        assert verdict.outcome is Outcome.PASS, verdict.reasons
        assert not (directory.path / "copy").exists()
        own = said["restore"]
        own |= {"backup": "", "pick": "random", "command": own["command"].replace(" restore", RESTORE_PICKED)}
        own["listing"] = f"pgbackrest --config={port_file} --stanza=main info --output=json"
        verdict, _ = played(parse_drill({**said, **SMALL, "source": node.target()}), server_directory / "o-pgbackrest")
        assert verdict.outcome is Outcome.PASS, verdict.reasons
    finally:
        node.stop()
