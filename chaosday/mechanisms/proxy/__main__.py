"""``python -m chaosday.mechanisms.proxy --state FILE``: run a fault proxy until its owner is gone."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from chaosday.mechanisms.proxy.server import ProxyServer


class _OwnerPipe(asyncio.Protocol):
    """The pipe from our owner: its end is the owner's."""

    def __init__(self, server: ProxyServer) -> None:
        self._server = server

    def eof_received(self) -> None:
        """The owner closed it, or died."""
        self._server.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """The same."""
        self._server.stop()


async def _serve(options: argparse.Namespace) -> None:
    server = ProxyServer(Path(options.state), own_lease_s=options.lease_s)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, server.stop)
    await server.start()
    if not options.no_owner:
        await loop.connect_read_pipe(lambda: _OwnerPipe(server), sys.stdin)
    print("ready", flush=True)
    os.close(1)
    await server.run()
    if options.tidy:
        with contextlib.suppress(OSError):
            Path(options.state).parent.rmdir()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m chaosday.mechanisms.proxy", description=__doc__)
    parser.add_argument("--state", required=True, help="file to write address and token to (mode 0600)")
    parser.add_argument("--no-owner", action="store_true", help="do not end with standard input")
    parser.add_argument("--lease-s", type=float, default=0, help="end when nobody spoke to it for so long")
    parser.add_argument("--tidy", action="store_true", help="take the state file's directory away at the end")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
