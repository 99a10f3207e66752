"""What a URL and ``~/.my.cnf`` say about a MySQL server: every option is honoured or refused."""

from __future__ import annotations

import configparser
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaosday.data.connections.address import Address
from chaosday.errors import UsageError

DEFAULT_PORT = 3306
OPTION_FILE = "~/.my.cnf"
_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_LIBPQ_MODES = {"DISABLE": "DISABLED", "PREFER": "PREFERRED", "REQUIRE": "REQUIRED", "VERIFY_FULL": "VERIFY_IDENTITY"}
_TLS = ("ssl_ca", "ssl_capath", "ssl_cert", "ssl_key", "ssl_key_password", "ssl_verify_cert", "ssl_verify_identity")
_OTHER_NAMES = {
    "socket": "unix_socket", "sslmode": "ssl_mode", "ssl_check_hostname": "ssl_verify_identity", "passwd": "password",
    "ssl_verify_server_cert": "ssl_verify_identity", "db": "database",
}  # fmt: skip
_KNOWN = frozenset(
    {*_TLS, "ssl_mode", "ssl", "ssl_disabled", "unix_socket", "host", "port", "user", "password", "database", "charset",
     "read_default_file", "read_default_group"}
)  # fmt: skip
_SWITCHES = {
    "ssl": ("REQUIRED", "DISABLED"),
    "ssl_disabled": ("DISABLED", ""),
    "ssl_verify_cert": ("VERIFY_CA", ""),
    "ssl_verify_identity": ("VERIFY_IDENTITY", ""),
}
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on", ""}), frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Options:
    """A server, an account, and how the way to it is protected: ``context`` is None where TLS is not demanded."""

    host: str
    port: int
    unix_socket: str
    user: str
    database: str
    password: str = field(repr=False)
    context: ssl.SSLContext | None = None
    without_tls: bool = False

    def server(self) -> dict[str, Any]:
        """Where it is and who we are, in the driver's words."""
        return {
            "host": self.host,
            "port": self.port,
            "unix_socket": self.unix_socket or None,
            "user": self.user,
            "database": self.database or None,
        }


def of_address(address: Address, label: str) -> Options:
    """The options of a URL, and for what it does not say those of the option file."""
    said = _named(address.options, label)
    charset = said.get("charset", "utf8mb4").lower()
    if charset not in {"utf8", "utf8mb3", "utf8mb4"}:
        raise UsageError(f"the {label} side's charset is read as utf8mb4; leave the option out")
    said = {**_from_file(said, label), **said}
    if len(address.hosts) > 1:
        raise UsageError(f"the {label} side names several hosts; MySQL's client takes one")
    host, port = address.hosts[0] if address.hosts else (said.get("host", ""), None)
    socket_path = host if host.startswith("/") else said.get("unix_socket", "")
    context, without = _tls(said, label)
    if socket_path and not address.hosts and not said.get("host"):
        host = "localhost"
    return Options(
        host="localhost" if not host or host.startswith("/") else host,
        port=port or _port(said.get("port", ""), label),
        # As MySQL's own client: a socket is taken for localhost only, never in place of a host that was named.
        unix_socket=socket_path if host in {"", "localhost"} or host.startswith("/") else "",
        user=address.user or said.get("user", ""),
        database=address.database or said.get("database", ""),
        password=address.password or said.get("password", "") or os.environ.get("MYSQL_PWD", ""),
        context=context,
        without_tls=without,
    )


def _named(options: Mapping[str, str], label: str) -> dict[str, str]:
    said = {}
    for name, value in options.items():
        plain = name.lower().replace("-", "_")
        plain = _OTHER_NAMES.get(plain, plain)
        if plain not in _KNOWN:
            raise UsageError(f"the {label} side's URL has an option that MySQL's client does not know: {name}")
        said[plain] = value
    return said


