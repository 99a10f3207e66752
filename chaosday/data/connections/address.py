"""The address of a database server as a URL says it, checked before anybody's client reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from chaosday.errors import UsageError

ENCODED = "in a user, password or database write @ as %40, # as %23, / as %2F and ? as %3F"
SECRET_OPTIONS = frozenset({"password", "passwd", "sslpassword", "ssl_key_password"})


@dataclass(frozen=True)
class Address:
    """A server: its hosts (PostgreSQL tries several in turn) with their ports, None where the URL names none.

    A host that begins with a slash is the folder of a unix socket, or for MySQL the socket itself.
    """

    hosts: tuple[tuple[str, int | None], ...] = ()
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    options: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL; ``UsageError`` where it can be read in more than one way. No message repeats a part of it."""
        scheme, _, rest = url.partition("://")
        rest, _, query = rest.partition("?")
        authority, _, database = rest.partition("/")
        if authority.count("@") > 1:
            raise UsageError(f"the {scheme} URL has more than one @: {ENCODED}")
        account, _, servers = authority.rpartition("@")
        user, _, password = account.partition(":")
        hosts = tuple(_host(server, scheme) for server in servers.split(",")) if servers else ()
        try:
            options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        except ValueError:
            raise UsageError(f"the options of the {scheme} URL are not NAME=VALUE with & between") from None
        return cls(hosts, unquote(user), unquote(password), unquote(database), options)

    @property
    def has_password(self) -> bool:
        """Whether the URL carries a password, wherever it may be written."""
        return bool(self.password) or any(self.options.get(name) for name in SECRET_OPTIONS)

    def shown(self) -> str:
        """Host, port and database for people: never the user's password, nor any option."""
        listed = [f"{_bracketed(host)}{f':{port}' if port else ''}" for host, port in self.hosts]
        where = ",".join(listed) or self.options.get("host") or self.options.get("unix_socket") or ""
        if not where and "service" in self.options:
            where = f"service {self.options['service']}"
        database = self.database or self.options.get("dbname", "")
        return f"{where or 'localhost'}/{database}"


def _host(text: str, scheme: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    if text.startswith("[") and text.endswith("]"):
        return text[1:-1], None
    if not colon:
        return unquote(text), None
    if not (port == "" or (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise UsageError(f"the port in the {scheme} URL is no number from 1 to 65535; {ENCODED}")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise UsageError(f"the host in the {scheme} URL has a colon: write an IPv6 address in brackets; {ENCODED}")
    return unquote(host.removeprefix("[").removesuffix("]")), int(port) if port else None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
