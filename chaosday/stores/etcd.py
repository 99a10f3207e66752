"""etcd as a Store, through the JSON gateway of its own API (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/)."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any

from chaosday.errors import TargetUnreachable
from chaosday.model.store import NoEffect, Options, Session, Unanswered
from chaosday.processes.limits.sockets import BoundedConnection
from chaosday.processes.limits.within import GARBLED, in_a_line

UNAVAILABLE = 14
LONGEST_BYTES = 64 << 20


class EtcdSession:
    """Registers and sets below a prefix. Option ``serializable``: read what this member has, asking no other."""

    def __init__(self, host: str, port: int, space: str, timeout_s: float, options: Options) -> None:
        self._connection = BoundedConnection(host, port, timeout=timeout_s)
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
        try:
            self._connection.request("POST", f"/v3/kv/{verb}", json.dumps(body), {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            text = answer.read(LONGEST_BYTES + 1)
            if len(text) > LONGEST_BYTES:
                raise ValueError(f"an answer of more than {LONGEST_BYTES} bytes")
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

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    def make(self, space: str, options: Options) -> None:
        """Nothing is needed; only that a write is answered."""
        self._write(space, "put", {"key": _text(f"{space}/made"), "value": _text("1")})

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """One connection; options ``host`` and ``port`` name another member."""
        host, port = str(options.get("host", self._host)), int(options.get("port", self._port))
        return EtcdSession(host, port, space, timeout_s, options)

    def drop(self, space: str) -> None:
        """Every key of the space."""
        self._write(space, "deleterange", {"key": _text(f"{space}/"), "range_end": _text(f"{space}0")})

    def _write(self, space: str, verb: str, body: dict[str, Any]) -> None:
        session = EtcdSession(self._host, self._port, space, 5, {})
        try:
            session._call(verb, body, reads=False)
        except Unanswered as error:
            raise TargetUnreachable(f"etcd at {self._host}:{self._port} does not answer: {error}") from None
        finally:
            session.close()


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
