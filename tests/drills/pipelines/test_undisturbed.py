"""The undisturbed run: what cannot be drilled is said, in words, before anything is killed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from chaosday.drills.pipelines.bench import Bench, Ran
from chaosday.drills.pipelines.comparing import Comparator, Table
from chaosday.drills.pipelines.differences import CHANGED, DUPLICATED, LOST
from chaosday.drills.pipelines.golden import Golden, Undisturbed
from chaosday.drills.pipelines.sighting import GOLDEN, look
from chaosday.drills.pipelines.windows import Windows
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
        (psql(LOAD), {"outputs": ["./report.csv"]}, "outputs: after an undisturbed run there is no report.csv"),
        (
            ["sh", "-c", 'printf "{" > half.json; "$@"', "x", *psql(LOAD)],
            {"outputs": ["./half.json"]},
            "half.json cannot be read after an undisturbed run",
        ),
        (psql("select 1"), {}, "a vacuous start"),
        (psql("update orders set n = n where n = 1"), {}, "a vacuous start"),
        (
            psql("insert into orders (n, at) select max(n) + 1, now() from orders"),
            {},
            "differ in shop.public.orders, in at",
        ),
        (psql(LOAD), {"ignore": {}}, "differ in shop.public.orders, in id"),
        (["sh", "-c", 'psql=$1; shift; $psql "$@"; sleep 600 &', "x", *psql(LOAD)], {}, "left 1 processes running"),
        (psql("begin", LOAD, "prepare transaction 'x'"), {}, "leaves transactions prepared on day 1 (x)"),
        (psql(LOAD), {"variables": {"PGPORT": "5432"}}, "kept off 127.0.0.1:5432: that is a database, and no copy"),
    ],
    ids=[
        "fails",
        "asks nothing",
        "no output",
        "no file",
        "half a file",
        "no change",
        "same again",
        "now()",
        "sequence",
        "daemon",
        "prepared",
        "original",
    ],
)
def test_what_cannot_be_drilled_is_said(bench: Bench, command: list[str], changed: dict[str, Any], words: str) -> None:
    """Each in one line that says what to do, and only that one."""
    changed.setdefault("variables", {})
    (said,) = undisturbed(bench, command, **changed).shortfalls
    assert words in said


def test_damage_of_every_kind_is_told_by_its_name(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table with constraints, a generated column and a sequence; a sound copy is met with silence.

    How long a run takes is taken from the one in which nobody reads the outputs.
    """
    run, runs = Bench.run, []

    def noted(*of: Any, **how: Any) -> Ran:
        runs.append(run(*of, **how))
        return runs[-1]

    monkeypatch.setattr(Bench, "run", noted)
    golden = undisturbed(bench, psql(LOAD, LOAD, "insert into notes values ('x')"), variables={})
    assert golden.shortfalls == [] and len(golden.states) == 4
    assert golden.outputs == {"shop.public.notes": 2, "shop.public.orders": 24}
    assert golden.seconds == runs[-1].seconds and len(runs) == 3
    # Half of the orders could be read, and never half of the notes.
    assert (golden.torn, golden.windows_left_out) == ({"shop.public.orders": [LOAD]}, 0)
    assert all(planted.told for planted in golden.planted), golden.planted
    assert {(each.output, each.damage) for each in golden.planted} >= {
        (f"shop.public.{table}", damage)
        for table, kinds in (("orders", (DUPLICATED, LOST, CHANGED)), ("notes", (DUPLICATED, LOST)))
        for damage in kinds
    }


def test_nobody_looks_where_the_first_look_is_not_to_be_had(bench: Bench) -> None:
    """There would be nothing to compare with: what was not looked at is counted, and nothing is torn."""
    bench.copies.restore("origin")
    with bench.copies.connect("shop") as sql, sql.transaction():
        sql.execute("lock table orders")
        windows = Windows(bench.copies, bench.value)
    windows.committed("insert")
    assert (windows.seen, windows.left_out, windows.torn({"shop.public.orders": (1, "x")})) == ([], 1, {})


def test_a_table_that_goes_while_it_is_looked_at_is_left_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where one thread of a pipeline swaps tables while another one commits."""
    windows = Windows(bench.copies, bench.value)
    gone = Table("shop", "public", "gone", ("n",), ("integer",))
    monkeypatch.setattr(Comparator, "outputs", lambda self, copy: {gone.words: gone})
    windows.committed("alter table gone rename to new")
    assert windows.before and (windows.seen, windows.left_out) == ([], 1)


def test_names_may_hold_anything(bench: Bench) -> None:
    """Also what stands for a parameter elsewhere."""
    bench.copies.restore("origin")
    with bench.copies.connect("shop") as sql:
        sql.execute('create table "50%s {}" ("a%b" int, "%(c)s" text)')
    bench.copies.keep("named")
    with bench.copies.connect("shop") as sql:
        sql.execute("""insert into "50%s {}" values (1, '%s')""")
    comparator = Comparator(bench.copies, bench.value.model_copy(update={"outputs": ["*"], "ignore": {}}))
    (difference,) = comparator.compare("named")
    comparator.close()
    assert (difference.kind, difference.rows, difference.sample) == ("orphan", 1, ("(1,%s)",))


def test_the_port_of_an_original_is_refused_wherever_it_is(bench: Bench, tmp_path: Path) -> None:
    """A server has more addresses than its name has; the proxy's own is none of them."""
    other = Bench(drill({"shop": {"from": "postgresql://app@db.invalid:6000/orders"}}), tmp_path / "none", "other")
    other.copies, other.proxy = bench.copies, bench.proxy
    refused = ["127.0.0.1:6000", "0.0.0.0:6000", "[::1]:6000", "10.0.0.5:5432", f"[::1]:{bench.copies.node.port}",
               "/run/x/.s.PGSQL.6000", ".s.PGSQL.6000"]  # fmt: skip
    let_through = [f"127.0.0.1:{bench.proxy.port}", "127.0.0.1:16000", "/run/nscd/socket"]
    assert [each for each in refused + let_through if other._refused(each)] == refused


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
