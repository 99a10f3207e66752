"""Servers that demand TLS, a client's certificate and an account: who has them is let in, all others are told why."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chaosday.errors import AccessDenied, CapabilityMissing, ChaosdayError, TargetUnreachable, UsageError
from chaosday.lab.stands import stand
from chaosday.mechanisms.hosts.postgres_tools import PostgresTools, server_of
from chaosday.model.store import Store
from chaosday.model.target import Processes, Target
from chaosday.registry import member
from chaosday.servers import postgres
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from tests.lab.authority import Authority, authority
from tests.lab.machine import absent

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("stores")]
SECRET = "canary-77aa-secret"


def redis(undo: ExitStack, folder: Path, made: Authority) -> dict[str, Any]:
    port = free_port()
    lines = [
        "port 0", f"tls-port {port}", "bind 127.0.0.1", f"dir {folder}", f"tls-cert-file {made.server}",
        f"tls-key-file {made.server_key}", f"tls-ca-cert-file {made.ca}", "tls-auth-clients yes",
        f"unixsocket {folder}/redis.sock", "user default off", f"user app on >{SECRET} ~* &* +@all",
    ]  # fmt: skip
    (folder / "redis.conf").write_text("\n".join(lines) + "\n")
    server = Server("redis", [program("redis-server", "redis-server"), str(folder / "redis.conf")], folder)
    undo.callback(server.stop)
    fields = {"kind": "redis", "port": port, "user": "app", "password": SECRET, "tls": made.tls()}
    server.start(_target(fields).reach)
    return fields


def mariadb(undo: ExitStack, folder: Path, made: Authority) -> dict[str, Any]:
    settings = f"ssl-ca={made.ca};ssl-cert={made.server};ssl-key={made.server_key};require-secure-transport=on"
    facts = undo.enter_context(stand("mariadb", folder / "stand", {"settings": settings}))
    connection = _target(facts["server"]).connect(5)  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute(f"create user app@'127.0.0.1' identified by '{SECRET}' require x509")
        cursor.execute("grant all on test.* to app@'127.0.0.1'")
    connection.close()
    return {**facts["server"], "user": "app", "password": SECRET, "tls": made.tls()}


def postgresql(undo: ExitStack, folder: Path, made: Authority) -> dict[str, Any]:
    # The distribution's, which speaks TLS; one that was built by hand may not.
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    node = postgres.primary(folder / "node", bin_directory=programs)
    undo.callback(node.stop)
    data = node.data
    for name, path in (("server.crt", made.server), ("server.key", made.server_key), ("root.crt", made.ca)):
        shutil.copy(path, data / name)
        shutil.chown(data / name, data.owner(), data.group())
        (data / name).chmod(0o600)
    plain = _target(node.target())
    with plain.connect() as connection:  # type: ignore[attr-defined]
        connection.execute(f"create role app login superuser password '{SECRET}'")
        connection.execute("alter system set ssl_ca_file = 'root.crt'")
        connection.execute("alter system set ssl = on")
        hba = data / "pg_hba.conf"
        hba.write_text("hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n")
        connection.execute("select pg_reload_conf()")
    fields = node.target() | {"user": "app", "password": SECRET, "tls": made.tls()}
    until_reached(_target(fields))
    return fields


def nats(undo: ExitStack, folder: Path, made: Authority) -> dict[str, Any]:
    port = free_port()
    words = [
        program("nats-server", "nats-server"), "--jetstream", f"--store_dir={folder}/nats", "--addr=127.0.0.1",
        f"--port={port}", "--tlsverify", f"--tlscert={made.server}", f"--tlskey={made.server_key}",
        f"--tlscacert={made.ca}", "--user=app", f"--pass={SECRET}",
    ]  # fmt: skip
    server = Server("nats", words, folder)
    undo.callback(server.stop)
    fields = {"kind": "nats", "port": port, "user": "app", "password": SECRET, "tls": made.tls()}
    server.start(_target(fields).reach)
    return fields


def rabbitmq(undo: ExitStack, folder: Path, made: Authority) -> dict[str, Any]:
    facts = undo.enter_context(stand("rabbitmq", folder / "stand", {}))
    port = free_port()
    lines = [
        f"listeners.ssl.1 = 127.0.0.1:{port}", f"ssl_options.cacertfile = {made.ca}",
        f"ssl_options.certfile = {made.server}", f"ssl_options.keyfile = {made.server_key}",
        "ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = true",
    ]  # fmt: skip
    (configuration,) = (folder / "stand").glob("node*.conf")
    configuration.write_text(configuration.read_text() + "\n".join(lines) + "\n")
    process = _target(facts["process"])
    for each in process.capability(Processes).processes()[::-1]:
        os.kill(each.pid, signal.SIGKILL)
    subprocess.run(["sh", "-c", facts["process"]["restart"]], check=True)
    fields = {**facts["server"], "port": port, "tls": made.tls()}
    until_reached(_target(fields))
    return fields


def until_reached(target: Target) -> None:
    """However long its server takes, within minutes."""
    until = time.monotonic() + 200
    while True:
        try:
            target.reach()
        except ChaosdayError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def etcd(undo: ExitStack, folder: Path, made: Authority) -> dict[str, Any]:
    clients, peers = free_port(), free_port()
    command = [
        program("etcd", "etcd-server"), "--name=only", f"--data-dir={folder}/etcd",
        f"--initial-cluster=only=http://127.0.0.1:{peers}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
        f"--listen-peer-urls=http://127.0.0.1:{peers}", f"--listen-client-urls=https://127.0.0.1:{clients}",
        f"--advertise-client-urls=https://127.0.0.1:{clients}", "--log-level=error", f"--cert-file={made.server}",
        f"--key-file={made.server_key}", f"--trusted-ca-file={made.ca}", "--client-cert-auth",
    ]  # fmt: skip
    server = Server("etcd", command, folder, {"ETCD_UNSUPPORTED_ARCH": ""})
    undo.callback(server.stop)
    fields: dict[str, Any] = {"kind": "etcd", "port": clients, "tls": made.tls()}
    target = _target(fields)
    server.start(target.reach)
    session: Any = target.capability(Store).session("setup", 10, {})
    for path, body in (
        ("user/add", {"name": "root", "password": SECRET}),
        ("role/add", {"name": "root"}),
        ("user/grant", {"user": "root", "role": "root"}),
        ("enable", {}),
    ):
        session._post(f"/v3/auth/{path}", body, reads=False)
    session.close()
    return fields | {"user": "root", "password": SECRET}


SERVERS: dict[str, Callable[[ExitStack, Path, Authority], dict[str, Any]]] = {
    "redis": redis,
    "mariadb": mariadb,
    "postgresql": postgresql,
    "nats": nats,
    "etcd": etcd,
    "rabbitmq": rabbitmq,
}
ASKS = dict.fromkeys(("nats", "rabbitmq"), ("enqueue", "drain"))


def _target(fields: dict[str, Any]) -> Target:
    made = member("targets", str(fields["kind"])).model_validate(fields)
    assert isinstance(made, Target)
    return made


SOCKETS: dict[str, str] = {}


def _socket(folder: Path, kind: str) -> str:
    """Where the server has its socket; the path that a socket may have is short."""
    return str(folder / "redis.sock" if kind == "redis" else folder / "stand" / "data" / "server.sock")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(
    scope="module",
    params=[pytest.param(each, marks=pytest.mark.slow) if each == "rabbitmq" else each for each in SERVERS],
)
def server(request: pytest.FixtureRequest, certificates: Authority) -> Iterator[dict[str, Any]]:
    """The fields of a target that is let in."""
    folder = Path(tempfile.mkdtemp(prefix="chaosday-tls-"))
    folder.chmod(0o711)
    try:
        with ExitStack() as undo:
            fields = SERVERS[request.param](undo, folder, certificates)
            SOCKETS[request.param] = _socket(folder, request.param)
            yield fields
    except CapabilityMissing as error:
        absent(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_who_has_certificate_and_account_is_let_in(server: dict[str, Any]) -> None:
    """What was written is read back, over TLS; the public face of the target holds no secret, and finds it again."""
    target = _target(server)
    target.reach()
    assert SECRET not in str(target.public()) + repr(target) + str(target.things())
    assert target.public()["tls"]["server_name"] == "store.test"
    store, (write, read) = target.capability(Store), ASKS.get(target.kind, ("write", "read"))
    store.make("tls_space", {})
    session = store.session("tls_space", 5, {})
    session.ask(write, 1, 42)
    assert session.ask(read, 1, None) in (42, [42])
    session.close()
    store.drop("tls_space")


@pytest.mark.parametrize("server", ["redis", "mariadb"], indirect=True)
def test_a_socket_of_this_machine_needs_no_tls(server: dict[str, Any]) -> None:
    """Where the server is here and has one, the file system says who may."""
    account = {} if server["kind"] == "redis" else {"user": "root", "password": None}
    target = _target({**server, **account, "host": "nowhere.test", "tls": None, "unix_socket": SOCKETS[server["kind"]]})
    target.reach()
    store = target.capability(Store)
    store.make("tls_space", {})
    session = store.session("tls_space", 5, {})
    session.ask("write", 1, 42)
    assert session.ask("read", 1, None) == 42
    session.close()
    store.drop("tls_space")


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_postgresql_s_own_programs_come_over_tls_as_we_do(server: dict[str, Any], certificates: Authority) -> None:
    """With the certificate and the account; and not to a server whose certificate is for another name."""
    tools = PostgresTools(max(Path("/usr/lib/postgresql").glob("*/bin")))
    asked = "select ssl, usename from pg_stat_ssl join pg_stat_activity using (pid) where pid = pg_backend_pid()"
    at = server_of(_target(server))  # type: ignore[arg-type]
    assert tools.run("psql", *at.arguments, "-Atc", asked, "postgres", at=at).out.strip() == "t|app"
    other = server_of(_target(server | {"tls": certificates.tls(server_name="other.test")}))  # type: ignore[arg-type]
    assert tools.run("psql", *other.arguments, "-Atc", asked, "postgres", at=other).exit_code == 2


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "another authority": ({"ca_file": "stranger"}, "set tls.ca_file"),
    "another name": ({"server_name": "other.test"}, "set tls.server_name"),
    "no certificate of ours": ({"certificate_file": "", "key_file": ""}, "set tls.certificate_file"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_certificate_is_one_line_that_says_what_to_set(
    server: dict[str, Any], certificates: Authority, what: str
) -> None:
    """By the field that has to be another; nothing of the library's words."""
    changed, words = WRONG[what]
    files = {name: str(certificates.stranger) if value == "stranger" else value for name, value in changed.items()}
    with pytest.raises((TargetUnreachable, AccessDenied)) as caught:
        _target(server | {"tls": certificates.tls(**files)}).reach()
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_without_tls_and_with_a_wrong_password_nobody_is_let_in(server: dict[str, Any]) -> None:
    """One line each, with no secret in it."""
    for changed in ({"tls": None}, {"password": "wrong-5d2e"}):
        with pytest.raises((TargetUnreachable, AccessDenied)) as caught:
            target = _target(server | changed)
            target.reach()
            target.capability(Store).make("tls_space", {})
        assert len(str(caught.value).splitlines()) == 1
        assert not any(each in str(caught.value) for each in (SECRET, "wrong-5d2e"))


@pytest.mark.parametrize("field", ["ca_file", "certificate_file"])
def test_a_file_that_is_not_there_is_named(server: dict[str, Any], certificates: Authority, field: str) -> None:
    """By its field, before anybody is asked."""
    with pytest.raises(UsageError, match=f"tls.{field}"):
        _target(server | {"tls": certificates.tls(**{field: "/nowhere.pem"})}).reach()
