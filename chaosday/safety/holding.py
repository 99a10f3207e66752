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

    def take(self, targets: Iterable[str]) -> list[str]:
        """All or none of those that are not held yet, which are returned; what is held stays so, whatever comes of it.

        Nobody waits here: ``Refused`` where another run holds one.
        """
        missing = sorted(set(targets) - {token.target for token in self._tokens})
        taken: list[FenceToken] = []
        try:
            for target in missing:
                taken.append(self._fences.take(target, self._run, self._ttl_s))
        except (Refused, OSError):
            self._give_way(taken)
            raise
        self._tokens.extend(taken)
        if self._thread is None:
            self._thread = threading.Thread(target=self._renew, daemon=True)
            self._thread.start()
        return missing

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
        self._give_way(self._tokens)

    def _give_way(self, tokens: list[FenceToken]) -> None:
        while tokens:
            with contextlib.suppress(Refused, OSError):
                self._fences.release(tokens.pop())

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
