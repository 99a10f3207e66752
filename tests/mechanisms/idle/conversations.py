"""What real clients and servers do to each other, as scripts: the odd cases that a proxy has to leave alone."""

from __future__ import annotations

from tests.mechanisms.idle.script import (
    DOWN_CLOSE,
    DOWN_FIN,
    DOWN_RST,
    UP_CLOSE,
    UP_FIN,
    UP_RST,
    Step,
    down,
    noise,
    unread,
    up,
)

MB = 1 << 20
GET = up("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
OK = down("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
ANOTHER = [GET, OK]
"""A second question over the same connection: whether both ends still agree where messages begin."""
_WEBSOCKET = up("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
_SWITCHED = down("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
_H2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_LONG = "".join(f"X-Header-{n:04d}: {'v' * 180}\r\n" for n in range(1000))


def _post(length: int, more: str = "") -> Step:
    return up(f"POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more}\r\n")


def _ok(length: int, more: str = "") -> Step:
    return down(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{more}\r\n")


HTTP: dict[str, list[Step]] = {
    "one question": [GET, OK, UP_FIN, DOWN_CLOSE],
    "many questions over one connection": [*ANOTHER * 20, UP_FIN, DOWN_FIN],
    "three questions at once": [up(GET.data * 3), down(OK.data * 3), *ANOTHER, UP_CLOSE],
    "answers to questions that are still being asked": [
        up(GET.data + GET.data[:9]),
        OK,
        up(GET.data[9:]),
        OK,
        UP_CLOSE,
    ],
    "a body of 16 MB both ways at once": [_post(16 * MB), _ok(16 * MB), Step("<>", "bytes", noise(16 * MB)), *ANOTHER],
    "a chunked body of 4 MB both ways at once": [
        up("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
        down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Step("<>", "bytes", b"10000\r\n" + noise(0x10000) + b"\r\n" + b"3F0000\r\n" + noise(0x3F0000, 2) + b"\r\n"),
        Step("<>", "bytes", b"0\r\n\r\n"),
        *ANOTHER,
    ],
    "413 before the body was sent": [
        _post(16 * MB),
        down("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        DOWN_FIN,
        UP_CLOSE,
    ],
    "413 while the body is under way, and a close with unread bytes": [
        _post(16 * MB),
        unread(">", noise(32 * 1024)),
        down("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        DOWN_CLOSE,
    ],
    "an early answer, then the rest of the body": [_post(10), up("half "), OK, up("whole"), *ANOTHER, UP_CLOSE],
    "100 is waited for": [_post(4, "Expect: 100-continue\r\n"), down("HTTP/1.1 100 Continue\r\n\r\n"), up("body"), OK],
    "100 comes late": [_post(4, "Expect: 100-continue\r\n"), up("body"), down("HTTP/1.1 100 Continue\r\n\r\n"), OK],
    "417 instead of 100": [
        _post(4, "Expect: 100-continue\r\n"),
        down("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        DOWN_CLOSE,
        UP_CLOSE,
    ],
    "early hints": [GET, down("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), OK, *ANOTHER, UP_CLOSE],
    "HEAD with chunked coding": [
        up("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"),
        down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        *ANOTHER,
    ],
    "HEAD with a length": [up("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"), _ok(9999), *ANOTHER],
    "204 with chunked coding": [GET, down("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), *ANOTHER],
    "304 with chunked coding": [GET, down("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"), *ANOTHER],
    "304 with a length": [GET, down("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n"), *ANOTHER],
    "trailers and chunk extensions both ways": [
        up("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"),
        up('4;name=value;q="a\\"b"\r\nabcd\r\n0;last\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n'),
        down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: grpc-status\r\n\r\n"),
        down('0005 ; ext="1"\r\nhello\r\n000\r\ngrpc-status: 0\r\n\r\n'),
        *ANOTHER,
    ],
    "chunk sizes in capitals, one byte at a time": [
        up("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"),
        *[up(bytes([byte])) for byte in b"00A\r\n0123456789\r\n0\r\n\r\n"],
        OK,
        *ANOTHER,
    ],
    "a head of 200 KB both ways": [
        up(f"GET / HTTP/1.1\r\nHost: x\r\n{_LONG}\r\n"),
        down(f"HTTP/1.1 200 OK\r\n{_LONG}Content-Length: 2\r\n\r\nok"),
        *ANOTHER,
    ],
    "a head one byte at a time": [*[up(bytes([byte])) for byte in GET.data], OK, *ANOTHER],
    "half a head, and 408": [
        up("GET / HTTP/1.1\r\nHos"),
        down("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        DOWN_FIN,
        UP_CLOSE,
    ],
    "line feeds alone": [up("GET / HTTP/1.1\nHost: x\n\n"), down("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), *ANOTHER],
    "empty lines before a question": [up("\r\n\r\n"), GET, OK, up("\r\n"), *ANOTHER],
    "a folded header, two equal lengths, a name with a space": [
        up("POST / HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\nX B: c\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi"),
        OK,
    ],
    "two lengths that differ": [
        up("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi"),
        down("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        DOWN_CLOSE,
    ],
    "a coding that nobody knows": [
        up("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\nwhatever"),
        down("HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n"),
        *ANOTHER,
    ],
    "an answer until the close": [GET, down("HTTP/1.0 200 OK\r\n\r\n"), down(noise(300_000)), DOWN_FIN, UP_CLOSE],
    "an answer without a head": [up("GET /\r\n"), down("<html>0.9</html>"), DOWN_CLOSE],
    "FIN in the middle of an answer": [GET, _ok(1000), down(noise(500)), DOWN_FIN, UP_CLOSE],
    "a close in the middle of a chunk": [
        GET,
        down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc"),
        DOWN_CLOSE,
    ],
    "RST in the middle of an answer": [GET, _ok(1000), down(noise(500)), DOWN_RST],
    "RST before an answer": [GET, DOWN_RST],
    "FIN before an answer": [GET, DOWN_FIN, UP_CLOSE],
    "the client's RST in the middle of its body": [_post(100), up("abc"), UP_RST],
    "the client's FIN in the middle of its head": [
        up("GET / HT"),
        UP_FIN,
        down("HTTP/1.1 400 Bad\r\n\r\n"),
        DOWN_CLOSE,
    ],
    "the client's FIN in the middle of its body": [_post(100), up("abc"), UP_FIN, OK, DOWN_CLOSE],
    "the client's FIN, then the answer": [GET, UP_FIN, OK, DOWN_CLOSE],
    "the client leaves what it was sent": [GET, _ok(3), unread("<", b"abc"), UP_CLOSE],
    "the server ends a kept connection": [*ANOTHER, DOWN_FIN, UP_CLOSE],
    "the server resets a kept connection": [*ANOTHER, DOWN_RST],
    "a client that says nothing": [UP_CLOSE],
    "a server that hangs up": [DOWN_FIN, UP_CLOSE],
    "a server that speaks first": [down("220 ready\r\n"), up("EHLO x\r\n"), down("250 ok\r\n"), UP_FIN, DOWN_CLOSE],
    "bytes that are no HTTP": [up(noise(5000)), down(noise(5000, 2)), up(noise(9, 3)), UP_FIN, down("x"), DOWN_CLOSE],
    "an upgrade, and its half-close": [
        _WEBSOCKET,
        _SWITCHED,
        Step("<>", "bytes", noise(3 * MB)),
        up("GET / HTTP/1.1\r\n"),
        UP_FIN,
        down(noise(MB)),
        DOWN_CLOSE,
    ],
    "an upgrade that the server half-closes": [_WEBSOCKET, _SWITCHED, DOWN_FIN, up(noise(MB)), UP_CLOSE],
    "an upgrade that is refused": [_WEBSOCKET, OK, *ANOTHER],
    "a tunnel": [
        up("CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n"),
        down("HTTP/1.1 200 Connection established\r\n\r\n"),
        Step("<>", "bytes", noise(MB)),
        UP_FIN,
        down("rest"),
        DOWN_RST,
    ],
    "HTTP/2 with prior knowledge": [
        up(_H2),
        down(_H2[24:]),
        up(noise(70_000)),
        down(noise(70_000, 2)),
        UP_FIN,
        DOWN_FIN,
    ],
}

TCP: dict[str, list[Step]] = {
    "16 MB both ways at once, then half-closes": [Step("<>", "bytes", noise(16 * MB)), UP_FIN, down("rest"), DOWN_FIN],
    "a reset by the client": [up("abc"), UP_RST],
    "a reset by the server": [up("abc"), down("de"), DOWN_RST],
    "a server that closes with unread bytes": [unread(">", b"abc"), DOWN_CLOSE],
    "a client that closes with unread bytes": [unread("<", b"abc"), UP_CLOSE],
    "an urgent byte alone": [Step(">", "URGENT", b"!"), up("after"), DOWN_CLOSE],
    "an urgent byte in between": [up("before"), Step(">", "URGENT", b"!"), up("after"), DOWN_CLOSE],
    "an urgent byte from the server": [down("before"), Step("<", "URGENT", b"!"), down("after"), UP_CLOSE],
}
