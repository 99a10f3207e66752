"""TLS to a target as fields: whom we trust, who we are, and by which name the server is to be known."""

from __future__ import annotations

import ssl
from typing import Any

from pydantic import Field

from chaosday.errors import UsageError
from chaosday.model.base import Model


class Tls(Model):
    """Certificates are PEM files. The server's is always verified, its name too."""

    ca_file: str = Field(
        default="", description="The authority that signed the server's certificate; empty: the system's"
    )
    certificate_file: str = Field(default="", description="Ours, where the server asks for one")
    key_file: str = Field(default="", description="Its key; empty: it is in the same file")
    server_name: str = Field(default="", description="The name in the server's certificate; empty: the host's")

    def context(self, socket_class: type[ssl.SSLSocket] | None = None) -> ssl.SSLContext:
        """What clients are to use; ``UsageError`` names the field whose file cannot be read."""
        made = _Named(ssl.PROTOCOL_TLS_CLIENT)
        made.server_name = self.server_name
        # Certificates that servers make for themselves do not meet what Python 3.13 asks for by default.
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if socket_class is not None:
            made.sslsocket_class = socket_class
        try:
            if self.ca_file:
                made.load_verify_locations(self.ca_file)
            else:
                made.load_default_certs()
        except OSError as error:
            raise UsageError(_unreadable("ca_file", self.ca_file, error)) from None
        made.bare = not self.certificate_file
        if self.certificate_file:
            try:
                # Without an answer of ours OpenSSL asks the terminal for the key's passphrase.
                made.load_cert_chain(self.certificate_file, self.key_file or None, _no_passphrase)
            except (OSError, ValueError) as error:
                where = "certificate_file and tls.key_file" if self.key_file else "certificate_file"
                raise UsageError(_unreadable(where, self.certificate_file, error)) from None
        return made


class _Named(ssl.SSLContext):
    """Asks for the name that was given, where the way to the server leads through another address."""

    server_name: str = ""
    bare: bool = False
    """Whether no certificate of ours is shown."""

    def wrap_socket(self, sock: Any, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, *args, **self._with_name(kwargs))

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return super().wrap_bio(*args, **self._with_name(kwargs))

    def _with_name(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        return kwargs | ({"server_hostname": self.server_name} if self.server_name else {})


def known_by(tls: Tls | None, host: str) -> Tls | None:
    """The same, for a way to the server that leads through another address: its name is still the host's."""
    return tls.model_copy(update={"server_name": tls.server_name or host}) if tls else None


def tls_trouble(error: BaseException, tls: Tls | None, *, bare: bool = False) -> str:
    """What to set where an error is one of certificates, in one line without secrets; empty where it is none.

    ``bare``: TLS is used and no certificate of ours is shown, where the caller does not have ``tls``.
    """
    bare = bare or (tls is not None and not tls.certificate_file)
    words = " ".join(_chain(error)).lower()
    if "does not match" in words or "mismatch" in words or "not valid for" in words:
        return "its certificate is for another name: set tls.server_name to one that it is for"
    if "verify failed" in words or "unknown ca" in words or "self-signed" in words:
        return "its certificate is not signed by whom we trust: set tls.ca_file to the authority that signed it"
    # An alert of the server's, or a connection that it ends in the handshake.
    asked = ("certificate required", "certificate_required", "valid client certificate", "handshake failure")
    if any(each in words for each in asked) or "certificate unknown" in words or "bad certificate" in words:
        return "it asks for a client's certificate: set tls.certificate_file and tls.key_file"
    if bare and any(each in words for each in ("reset", "closed", "broken pipe", "eof")):
        return "it hangs up; where it asks for a client's certificate, set tls.certificate_file and tls.key_file"
    if tls is not None and ("wrong version number" in words or "wrong_version" in words or "record layer" in words):
        return "it does not speak TLS at that port: leave tls out, or name its port for TLS"
    return ""


def _chain(error: BaseException | None) -> list[str]:
    found: list[str] = []
    while error is not None and len(found) < 8:
        found.append(f"{type(error).__name__} {error} {' '.join(map(repr, error.args))}")
        error = error.__cause__ or error.__context__
    return found


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase: name one without")


def _unreadable(field: str, path: str, error: Exception) -> str:
    why = getattr(error, "strerror", None) or str(error)
    return f"tls.{field} cannot be used: {path}: {' '.join(str(why).split())[:120]}"