def _from_file(said: Mapping[str, str], label: str) -> dict[str, str]:
    """The section ``client`` of the option file; what it says about other programs is theirs."""
    path = Path(said.get("read_default_file", OPTION_FILE)).expanduser()
    if not path.is_file():
        if "read_default_file" in said:
            raise UsageError(f"the {label} side's read_default_file names no file")
        return {}
    found = {}
    for name, value in _section(path, said.get("read_default_group", "client")).items():
        plain = name.lower().replace("-", "_")
        plain = _OTHER_NAMES.get(plain, plain)
        if plain in _KNOWN and plain not in {"charset", "read_default_file", "read_default_group"}:
            found[plain] = _unquoted(value or "")
        elif plain.startswith("ssl"):
            raise UsageError(f"{path} has {name}, which is not honoured here: leave it out")
    return found


def password_kept() -> str:
    """The password in the option file, for whom nobody gave one; empty where there is none."""
    path = Path(OPTION_FILE).expanduser()
    section = _section(path, "client") if path.is_file() else {}
    return _unquoted(section.get("password") or "")


def _section(path: Path, group: str) -> dict[str, str | None]:
    parser = configparser.RawConfigParser(allow_no_value=True, strict=False)
    try:
        lines = [line for line in path.read_text().splitlines() if not line.startswith("!include")]
        parser.read_string("\n".join(lines))
    except (OSError, UnicodeDecodeError, configparser.Error):
        raise UsageError(f"{path} cannot be read as an option file of MySQL") from None
    return dict(parser.items(group)) if parser.has_section(group) else {}


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"" else value


def _port(text: str, label: str) -> int:
    if text and not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise UsageError(f"the {label} side's port is no number from 1 to 65535")
    return int(text) if text else DEFAULT_PORT


def _tls(said: Mapping[str, str], label: str) -> tuple[ssl.SSLContext | None, bool]:
    """The context that the options ask for, and whether TLS is switched off; neither: as the server offers."""
    mode = _mode(said, label)
    if mode in {"DISABLED", "PREFERRED"}:
        return None, mode == "DISABLED"
    try:
        context = ssl.create_default_context(cafile=said.get("ssl_ca") or None, capath=said.get("ssl_capath") or None)
        # The certificates that MySQL makes for itself do not meet what Python 3.13 asks for by default.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = mode == "VERIFY_IDENTITY"
        context.verify_mode = ssl.CERT_NONE if mode == "REQUIRED" else ssl.CERT_REQUIRED
        if said.get("ssl_cert"):
            context.load_cert_chain(said["ssl_cert"], said.get("ssl_key") or None, said.get("ssl_key_password", ""))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not what it should be"
        raise UsageError(f"the {label} side's certificates cannot be read: {why}") from None
    return context, False


def _mode(said: Mapping[str, str], label: str) -> str:
    """The strictest of MySQL's own modes that any option asks for, so that none is without effect."""
    modes = set()
    if "ssl_mode" in said:
        word = said["ssl_mode"].upper().replace("-", "_")
        modes.add(_LIBPQ_MODES.get(word, word))
    for name, (yes, no) in _SWITCHES.items():
        word = said.get(name, "").lower()
        if name in said and word not in _TRUE | _FALSE:
            raise UsageError(f"the {label} side's {name} is true or false")
        modes |= {yes if word in _TRUE else no} if name in said else set()
    authority = bool(said.get("ssl_ca") or said.get("ssl_capath"))
    if authority:
        # As with MySQL's own client: an authority is named in order to be asked.
        modes.add("VERIFY_CA")
    if said.get("ssl_cert"):
        modes.add("REQUIRED")
    modes.discard("")
    if not modes <= set(_MODES):
        raise UsageError(f"the {label} side's ssl_mode is none of {', '.join(_MODES)}")
    unverified = said.get("ssl_verify_cert", "true").lower() in _FALSE
    keyless = bool(said.get("ssl_key") or said.get("ssl_key_password")) and not said.get("ssl_cert")
    if ("DISABLED" in modes and len(modes) > 1) or (unverified and authority) or keyless:
        raise UsageError(f"the {label} side's TLS options contradict each other: one would be without effect")
    return max(modes, key=_MODES.index, default="PREFERRED")
