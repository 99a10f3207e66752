"""A RabbitMQ broker."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SecretStr

from chaosday.clients.answering import answering
from chaosday.errors import AccessDenied, CapabilityMissing, TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Route, Target
from chaosday.model.tls import Tls, known_by, tls_trouble
from chaosday.model.variable import Variable
from chaosday.processes.limits.messages import bounded_amqp
from chaosday.processes.limits.within import GARBLED
from chaosday.stores.rabbitmq import RabbitStore

PATIENCE_S = 10.0
"""A broker that pauses may still confirm; one that is silent for longer than that is given up."""


class RabbitMQ(Target):
    """A broker. The password comes from ``password``, else from ``password_env``, else it is guest's."""

    kind: Literal["rabbitmq"] = "rabbitmq"
    host: str = "127.0.0.1"
    port: int = Field(default=5672, ge=1, le=65535)
    user: str = "guest"
    password: SecretStr | None = None
    password_env: Variable = "RABBITMQ_PASSWORD"
    virtual_host: str = "/"
    tls: Tls | None = Field(default=None, description="How it is reached over TLS; nothing: without")
    via: str = ""
    """Name of a proxy_route target to connect through, instead of directly."""

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store."""
        return {Store: RabbitStore(self.connect, self._where())}

    def through(self, route: Target) -> RabbitMQ:
        """The same broker, reached by way of a route."""
        host, port = route.capability(Route).address()
        return self.model_copy(update={"host": host, "port": port, "via": "", "tls": known_by(self.tls, self.host)})

    def reach(self) -> str:
        """Log in, read what it says of itself, and have one question answered."""
        connection = self.connect(5)
        import pika

        with answering(self._where(), pika.exceptions.AMQPError, OSError):
            properties = connection._impl.server_properties
            # The library's close() is content with a broker that says no more; a channel is one that answered.
            connection.channel()
            connection.close()
        version = properties.get("version", b"")
        return f"RabbitMQ {version.decode() if isinstance(version, bytes) else version}, at {self.host}:{self.port}"

    def _where(self) -> str:
        return f"RabbitMQ at {self.host}:{self.port}"

    def connect(self, timeout_s: float) -> Any:
        """A blocking connection; errors are ours, in one line, without secrets."""
        try:
            import pika
        except ImportError:
            raise CapabilityMissing("RabbitMQ needs pika: pip install 'chaosday[databases]'") from None
        from pika.adapters.utils.connection_workflow import AMQPConnectorException

        # The library logs a traceback for every connection that is refused, which is what we are here for.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        secret = self.password.get_secret_value() if self.password else os.environ.get(self.password_env, "guest")
        ssl_options = None
        if self.tls is not None:
            ssl_options = pika.SSLOptions(self.tls.context(), self.tls.server_name or self.host)
        parameters = pika.ConnectionParameters(
            self.host, self.port, self.virtual_host, ssl_options=ssl_options,
            credentials=pika.PlainCredentials(self.user, secret), connection_attempts=1,
            socket_timeout=timeout_s, stack_timeout=timeout_s + 5, blocked_connection_timeout=timeout_s, heartbeat=0,
        )  # fmt: skip
        try:
            return _patient(timeout_s)(parameters, bounded_amqp())
        except (pika.exceptions.ProbableAuthenticationError, pika.exceptions.AuthenticationError):
            raise AccessDenied(f"{self._where()} refuses {self.user}") from None
        # A broker that dies between the connection and pika's first look at it makes pika raise a ValueError.
        except (pika.exceptions.AMQPError, AMQPConnectorException, OSError, *GARBLED) as error:
            why = tls_trouble(error, self.tls) or type(error).__name__
            words = f"{self._where()} does not answer: {why}"
            raise TargetUnreachable(words) from None


def _patient(timeout_s: float) -> Any:
    """The library's connection, which is cut where it waits in vain: for an answer, it waits for ever."""
    import pika

    class Patient(pika.BlockingConnection):  # type: ignore[misc]
        def _flush_output(self, *waiters: Any) -> None:
            implementation, limit_s = self._impl, timeout_s + PATIENCE_S
            if implementation._transport is None:
                super()._flush_output(*waiters)
                return
            loop = implementation.ioloop
            lost = pika.exceptions.StreamLostError(f"no answer within {limit_s:g} s")
            cut = loop.call_later(limit_s, lambda: implementation._terminate_stream(lost))
            try:
                super()._flush_output(*waiters)
            finally:
                if not self.is_closed:
                    loop.remove_timeout(cut)

    return Patient
