"""A first experiment for somebody's own system: small, whole, and written to be read and changed."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import yaml

from chaosday.data.connections.address import SECRET_OPTIONS
from chaosday.errors import UsageError
from chaosday.model.experiment import parse
from chaosday.safety.reading import reached

POSTGRESQL = """\
# Aim chaosday at your own PostgreSQL. Everything disturbing happens in a proxy on this machine, in front of the
# database: only chaosday's own clients go through it. It writes to tables of its own in the schema `chaosday`.
# The password comes from $PGPASSWORD or ~/.pgpass.
format: 1
title: Clients lose their connections
hypothesis: Every write that was acknowledged is still there after the clients' connections have been reset.
seed: 1

targets:
  database:
    kind: postgresql
    host: {host}
    port: {port}
    user: {user}
    database: {database}
{options}    via: door
  door:
    kind: proxy_route
    upstream: {upstream}

workloads:
  - {{kind: ledger, target: database, clients: 4}}
  - {{kind: bank, target: database}}

steady_state:
  - {{kind: postgresql.write, target: database}}

faults:
  - at_s: 0
    fault: {{kind: network.proxy.latency, target: door, delay_ms: 20}}
  - at_s: 2
    fault: {{kind: network.proxy.reset, target: door}}

settle:
  probe: {{kind: postgresql.write, target: database}}

checks:
  - {{kind: ledger}}
  - {{kind: bank}}

baseline_s: 3
fault_window_s: 3
after_s: 2
loss_rate_to_see: 0.01
"""


WRITTEN = (
    "an address is written postgresql://user@host:5432/database, mysql://user@host/database, redis://host, "
    "nats://host, amqp://user@host, etcd://host, s3://bucket/prefix/?endpoint=http://host, ssh://user@host, "
    "kubernetes://context/namespace, or it is a .sqlite or .duckdb file or a folder"
)
HERE = "Everything disturbing happens in a proxy on this machine, which only chaosday's own clients go through."
HEAD = """\
# Aim chaosday at {what}. {where}
# {secret}
format: 1
title: {title}
hypothesis: {hypothesis}
seed: 1
"""
TAIL = """
# Stops the run where the system itself, and not only the way to it, is in trouble.
guards:
  - {{probe: {probe}, breaches: 3, window: 5, every_s: 2}}

baseline_s: 3
baseline_at_most_s: 60
fault_window_s: 3
after_s: 2
loss_rate_to_see: 0.05
"""
DOOR = """
targets:
  store:
    kind: {kind}
{fields}
    via: door
  # The same, past the door: for questions that the faults must not disturb.
  direct:
    kind: {kind}
{fields}
  door:
    kind: proxy_route
    upstream: {upstream}
{hello}"""
DOOR_FAULTS = """
faults:
  - at_s: 0
    fault: {{kind: network.proxy.latency, target: door, delay_ms: 20}}
  - at_s: 2
    fault: {{kind: network.proxy.reset, target: door}}
"""
HOST_FAULTS = """
# Both need root on the host; what they took is given back by a timer there even if this machine goes away.
faults:
  - at_s: 0
    fault: {kind: host.cpu, target: host, cores: 1, load_percent: 80}
  - at_s: 2
    fault: {kind: host.io, target: host, path: /var/tmp, workers: 1}
"""
SQL = ("ledger", "bank")
"""Workloads whose checks have the same name."""


@dataclass(frozen=True)
class Served:
    """A kind of server that clients reach through a door of ours, and what is asked of it."""

    kind: str
    what: str
    port: int
    secret: str
    workloads: tuple[tuple[str, str], ...]
    """Workload and check."""
    probe: str = "answers"
    user: str = ""
    database: str = ""
    place: str = ""
    """The field that an address's path stands for."""
    hello_hex: str = ""
    """What makes the server answer, where it does not speak first or close."""


