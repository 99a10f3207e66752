"""Patroni's actions: on a real cluster, and where what answers refuses or is none."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chaosday.errors import AccessDenied, CapabilityMissing, ChaosdayError, Refused, TargetUnreachable, UsageError
from chaosday.lab.stands import fresh
from chaosday.model.action import Reversible
from chaosday.model.failover import Failover
from chaosday.model.target import Postgres
from chaosday.model.tls import Tls
from chaosday.registry import member
from chaosday.targets.patroni import Patroni
from chaosday.targets.postgresql import PostgreSQL
from tests.lab.authority import authority
from tests.lab.machine import absent

A = {"name": "a", "role": "leader", "state": "running", "timeline": 1}
B = {"name": "b", "role": "replica", "state": "streaming", "timeline": 1, "lag": 0}
FAR = B | {"api_url": "http://127.0.0.2:1/patroni"}


@contextmanager
def answering(
    cluster: Any, status: int = 200, said: str = "done", context: ssl.SSLContext | None = None
) -> Iterator[tuple[Patroni, list[Any]]]:
    """What says the same at each ``GET /cluster``, and takes down what is posted; where nothing is ``said`` it hangs
    up instead."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(200, cluster if isinstance(cluster, str) else json.dumps({"members": cluster}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body, self.headers.get("Authorization")))
            if said:
                self._say(status, said)
            self.close_connection = True

        def _say(self, status: int, words: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(words.encode())))
            self.end_headers()
            self.wfile.write(words.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        # The first address answers nothing: the next one is asked.
        yield Patroni(members=["127.0.0.1:1", f"127.0.0.1:{port}"]), asked
        server.shutdown()


def action(kind: str, **fields: Any) -> Reversible:
    made = member("actions", f"patroni.{kind}").model_validate({"target": "t", "timeout_s": 1, **fields})
    assert isinstance(made, Reversible)
    return made


REFUSED: list[tuple[Any, int, str, str, dict[str, Any], type[ChaosdayError], str]] = [
    ([A, B], 412, "not healthy", "switchover", {"candidate": "b"}, TargetUnreachable, "did not do .*not healthy"),
    ([A, B], 200, "done", "switchover", {"candidate": "x"}, TargetUnreachable, "x does not follow a"),
    ([A, B], 401, "no auth", "switchover", {}, AccessDenied, "user and password"),
    ([A, B], 200, "done", "switchover", {"candidate": "b"}, TargetUnreachable, "not over after 1 s: a leader running"),
    ([B], 200, "done", "switchover", {}, TargetUnreachable, "nobody leads"),
    ("[" * 100_000, 200, "", "switchover", {}, TargetUnreachable, "is no Patroni"),
    ('{"members": null}', 200, "", "reinit", {"member": "b"}, TargetUnreachable, "names no members"),
    ([A, B], 200, "done", "failover", {"candidate": "b"}, TargetUnreachable, "failover to b is not over"),
    ([A, B], 200, "done", "reinit", {"member": "a"}, Refused, "leads"),
    ([A, B], 200, "done", "reinit", {"member": "z"}, TargetUnreachable, "no member called 'z'"),
    ([A, FAR], 200, "done", "reinit", {"member": "b"}, TargetUnreachable, "which members does not name"),
    ("<html>", 200, "done", "switchover", {}, TargetUnreachable, "no Patroni"),
    ('{"members": 1}', 200, "done", "switchover", {}, TargetUnreachable, "names no members"),
]  # fmt: skip


@pytest.mark.kernel
@pytest.mark.parametrize(("cluster", "status", "said", "kind", "fields", "error", "words"), REFUSED)
def test_what_did_not_happen_is_one_line(
    cluster: Any, status: int, said: str, kind: str, fields: dict[str, Any], error: type[ChaosdayError], words: str
) -> None:
    """A refusal in Patroni's words, a change that never comes, a leader whose data is not thrown away."""
    with answering(cluster, status, said) as (target, _), pytest.raises(error, match=words) as raised:
        action(kind, **fields).act({"t": target})
    assert "\n" not in str(raised.value)


@pytest.mark.kernel
def test_who_leads_already_is_left_alone() -> None:
    """Nothing is posted; the login goes with what is, and is in no address and no representation."""
    with answering([A, B], 503, "no") as (target, asked):
        assert "leads already" in action("switchover", candidate="a").act({"t": target})
        assert asked == []
        known = target.model_copy(update={"user": "admin", "password": "canary"})
        known = Patroni.model_validate(known.model_dump())
        with pytest.raises(TargetUnreachable) as raised:
            action("switchover", candidate="b").act({"t": known})
        assert asked[0][2].startswith("Basic ")
        assert "canary" not in f"{raised.value} {known.public()} {known.capability(Failover)!r}"


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["switchover", "failover"])
def test_what_gets_no_answer_is_not_asked_again(kind: str) -> None:
    """One post, whoever else would answer: the first may have done it, and who leads then decides."""
    with answering([A, B], said="") as (silent, asked), answering([A, B]) as (other, besides):
        members = [silent.members[1], other.members[1]]
        target = Patroni(members=members)
        with pytest.raises(TargetUnreachable, match="asked once, without an answer"):
            action(kind, candidate="b").act({"t": target})
    assert [each[0] for each in asked] == [f"/{kind}"] and besides == []


@pytest.mark.kernel
def test_https_takes_an_authority_and_shows_a_certificate(tmp_path: Path) -> None:
    """With them it is let in; without, with a stranger's, or by another name it is said which field is to be set."""
    made = authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(made.ca))
    context.load_cert_chain(made.server, made.server_key)
    context.verify_mode = ssl.CERT_REQUIRED
    with answering([A, B], context=context) as (plain, _):
        members = plain.members[1:]

        def reached(**tls: str) -> str:
            return Patroni(members=members, scheme="https", tls=Tls.model_validate(tls)).reach()

        assert "a leads" in reached(**made.tls())
        for changed, words in (
            ({"ca_file": str(made.stranger)}, "tls.ca_file"),
            ({"server_name": ""}, "tls.server_name"),
            ({"certificate_file": "", "key_file": ""}, "tls.certificate_file"),
        ):
            with pytest.raises(TargetUnreachable, match=words):
                reached(**made.tls(**changed))
        with pytest.raises(UsageError, match=r"tls\.ca_file"):
            reached(**made.tls(ca_file="/nowhere"))
    with pytest.raises(ValidationError, match="scheme: https"):
        Patroni(tls=Tls())


@pytest.mark.lab
@pytest.mark.slow
def test_a_real_cluster_is_led_away_and_back() -> None:
    """Switchover, its undo, failover while the leader's database is dead, and a new copy; clients are led along."""
    try:
        with fresh("patroni", {}) as facts:
            targets = {"t": Patroni.model_validate(facts["cluster"])}
            service = PostgreSQL.model_validate(facts["service"])

            def leader() -> str:
                return next(each.name for each in targets["t"].capability(Failover).members() if each.leads)

            away = action("switchover", undo="a", timeout_s=120)
            assert "a handed over" in away.act(targets)
            assert leader() == "b"
            assert "b handed over to a" in away.take_back(targets)
            assert leader() == "a"
            assert "b was copied anew" in action("reinit", member="b", timeout_s=120).act(targets)
            assert "b leads" in action("failover", candidate="b", timeout_s=120).act(targets)
            assert leader() == "b"
            assert service.reach().startswith("PostgreSQL")
            with service.capability(Postgres).connect() as connection:
                assert connection.execute("select pg_is_in_recovery()").fetchone() == (False,)
    except CapabilityMissing as error:
        absent(str(error))
