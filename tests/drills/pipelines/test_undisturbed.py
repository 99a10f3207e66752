"""The undisturbed run: what cannot be drilled is said, in words, before anything is killed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from chaosday.drills.pipelines.bench import Bench
from chaosday.drills.pipelines.comparing import CHANGED, DUPLICATED, LOST, Comparator
from chaosday.drills.pipelines.golden import Golden, Undisturbed
from chaosday.drills.pipelines.sighting import GOLDEN, look
from chaosday.mechanisms.wire.conversation import Gate
from chaosday.mechanisms.wire.proxy import WireProxy
from chaosday.model.target import ProcessIdentity
from chaosday.processes.process_table import identity, is_running
from chaosday.servers.copies import Copies
from tests.drills.pipelines.conftest import drill, psql

pytestmark = pytest.mark.lab
LOAD = "insert into orders (n) select max(n) + 1 from orders"
SERIAL = {"*": ["id"]}


def undisturbed(bench: Bench, command: list[str], **changed: Any) -> Golden:
    bench.copies.restore("origin")
    ignore = changed.pop("ignore", SERIAL)
    bench.value = bench.value.model_copy(update={"command": command, "ignore": ignore, "outputs": ["*"], **changed})
    return Undisturbed(bench, lambda words: None, lambda: False).take()


@pytest.mark.parametrize(
    ("command", "changed", "words"),
    [
        (psql("select 1/0"), {}, "fails on day 1 (exit 1), and nothing was drilled: ERROR:  division by zero"),
        (["true"], {}, "asked nothing of any store"),
        (psql("insert into notes values ('x')"), {"outputs": ["*.nothing"]}, "outputs: after an undisturbed run there"),
        (psql("select 1"), {}, "a vacuous start"),
        (psql("update orders set n = n where n = 1"), {}, "a vacuous start"),
        (
            psql("insert into orders (n, at) select max(n) + 1, now() from orders"),
            {},
            "differ in shop.public.orders, in at",
        ),
        (psql(LOAD), {"ignore": {}}, "differ in shop.public.orders, in id"),
        (["sh", "-c", 'psql=$1; shift; $psql "$@"; sleep 600 &', "x", *psql(LOAD)], {}, "left 1 processes running"),
        (psql(LOAD), {"variables": {"PGPORT": "5432"}}, "kept off 127.0.0.1:5432: that is a database, and no copy"),
    ],
    ids=["fails", "asks nothing", "no output", "no change", "same again", "now()", "sequence", "daemon", "original"],
)
def test_what_cannot_be_drilled_is_said(bench: Bench, command: list[str], changed: dict[str, Any], words: str) -> None:
    """Each in one line that says what to do, and only that one."""
    changed.setdefault("variables", {})
    (said,) = undisturbed(bench, command, **changed).shortfalls
    assert words in said


def test_damage_of_every_kind_is_told_by_its_name(bench: Bench) -> None:
    """In a table with constraints, a generated column and a sequence; a sound copy is met with silence."""
    golden = undisturbed(bench, psql(LOAD, LOAD, "insert into notes values ('x')"), variables={})
    assert golden.shortfalls == [] and len(golden.states) == 4
    assert golden.outputs == {"shop.public.notes": 2, "shop.public.orders": 24}
    # Half of the orders could be read, and never half of the notes.
    assert (golden.torn, golden.windows_left_out) == ({"shop.public.orders": [LOAD]}, 0)
    assert all(planted.told for planted in golden.planted), golden.planted
    assert {(each.output, each.damage) for each in golden.planted} >= {
        (f"shop.public.{table}", damage)
        for table, kinds in (("orders", (DUPLICATED, LOST, CHANGED)), ("notes", (DUPLICATED, LOST)))
        for damage in kinds
    }


def test_a_comparator_that_sees_nothing_is_found_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes every table for equal misses what is planted."""
    undisturbed(bench, psql(LOAD), variables={})
    bench.restore(GOLDEN)
    comparator = Comparator(bench.copies, bench.value)
    monkeypatch.setattr(Comparator, "digest", lambda self, copy, table, columns=(): (1, ""))
    planted = look(comparator)
    comparator.close()
    assert not any(each.told for each in planted if each.damage in (DUPLICATED, LOST, CHANGED))


