"""Holding a run's targets: taken before anything is touched, renewed while the run lives, let go at its end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable

from chaosday.errors import ChaosdayError, Refused
from chaosday.processes.limits.within import understood
from chaosday.safety.fencing import TTL_S, Fences, FenceToken


class Holding:
    """The fencing leases of one run; ``lost`` says in words which one was taken away."""

    def __init__(self, fences: Fences, run: str, ttl_s: float = TTL_S) -> None:
        self._fences, self._run, self._ttl_s = fences, run, ttl_s
        self._tokens: list[FenceToken] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = ""

    def take(self, targets: Iterable[str]) -> None:
        """All or none, in one order for everybody, so that two runs cannot wait for each other."""
        try:
            for target in sorted(set(targets)):
                self._tokens.append(self._fences.take(target, self._run, self._ttl_s))
        except Refused:
            self.release()
            raise
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def blind(self) -> str:
        """Why nobody renews any more, empty while somebody does."""
        gone = self._thread is not None and not self._thread.is_alive()
        return "the renewal of what this run holds ended by itself" if gone and not self._over.is_set() else ""

    def check(self) -> None:
        """Before each act: ``Refused`` where a hold was lost."""
        for token in self._tokens:
            self._fences.check(token)

    def release(self) -> None:
        """Let go of everything; any number of times."""
        self._over.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)
        while self._tokens:
            with contextlib.suppress(Refused, OSError):
                self._fences.release(self._tokens.pop())

    def _renew(self) -> None:
        while not self._over.wait(self._ttl_s / 3):
            for token in list(self._tokens):
                try:
                    with understood("a fencing lease"):
                        self._fences.renew(token, self._ttl_s)
                except ChaosdayError as error:
                    self.lost = str(error)
                    return
                except OSError:
                    # The next round may reach the folder again; the hold lasts as long as it was given.
                    continue