ELEMENTS, REGISTERS = (("set", "set"),), (("register", "register"),)
QUEUE = (("queue", "total-queue"),)
LAKES = (
    ("delta_table", "a folder of Delta tables", "*/_delta_log"),
    ("iceberg_table", "a folder of Iceberg tables", "catalog.db"),
)
LEDGERS = tuple((each, each) for each in SQL)
SERVED = {
    "mysql": Served(
        "mariadb", "your own MariaDB or MySQL", 3306, "The password comes from $MYSQL_PWD or ~/.my.cnf.", LEDGERS,
        "sql.write", "root", "test", "database",
    ),
    "redis": Served(
        "redis", "your own Redis", 6379, "The password comes from $REDISCLI_AUTH.", ELEMENTS,
        hello_hex=b"PING\r\n".hex(),
    ),
    "nats": Served("nats", "your own NATS with JetStream", 4222, "No secret is needed.", QUEUE),
    "amqp": Served(
        "rabbitmq", "your own RabbitMQ", 5672, "The password comes from $RABBITMQ_PASSWORD.", QUEUE, user="guest",
        place="virtual_host", hello_hex=b"GET / HTTP/1.1\r\n\r\n".hex(),
    ),
    "etcd": Served(
        "etcd", "a member of your own etcd", 2379, "No secret is needed.", REGISTERS,
        hello_hex=b"GET /version HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\r\n".hex(),
    ),
}  # fmt: skip
SERVED |= {"mariadb": SERVED["mysql"]}
FILES = {".sqlite": "sqlite_file", ".sqlite3": "sqlite_file", ".db": "sqlite_file", ".duckdb": "duckdb_file"}


def starter(address: str) -> str:
    """The experiment file for an address; ``UsageError`` says what the address lacks."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        # What the standard library says of it repeats a part, which may be half a password.
        raise UsageError(f"the address cannot be read; {WRITTEN}") from None
    # A password with a / in it ends the host's part of an address, and the rest of it is then the path.
    asked = {name.lower() for name in parse_qs(parts.query, keep_blank_values=True)}
    if parts.password or "@" in unquote(parts.query) or (parts.scheme and "@" in parts.path) or asked & SECRET_OPTIONS:
        raise UsageError(
            "leave the password out, this goes into a file: it is taken from a variable, which the file names"
        )
    if parts.scheme == "nats" and parts.username:
        raise UsageError(
            "leave what is before the @ out, this goes into a file: a token is a password, taken from $NATS_PASSWORD; "
            "the user of a password is the field 'user' of the file"
        )
    controls = any(unicodedata.category(each).startswith("C") for each in unquote(address))
    if controls or any(character in address for character in "\"'{}#,"):
        raise UsageError(f"the address holds what a file would misread; {WRITTEN}")
    if parts.scheme in ("postgresql", "postgres"):
        return _postgresql(parts)
    if parts.scheme in SERVED:
        return _served(SERVED[parts.scheme], parts)
    if (written := OTHERS.get(parts.scheme)) is not None:
        return written(parts)
    if parts.scheme:
        raise UsageError(f"no experiment is known for {parts.scheme}://; {WRITTEN}")
    return _file(Path(address))


def look(text: str) -> str:
    """Reach what an experiment is aimed at, read-only, and say what answered; its errors are the target's own."""
    targets = parse(yaml.safe_load(text)).targets
    host = targets.get("host")
    usual = ("direct", "database", "store")
    named = "host" if host is not None and not host.here else next(name for name in usual if name in targets)
    return reached(targets[named])


def _postgresql(parts: SplitResult) -> str:
    host, port, user = parts.hostname or "127.0.0.1", parts.port or 5432, unquote(parts.username or "") or "postgres"
    database = unquote(parts.path.strip("/")) or user
    # Where more than the mode is given, it is TLS in fields of its own, with files that are to be looked at first.
    options = "".join(f"    {name}: {_said(value)}\n" for name, value in _options(parts, "sslmode").items())
    named = {"host": _said(host), "user": _said(user), "database": _said(database), "upstream": _upstream(host, port)}
    return POSTGRESQL.format(port=port, options=options, **named)


