"""One client's conversation with a PostgreSQL server, cut into asks: pure, it knows no socket.

An *ask* is as much as a client says before the server is bound to have done it: a simple query, everything of the
extended protocol up to Sync, the end of a COPY. Asks of one conversation are handed on one after the other, each once
the one before is answered: a client that pipelines loses time and nothing else, and when an ask is stopped, everything
before it has been done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from chaosday.mechanisms.wire.messages import CANCEL, GSS, SSL, Framer, Message, code_of

IDLE = "I"
"""The server's word for: in no transaction."""
_BUFFERED_AT_MOST_BYTES = 16 << 20


class Leave(Enum):
    """What is to become of an ask that has arrived, or has been answered."""

    GO = "go"
    STOP = "stop"
    """Nothing of it reaches the server."""
    WITHHOLD = "withhold"
    """The server does it, and the client does not learn of it before the gate is asked about the answer."""
    CUT = "cut"
    """The connection ends there, on both sides; what else the client does goes on."""
    HOLD = "hold"
    """It waits there, and so do all other connections, until they are released."""


@dataclass(frozen=True)
class Ask:
    """What a client asks: the statements in it, and the transaction it finds itself in (``I``, ``T`` or ``E``)."""

    connection: int
    text: str
    transaction: str = IDLE


class Gate:
    """Whoever decides about asks; this one lets all of them pass. Called by one thread at a time."""

    hears_of_all: bool = False
    """Whether it wants to hear of the end of what it lets go, where that costs something."""

    def arrived(self, ask: Ask) -> Leave:
        """An ask is there, and nothing of it has reached the server."""
        return Leave.GO

    def answered(self, ask: Ask) -> Leave:
        """The server has answered, and what is left of the answer has not been handed on."""
        return Leave.GO

    def passed_unseen(self, connection: int) -> None:
        """A connection's messages are passed on without being understood: it replicates."""


