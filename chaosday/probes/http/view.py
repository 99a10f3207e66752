"""What a user sees of a service: does it work, or degrade as it should, while something behind it fails?"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.mechanisms.http_proxy.page import at, count
from chaosday.mechanisms.http_proxy.web import Web
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Target


class HttpView(Probe):
    """Asks for a page or an API answer as a user would, and judges what came: status, time, elements, a value.

    Everything that is given has to hold. No answer at all is no reading, which is never health.
    """

    kind: Literal["http.view"] = "http.view"
    path: str = Field(default="/", pattern=r"^/")
    status: int = Field(default=200, ge=100, le=599)
    selector: str = ""
    """Elements of the page that have to be there: ``#cart .price``."""
    at_least: int = Field(default=1, ge=0)
    """How many of them; 0 with a selector means that none may be there: an error box, say."""
    json_path: str = ""
    """A value that has to be there in a JSON answer: ``items[0].price``."""
    equals: bool | int | float | str | None = None
    """What the value has to be; None is anything."""
    contains: str = ""
    within_ms: float = Field(default=0, ge=0)
    """The longest it may take; 0 is any time."""
    timeout_s: float = Field(default=10, gt=0)

    def read(self, target: Target) -> ProbeReading:
        try:
            seen = target.capability(Web).ask("GET", self.path, {}, timeout_s=self.timeout_s)
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        taken_ms = seen.seconds * 1000
        if seen.status is None:
            return ProbeReading(probe=self.kind, healthy=None, words=f"{self.path}: {seen.error}")
        try:
            body = seen.body.decode("utf-8", "replace")
            wrong = [seen.error] if seen.error else self._wrong(seen.status, body, taken_ms)
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        words = f"{self.path}: {seen.status} in {taken_ms:.0f} ms" + "".join(f"; {each}" for each in wrong)
        return ProbeReading(probe=self.kind, healthy=not wrong, value=taken_ms, unit="ms", words=words)

    def _wrong(self, status: int, body: str, taken_ms: float) -> list[str]:
        wrong = [f"status {status}, not {self.status}"] if status != self.status else []
        if self.within_ms and taken_ms > self.within_ms:
            wrong.append(f"slower than {self.within_ms:g} ms")
        if self.contains and self.contains not in body:
            wrong.append(f"nowhere {self.contains!r}")
        if self.selector:
            found = count(body, self.selector, self.timeout_s)
            if found < self.at_least or (self.at_least == 0 and found):
                wrong.append(f"{found} of {self.selector}")
        return wrong + (self._wrong_value(body) if self.json_path else [])

    def _wrong_value(self, body: str) -> list[str]:
        try:
            value: Any = at(body, self.json_path)
        except KeyError as error:
            return [str(error.args[0])]
        return [f"{self.json_path} is {value!r:.200}"] if self.equals is not None and value != self.equals else []