def _said(text: str) -> str:
    """A text as YAML reads it back, also in braces: plain where that will do."""
    try:
        plain = yaml.safe_load(f"a: {text}") == yaml.safe_load(f"{{a: {text}}}") == {"a": text}
    except yaml.YAMLError:
        plain = False
    return text if plain else json.dumps(text, ensure_ascii=False)


def _upstream(host: str, port: int) -> str:
    return _said(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def _options(parts: SplitResult, *known: str) -> dict[str, str]:
    """What follows the ? of an address; ``UsageError`` where it is not among ``known``."""
    asked = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if unknown := sorted(asked.keys() - set(known)):
        raise UsageError(
            f"'{unknown[0][:40]}' in the address is not understood here: leave it out, and say it in the file by the "
            f"target's own field; TLS has a block 'tls'"
        )
    return asked


def _no_path(parts: SplitResult) -> None:
    if parts.path.strip("/"):
        raise UsageError(f"a path in an address of {parts.scheme}:// is not understood here: leave it out; {WRITTEN}")


def _served(served: Served, parts: SplitResult) -> str:
    host, port = parts.hostname or "127.0.0.1", parts.port or served.port
    _options(parts)
    fields = [f"    host: {_said(host)}", f"    port: {port}"]
    if user := unquote(parts.username or "") or served.user:
        fields.append(f"    user: {_said(user)}")
    if not served.place:
        _no_path(parts)
    elif place := unquote(parts.path.strip("/")) or served.database:
        fields.append(f"    {served.place}: {_said(place)}")
    hello = f"    hello_hex: {served.hello_hex}\n" if served.hello_hex else ""
    return (
        HEAD.format(
            what=served.what,
            where=HERE,
            secret=served.secret,
            title="Clients lose their connections",
            hypothesis="What was acknowledged is still there after the clients' connections have been reset.",
        )
        + DOOR.format(kind=served.kind, fields="\n".join(fields), upstream=_upstream(host, port), hello=hello)
        + _judged(served.workloads, "store", f"{{kind: {served.probe}, target: direct}}", DOOR_FAULTS.format())
        + TAIL.format(probe=f"{{kind: {served.probe}, target: direct}}")
    )


def _judged(workloads: tuple[tuple[str, str], ...], target: str, probe: str, faults: str) -> str:
    """Workloads, what has to be healthy, the faults, and the checks that judge it all."""
    clients = "\n".join(f"  - {{kind: {name}, target: {target}, clients: 2}}" for name, _ in workloads)
    checks = "\n".join(f"  - {{kind: {check}}}" for _, check in workloads)
    return (
        f"\nworkloads:\n{clients}\n\nsteady_state:\n  - {probe}\n{faults}\n"
        f"settle:\n  probe: {probe}\n\nchecks:\n{checks}\n"
    )


def _file(path: Path) -> str:
    if path.suffix.lower() in FILES:
        if not path.is_file():
            raise UsageError(f"there is no file {path}; one to begin with is made by the engine's own program")
        kind, what = FILES[path.suffix.lower()], f"a file, {path.name}"
        workloads: tuple[tuple[str, str], ...] = LEDGERS
    elif path.is_dir():
        lake = next((each[:2] for each in LAKES if any(path.glob(each[2]))), None)
        kind, what = lake or ("parquet_folder", "a folder of Parquet files")
        workloads = ((("transactions", "list-append"),) if lake else ()) + (("set", "set"),)
    else:
        raise UsageError(f"nothing is known of that address, and no folder is called so; {WRITTEN}")
    targets = (
        f"\ntargets:\n  store:\n    kind: {kind}\n    path: {_said(str(path))}\n"
        "  # This machine, on which others may be at work: faults on it are felt by all of them.\n"
        "  host: {kind: local_host}\n"
    )
    probe = "{kind: answers, target: store}"
    return (
        HEAD.format(
            what=what,
            where="It writes to tables of its own in it, or to a file of its own in a folder.",
            secret="No secret is needed.",
            title="The machine is busy",
            hypothesis="Everything that was acknowledged is still there after processor and disk were busy.",
        )
        + targets
        + _judged(workloads, "store", probe, HOST_FAULTS)
        + TAIL.format(probe=probe)
    )


def _s3(parts: SplitResult) -> str:
    asked = _options(parts, "endpoint", "region")
    endpoint, region = asked.get("endpoint", ""), asked.get("region", "us-east-1")
    prefix = unquote(parts.path.strip("/")) + "/" if parts.path.strip("/") else ""
    if not parts.hostname or parts.username:
        raise UsageError(f"the address names no bucket; {WRITTEN}")
    store = (
        f"kind: s3_store, endpoint_url: {json.dumps(endpoint)}, region: {_said(region)}, "
        f"bucket: {_said(parts.netloc)}, prefix: {json.dumps(prefix, ensure_ascii=False)}"
    )
    upstream = endpoint or f"https://s3.{region}.amazonaws.com"
    targets = (
        f"\n# First start the door: chaosday http-proxy --control chaosday-s3.sock --route s3={upstream}\n"
        f"targets:\n  store: {{{store}, via: door}}\n  direct: {{{store}}}\n"
        "  door: {kind: http_route, control: chaosday-s3.sock, route: s3}\n"
    )
    faults = (
        "\nfaults:\n  - at_s: 0\n    fault: {kind: cloud.api.latency, target: door, delay_ms: 100}\n"
        "  - at_s: 2\n    fault: {kind: cloud.api.error, target: door, status: 503, probability: 0.3}\n"
    )
    probe = "{kind: answers, target: direct}"
    return (
        HEAD.format(
            what="your own bucket",
            where=HERE,
            secret="Keys come from where boto3 finds them: the environment, a profile, a role.",
            title="The object store is slow and fails",
            hypothesis="Every object that was acknowledged is there, as it was written, after requests failed.",
        )
        + targets
        + _judged((("s3", "s3_ledger"),), "store", probe, faults)
        + TAIL.format(probe=probe)
    )


def _beside(what: str, target: str, faults: str, secret: str) -> str:
    """A place whose faults are felt by a store in it: PostgreSQL, until somebody names another."""
    database = (
        "  # The store that lives there and is to be watched: name your own; other kinds are in docs/reference.md.\n"
        "  database: {kind: postgresql, host: 127.0.0.1, port: 5432, user: postgres, database: postgres}\n"
    )
    probe = "{kind: sql.write, target: database}"
    return (
        HEAD.format(
            what=what,
            where="What is hurt there is felt by everybody who uses it: begin with one that may be.",
            secret=secret,
            title="The place is in trouble",
            hypothesis="Every write that was acknowledged is still there afterwards.",
        )
        + f"\ntargets:\n  host: {target}\n{database}"
        + _judged(LEDGERS, "database", probe, faults)
        + TAIL.format(probe=probe)
    )


def _ssh(parts: SplitResult) -> str:
    if not parts.hostname:
        raise UsageError(f"the address names no host; {WRITTEN}")
    _options(parts)
    _no_path(parts)
    port = f", port: {parts.port}" if parts.port else ""
    user = f", user: {_said(unquote(parts.username))}" if parts.username else ""
    target = f"{{kind: ssh_host, host: {_said(parts.hostname)}{port}{user}}}"
    return _beside("a host of yours", target, HOST_FAULTS, "Keys come from ~/.ssh and the agent.")


def _kubernetes(parts: SplitResult) -> str:
    _options(parts)
    namespace, context = _said(parts.path.strip("/") or "default"), json.dumps(parts.netloc, ensure_ascii=False)
    faults = (
        "\nfaults:\n  - at_s: 0\n    fault: {kind: kubernetes.pod_kill, target: host}\n"
        "  - at_s: 2\n    fault: {kind: kubernetes.netem, target: host, loss_percent: 20}\n"
    )
    target = f'{{kind: kubernetes_cluster, context: {context}, namespace: {namespace}, selector: "app=database"}}'
    return _beside("a namespace of your own cluster", target, faults, "Credentials stay in the kubeconfig.")


OTHERS: dict[str, Callable[[SplitResult], str]] = {"s3": _s3, "ssh": _ssh, "kubernetes": _kubernetes}