@dataclass
class Conversation:
    """The two streams of one connection; ``to_server`` and ``to_client`` take the bytes that are handed on."""

    number: int
    gate: Gate
    to_server: Callable[[bytes], None]
    to_client: Callable[[bytes], None]
    awaiting: Ask | None = None
    stopped: bool = False
    """Nothing is handed on any more, in either direction."""
    cut: bool = False
    """It is to be ended on both sides."""
    held: bool = False
    """Nothing that is asked is handed on until ``resume``."""
    unseen: bool = False
    """Whether its messages are passed on without being understood: a replication stream."""
    transaction: str = IDLE
    _queue: deque[Message] = field(default_factory=deque)
    _buffer: bytearray = field(default_factory=bytearray)
    _texts: list[str] = field(default_factory=list)
    _statements: dict[str, str] = field(default_factory=dict)
    _portals: dict[str, str] = field(default_factory=dict)
    _client: Framer = field(default_factory=lambda: Framer(tagged=False))
    _server: Framer = field(default_factory=Framer)
    _ready: bool = False
    _withholding: bool = False
    _kept: bytearray = field(default_factory=bytearray)
    """What was withheld of an answer."""
    _waiting: tuple[Message, Ask] | None = None
    """What was held as it arrived."""
    _copying: str = ""
    """The statement whose rows the client sends now."""
    _copy_is_simple: bool = True
    _last_simple: bool = True

    def from_client(self, data: bytes) -> None:
        """The client has said something."""
        if self.unseen:
            self.to_server(data)
            return
        for message in self._client.feed(data):
            if message.tag:
                self._queue.append(message)
            else:
                self._first(message)
        self.go_on()

    def from_server(self, data: bytes) -> None:
        """The server has said something."""
        if self.unseen:
            self.to_client(data)
            return
        passed = bytearray()
        for message in self._server.feed(data):
            done = self._heard(message)
            if done is not None and not self._finish(done):
                return
            if not self.stopped:
                (self._kept if self._withholding else passed).extend(message.raw)
            if done is not None and not self.held and self._withholding:
                # The gate lets it go after all.
                passed += self._kept
                self._kept.clear()
                self._withholding = False
        if passed:
            self.to_client(bytes(passed))
        self.go_on()

    def go_on(self) -> None:
        """Hand on what may be handed on."""
        while self._queue and self.awaiting is None and not (self.stopped or self.held):
            self._take(self._queue.popleft())

    def resume(self) -> None:
        """Go on where it was held."""
        self.held = False
        if self._kept:
            self.to_client(bytes(self._kept))
            self._kept.clear()
            self._withholding = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._send(*waiting)
        self.go_on()

    @property
    def quiet(self) -> bool:
        """Whether the server has nothing to do for it, as far as it was asked."""
        return self.awaiting is None

    @property
    def drained(self) -> bool:
        """Whether all that the client said has been handed on and answered."""
        return not self._queue and self.awaiting is None and self._waiting is None

    @property
    def queued(self) -> int:
        """How many messages of the client wait."""
        return len(self._queue)

    def _first(self, message: Message) -> None:
        code = code_of(message)
        if code in (SSL, GSS):
            # What is encrypted could not be understood; libpq's default goes on without.
            self.to_client(b"N")
            return
        self._client.tagged = True
        self.unseen = code == CANCEL or b"\0replication\0" in message.raw
        if self.unseen and code != CANCEL:
            self.gate.passed_unseen(self.number)
        self.to_server(message.raw)

    def _take(self, message: Message) -> None:
        if not self._ready or message.tag == "d":
            self.to_server(message.raw)
        elif message.tag == "Q":
            self._last_simple = True
            self._ask(message, "".join(message.words()[:1]))
        elif message.tag == "F":
            self._ask(message, "a function call")
        elif message.tag in ("c", "f"):
            self._end_of_copy(message)
        elif message.tag == "S":
            self._last_simple = False
            self._ask(message, "; ".join(self._texts))
        elif message.tag in ("H", "X"):
            self._hand_on(message)
        else:
            self._note(message)
            self._buffer += message.raw
            if len(self._buffer) > _BUFFERED_AT_MOST_BYTES:
                self._hand_on()

    def _note(self, message: Message) -> None:
        words = message.words()
        if message.tag == "P" and len(words) > 1:
            self._statements[words[0]] = words[1]
        elif message.tag == "B" and len(words) > 1:
            self._portals[words[0]] = self._statements.get(words[1], "a statement")
        elif message.tag == "E" and words:
            self._texts.append(self._portals.get(words[0], "a statement"))

    def _end_of_copy(self, message: Message) -> None:
        if not self._copying:
            # The server has said no to the COPY meanwhile, and ignores this.
            self.to_server(message.raw)
            return
        word = "end of" if message.tag == "c" else "giving up"
        text, self._copying = f"{word}: {self._copying}", ""
        if self._copy_is_simple:
            self._ask(message, text)
        else:
            self._texts = [text]
            self._buffer += message.raw

    def _ask(self, message: Message, text: str) -> None:
        ask = Ask(self.number, text, self.transaction)
        # A Sync alone asks for nothing.
        leave = self.gate.arrived(ask) if text.strip() else Leave.GO
        self._texts = []
        self._withholding = leave is Leave.WITHHOLD
        self._kept.clear()
        if leave is Leave.HOLD:
            self.held, self._waiting = True, (message, ask)
        elif leave in (Leave.STOP, Leave.CUT):
            self.stopped, self.cut = True, leave is Leave.CUT
        else:
            self._send(message, ask)

    def _send(self, message: Message, ask: Ask) -> None:
        self.awaiting = ask
        self._hand_on(message)

    def _hand_on(self, message: Message | None = None) -> None:
        self._buffer += message.raw if message else b""
        if self._buffer:
            self.to_server(bytes(self._buffer))
            self._buffer.clear()

    def _heard(self, message: Message) -> Ask | None:
        """What the server says; the ask that is answered by it, if one is."""
        if message.tag == "E":
            self._copying = ""
        elif message.tag == "G" and self.awaiting is not None:
            self._copying, self._copy_is_simple = self.awaiting.text or "a COPY", self._last_simple
            return self.awaiting
        elif message.tag == "W":
            self.unseen = True
            self.gate.passed_unseen(self.number)
        elif message.tag == "Z":
            self._ready = True
            self.transaction = message.body.decode(errors="replace") or IDLE
            return self.awaiting
        return None

    def _finish(self, ask: Ask) -> bool:
        """An ask is answered; False where everything stops here, before the client has the end of the answer."""
        self.awaiting = None
        if self.stopped:
            return False
        leave = self.gate.answered(ask) if ask.text.strip() else Leave.GO
        # Another connection's ask may have held this one meanwhile.
        self.held = self.held or leave is Leave.HOLD
        self.stopped, self.cut = leave in (Leave.STOP, Leave.CUT), leave is Leave.CUT
        return not self.stopped
