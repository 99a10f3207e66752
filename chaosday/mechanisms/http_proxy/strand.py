"""A coroutine that goes on in the very turn of the loop in which its socket became ready.

A task of asyncio's is woken a turn later, after another look at every socket: twice the system calls of a proxy whose
whole work is to wait. Within a strand everything may be awaited that needs no current task (no ``asyncio.timeout``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Over(Exception):
    """A way in which a connection ends; everything else that is raised in a strand is an error of ours."""


class Ready(asyncio.Future[None]):
    """What a socket's waiter waits for."""

    strand: Strand | None = None

    def come(self) -> None:
        """Let the waiter go on, now; to be called from the loop, and not from a coroutine."""
        if self.done():
            return
        self.set_result(None)
        if self.strand is not None:
            self.strand.step()


class Strand(asyncio.Future[None]):
    """Runs a coroutine to its end, which is then this future's.

    It is cancelled where the coroutine fails by what is not ``Over``; that goes to the loop's exception handler.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(loop=loop)
        self._coroutine = coroutine
        self._step_waits = loop.call_soon(self.step)

    def cancel(self, msg: Any | None = None) -> bool:
        """End it where it waits."""
        if self.done():
            return False
        self._step_waits.cancel()
        self._coroutine.close()
        return super().cancel(msg)

    def step(self, _: object = None) -> None:
        """Go on until it waits for something else."""
        if self.done():
            return
        waited, waits = None, False
        try:
            waited = self._coroutine.send(None)
            waits = True
        except StopIteration:
            self.set_result(None)
        except Over as end:
            self.set_exception(end)
        finally:
            if not waits and not self.done():
                super().cancel()
        if not waits:
            return
        if waited is None:
            self._step_waits = self.get_loop().call_soon(self.step)
            return
        waited._asyncio_future_blocking = False
        if isinstance(waited, Ready):
            waited.strand = self
        else:
            waited.add_done_callback(self.step)
