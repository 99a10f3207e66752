"""etcd as a Store, through the JSON gateway of its own API (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/)."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chaosday.errors import AccessDenied, TargetUnreachable
from chaosday.model.store import NoEffect, Options, Session, Unanswered
from chaosday.model.tls import Tls
from chaosday.processes.limits.sockets import BoundedConnection, BoundedTlsConnection
from chaosday.processes.limits.within import GARBLED, in_a_line

UNAVAILABLE = 14
LONGEST_BYTES = 64 << 20


@dataclass(frozen=True)
class Login:
    """How a member lets us in; a password is that of a user."""

    tls: Tls | None = None
    user: str = ""
    password: str = field(default="", repr=False)

    def connection(self, host: str, port: int, timeout_s: float) -> http.client.HTTPConnection:
        """A connection that is opened when it is used, whose answers end."""
        if self.tls is None:
            return BoundedConnection(host, port, timeout=timeout_s)
        return BoundedTlsConnection(host, port, timeout_s, self.tls.context())


class EtcdSession:
    """Registers and sets below a prefix. Option ``serializable``: read what this member has, asking no other."""

    def __init__(
        self, host: str, port: int, space: str, timeout_s: float, options: Options, login: Login | None = None
    ) -> None:
        self._login = login or Login()
        self._connection = self._login.connection(host, port, timeout_s)
        self._token = ""
        self._space = space
        self._serializable = bool(options.get("serializable", False))

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """``add``, ``read`` and ``write``. A read has no effect, whatever became of it."""
        if f in ("add", "write"):
            name = f"{self._space}/set/{value:012}" if f == "add" else f"{self._space}/{key}"
            self._call("put", {"key": _text(name), "value": _text(str(value))}, reads=False)
            return None
        if key is not None:
            asked = {"key": _text(f"{self._space}/{key}"), "serializable": self._serializable}
            found = self._call("range", asked, reads=True).get("kvs", [])
            return int(base64.b64decode(found[0]["value"])) if found else None
        asked = {"key": _text(f"{self._space}/set/"), "range_end": _text(f"{self._space}/set0")}
        found = self._call("range", asked | {"serializable": self._serializable}, reads=True).get("kvs", [])
        return [int(base64.b64decode(each["value"])) for each in found]

    def close(self) -> None:
        self._connection.close()

    def _call(self, verb: str, body: dict[str, Any], *, reads: bool) -> dict[str, Any]:
        if self._login.user and not self._token:
            account = {"name": self._login.user, "password": self._login.password}
            # Logging in changes nothing: where it fails, nothing was done.
            self._token = str(self._post("/v3/auth/authenticate", account, reads=True).get("token", ""))
        return self._post(f"/v3/kv/{verb}", body, reads=reads)

    def _post(self, path: str, body: dict[str, Any], *, reads: bool) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": self._token} if self._token else {})
        try:
            self._connection.request("POST", path, json.dumps(body), headers)
            answer = self._connection.getresponse()
            text = answer.read(LONGEST_BYTES + 1)
            if len(text) > LONGEST_BYTES:
                raise ValueError(f"an answer of more than {LONGEST_BYTES} bytes")
            if answer.status != http.client.OK and not text.startswith(b"{"):
                # The gateway takes no certificate with a CommonName where accounts are on, and says so in plain words.
                raise ValueError(text[:160].decode(errors="replace").strip() or f"status {answer.status}")
            said: dict[str, Any] = json.loads(text)
        except (OSError, http.client.HTTPException, *GARBLED) as error:
            self._connection.close()
            raise (NoEffect if reads else Unanswered)(in_a_line(error)) from None
        if not isinstance(said, dict):
            raise (NoEffect if reads else Unanswered)("the answer is no object")
        if answer.status != http.client.OK:
            words = str(said.get("message") or said.get("error") or answer.status)
            raise (NoEffect if reads else Unanswered)(words)
        return said


class EtcdStore:
    """Keys below a prefix."""

    def __init__(self, host: str, port: int, login: Callable[[], Login] = Login) -> None:
        self._host, self._port, self._login = host, port, login

    def make(self, space: str, options: Options) -> None:
        """Nothing is needed; only that a write is answered."""
        self._write(space, "put", {"key": _text(f"{space}/made"), "value": _text("1")})

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """One connection; options ``host`` and ``port`` name another member."""
        host, port = str(options.get("host", self._host)), int(options.get("port", self._port))
        return EtcdSession(host, port, space, timeout_s, options, self._login())

    def drop(self, space: str) -> None:
        """Every key of the space."""
        self._write(space, "deleterange", {"key": _text(f"{space}/"), "range_end": _text(f"{space}0")})

    def _write(self, space: str, verb: str, body: dict[str, Any]) -> None:
        session = EtcdSession(self._host, self._port, space, 5, {}, self._login())
        try:
            session._call(verb, body, reads=False)
        except NoEffect as error:
            raise AccessDenied(f"etcd at {self._host}:{self._port} refuses {self._login().user}: {error}") from None
        except Unanswered as error:
            raise TargetUnreachable(f"etcd at {self._host}:{self._port} does not answer: {error}") from None
        finally:
            session.close()


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