def test_files_that_live_on_are_there_and_others_are_not(bench: Bench, tmp_path: Path) -> None:
    """A bookmark is found by the next run; what else a run leaves in its folder is not."""
    (tmp_path / "config").write_text("given")
    script = (
        "cat config; cat state/bookmark other 2>/dev/null; mkdir -p state; echo kept > state/bookmark; echo x > other"
    )
    bench.value = bench.value.model_copy(
        update={"command": ["sh", "-c", script], "folder": tmp_path, "state": ["state"], "variables": {}}
    )
    bench.restore("origin")
    said = [bench.run(Gate(), bench.value.days[0]).output for _ in range(2)]
    bench.value = bench.value.model_copy(update={"folder": None, "state": []})
    assert said == ["given", "givenkept"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config"]


def test_what_a_run_deleted_stays_deleted(bench: Bench, tmp_path: Path) -> None:
    """A flag that the pipeline came with and took away is not there again; a link stays a link."""
    (tmp_path / "todo").write_text("once")
    script = "cat todo 2>/dev/null; rm -f todo; ln -sfn elsewhere last; readlink last"
    bench.value = bench.value.model_copy(
        update={"command": ["sh", "-c", script], "folder": tmp_path, "state": ["todo", "last"], "variables": {}}
    )
    shutil.rmtree(bench.work)
    said = [bench.run(Gate(), bench.value.days[0]).output for _ in range(2)]
    bench.keep("later")
    bench.restore("later")
    said.append(bench.run(Gate(), bench.value.days[0]).output)
    bench.value = bench.value.model_copy(update={"folder": None, "state": []})
    assert said == ["onceelsewhere", "elsewhere", "elsewhere"]


def test_an_address_holds_whatever_a_user_is_called(bench: Bench) -> None:
    """Placeholders in a URL are quoted; the words alone are as they are."""
    shop = bench.value.stores["shop"].model_copy(update={"user": "a/b@c"})
    whole = bench.value
    bench.value = whole.model_copy(update={"stores": {"shop": shop}, "variables": {"URL": "{shop.url}"}})
    bench.value = bench.value.model_copy(update={"command": ["sh", "-c", 'echo "$URL"; echo "$PGUSER"']})
    address, user = bench.run(Gate(), bench.value.days[0]).output.splitlines()
    bench.value = whole
    assert (unquote(str(urlsplit(address).username)), user) == ("a/b@c", "a/b@c")
    assert urlsplit(address).path == "/shop" and urlsplit(address).port == bench.proxy.port


@pytest.mark.parametrize(("owner", "step"), [(Copies, "connect"), (WireProxy, "start")])
def test_a_signal_in_the_midst_of_starting_leaves_no_server(
    server_directory: Path, monkeypatch: pytest.MonkeyPatch, owner: type, step: str
) -> None:
    """Wherever it comes once the server is there; and what the server's end has to say is said."""
    folder = Path(tempfile.mkdtemp(dir=server_directory))
    folder.chmod(0o711)
    servers: list[ProcessIdentity] = []
    made = Bench(drill({"shop": {}}), folder / "scratch", f"test{folder.name}")

    def interrupted(*of: object) -> None:
        servers.append(identity(int((made.scratch / "server/copies/postmaster.pid").read_text().split()[0])))
        raise KeyboardInterrupt

    close = Copies.close
    with monkeypatch.context() as patched:
        patched.setattr(owner, step, interrupted)
        patched.setattr(Copies, "close", lambda copies: [*close(copies), "a word"])
        with pytest.raises(KeyboardInterrupt):
            made.start()
        assert made.close() == ([] if owner is Copies else ["a word"])
    assert servers[0].started and not is_running(servers[0])
