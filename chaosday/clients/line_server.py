"""A Store behind a port, a line of JSON at a time: so that what lives in a process can be killed like a server.

``python -m chaosday.clients.line_server PORT TARGET`` (a target as JSON) serves SQLite, DuckDB or Parquet files
to the target kind ``line_store``.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from collections.abc import Callable
from typing import Any, cast

from chaosday.errors import ChaosdayError
from chaosday.model.store import NoEffect, Session, Store, Unanswered
from chaosday.model.target import Target
from chaosday.registry import member


class LineServer:
    """Serves a store in threads of this process until ``close``; port 0 takes any that is free."""

    def __init__(self, store: Store, says: Callable[[], str], port: int = 0) -> None:
        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                client = _Client(store, says)
                try:
                    for line in self.rfile:
                        self.wfile.write(json.dumps(client.answer(json.loads(line))).encode() + b"\n")
                except (ConnectionError, ValueError):
                    pass  # whoever it was is gone, or speaks something else
                finally:
                    client.close()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = int(self._server.server_address[1])

    def start(self) -> None:
        """Serve in the background."""
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        """Serve until closed."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()


class _Client:
    def __init__(self, store: Store, says: Callable[[], str]) -> None:
        self._store, self._says = store, says
        self._session: Session | None = None

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        acts: dict[str, Callable[[dict[str, Any]], Any]] = {
            "reach": lambda _: self._says(),
            "make": lambda told: self._store.make(told["space"], told["options"]),
            "drop": lambda told: self._store.drop(told["space"]),
            "open": self._open,
            "ask": self._ask,
        }
        act = acts.get(asked.get("do", ""))
        if act is None:
            return {"refused": f"do is none of {', '.join(acts)}"}
        try:
            return {"result": act(asked)}
        except NoEffect as error:
            return {"refused": str(error)}
        except Unanswered as error:
            self.close()
            return {"unknown": str(error)}
        except ChaosdayError as error:
            return {"refused": str(error)}

    def _open(self, told: dict[str, Any]) -> None:
        self._session = self._store.session(told["space"], told["timeout_s"], told["options"])

    def _ask(self, told: dict[str, Any]) -> Any:
        if self._session is None:
            raise NoEffect("nothing is open: ask for open first")
        return self._session.ask(told["f"], told["key"], told["value"])

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def main() -> None:
    """Serve the target's store until killed."""
    fields = json.loads(sys.argv[2])
    target = cast(Target, member("targets", fields["kind"]).model_validate(fields))
    LineServer(target.capability(Store), target.reach, int(sys.argv[1])).serve()


if __name__ == "__main__":
    main()
