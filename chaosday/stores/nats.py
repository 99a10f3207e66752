"""NATS JetStream as a Store, through nats-py."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from chaosday.clients.answering import answering
from chaosday.errors import AccessDenied, TargetUnreachable
from chaosday.model.store import NoEffect, Options, Session, Unanswered
from chaosday.model.tls import tls_trouble
from chaosday.processes.limits.messages import bounded_nats
from chaosday.processes.limits.within import GARBLED, in_a_line

BATCH = 500
PAGES = 40
"""Of 256 streams each."""
DRAIN_S = 60.0
CLOSE_S = 1.0


class NatsSession:
    """A stream of one subject; ``enqueue`` waits for the stream's acknowledgement, ``drain`` reads all there is."""

    def __init__(self, url: str, space: str, timeout_s: float, how: Callable[[], dict[str, Any]] = dict) -> None:
        self._space, self._timeout_s = space, timeout_s
        with contextlib.ExitStack() as undo:
            self._runner = undo.enter_context(asyncio.Runner())
            self._client: Any = self._runner.run(self._connect(url, how()))
            undo.pop_all()

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """``enqueue`` and ``drain``."""
        acts: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "enqueue": lambda: self._publish(value),
            "drain": self._drain,
        }
        if f not in acts:
            raise NoEffect(f"a stream does no {f}")
        from nats.errors import Error as NatsError

        try:
            # Each step of it has a time-out of the library's; a stream that is a trickle has many steps.
            return self._runner.run(
                asyncio.wait_for(acts[f](), self._timeout_s + (DRAIN_S if f == "drain" else CLOSE_S))
            )
        except (NatsError, OSError, TimeoutError, *GARBLED) as error:
            # Reading takes nothing out of a stream.
            raise (NoEffect if f == "drain" else Unanswered)(self._client.refused() or in_a_line(error)) from None

    def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(OSError, TimeoutError, *GARBLED):
            self._runner.run(asyncio.wait_for(client.close(), CLOSE_S))
        self._runner.run(_cut(client))
        self._runner.close()

    async def make(self) -> None:
        """The stream, on disk."""
        from nats.js.api import StorageType, StreamConfig

        stream = StreamConfig(name=self._space, subjects=[self._space], storage=StorageType.FILE)
        await self._client.jetstream(timeout=5).add_stream(stream)

    async def drop(self) -> None:
        """The stream and what is in it."""
        from nats.js.errors import NotFoundError

        with contextlib.suppress(NotFoundError):
            await self._client.jetstream(timeout=5).delete_stream(self._space)

    async def streams(self) -> list[Any]:
        """The configuration of every stream of the account, by pages, at most ``PAGES`` of them; nothing is changed."""
        found: list[Any] = []
        manager = self._client.jetstream(timeout=self._timeout_s)
        for _ in range(PAGES):
            page = await manager.streams_info(offset=len(found))
            found += [each.config for each in page]
            if not page:
                break
        return found

    def run(self, act: Coroutine[Any, Any, Any]) -> Any:
        """Run one of the above."""
        return self._runner.run(act)

    async def _connect(self, url: str, how: dict[str, Any]) -> Any:
        from nats.errors import Error as NatsError

        async def quiet(error: Exception) -> None:
            """The library would print it."""

        client = _client(url, tls="tls" in how)
        connecting = client.connect(url, allow_reconnect=False, connect_timeout=2, error_cb=quiet, **how)
        try:
            await asyncio.wait_for(connecting, self._timeout_s + 2)
        except TargetUnreachable:
            await _cut(client)
            raise
        except (NatsError, OSError, TimeoutError, *GARBLED) as error:
            await _cut(client)
            if "authorization" in str(error).lower():
                raise AccessDenied(f"{url} refuses us: set user, and password or NATS_PASSWORD") from None
            why = tls_trouble(error, None, bare=getattr(how.get("tls"), "bare", False)) or type(error).__name__
            raise TargetUnreachable(f"{url} does not answer: {why}") from None
        return client

    async def _publish(self, value: Any) -> None:
        await self._client.jetstream(timeout=self._timeout_s).publish(self._space, str(value).encode())

    async def _drain(self) -> list[int]:
        from nats.js.errors import NotFoundError

        stream = self._client.jetstream(timeout=self._timeout_s)
        try:
            state = (await stream.stream_info(self._space)).state
        except NotFoundError:
            # It was there before the first message. If it is gone, so is all that was in it.
            return []
        found: list[int] = []
        reader = await stream.pull_subscribe(self._space, durable=None)
        while len(found) < state.messages:
            batch = await reader.fetch(min(BATCH, state.messages - len(found)), timeout=self._timeout_s)
            found += [int(message.data) for message in batch]
            for message in batch:
                await message.ack()
        return found


def _client(url: str, *, tls: bool) -> Any:
    """The library's client, which leaves it to the server how long a message is, and whether the account is sent over
    TLS: not so ``tls``."""
    from nats.aio.client import Client

    class Wary(Client):
        def __init__(self) -> None:
            super().__init__()
            self._bounded = self._ps = bounded_nats()(self)

        def refused(self) -> str:
            """What was too long to be taken in, and why the connection was closed."""
            words: str = self._bounded.refused
            return words

        async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
            if tls and initial_connection and not info.get("tls_required"):
                raise without_tls(url)
            await super()._process_info(info, initial_connection)

    return Wary()


def without_tls(url: str) -> TargetUnreachable:
    """The answer of a server to which no account is sent."""
    return TargetUnreachable(f"{url} does not ask for TLS: leave tls out, or set TLS up there; no account was sent")


async def _cut(client: Any) -> None:
    """Close its socket: the library leaves it open where a server is silent, or takes no more."""
    writer = getattr(getattr(client, "_transport", None), "_io_writer", None)
    if writer is not None:
        writer.transport.abort()
        await asyncio.sleep(0)  # it is closed in the loop's next turn


class NatsStore:
    """A stream named after the space."""

    def __init__(self, url: str, how: Callable[[], dict[str, Any]] = dict) -> None:
        self._url, self._how = url, how

    def make(self, space: str, options: Options) -> None:
        """The stream."""
        self._do(space, NatsSession.make)

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """One connection, with an event loop of its own."""
        return NatsSession(self._url, space, timeout_s, self._how)

    def drop(self, space: str) -> None:
        """The stream."""
        self._do(space, NatsSession.drop)

    def _do(self, space: str, act: Callable[[NatsSession], Coroutine[Any, Any, None]]) -> None:
        from nats.errors import Error as NatsError

        session = NatsSession(self._url, space, 5, self._how)
        with contextlib.closing(session), answering(self._url, NatsError, OSError, TimeoutError):
            session.run(act(session))
