"""Which requests are hurt, and how: the data that a fault sends to the proxy."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.recognise import Asked
from chaosday.model.base import Model

Effect = Literal["answer", "delay", "hang", "reset", "truncate", "alter", "repeat", "slow"]


class Match(Model):
    """Which requests; every part that is given has to fit. Patterns are shell patterns (``*``, ``?``, ``[...]``)."""

    methods: list[str] = []
    path: str = "*"
    service: str = ""
    operations: list[str] = []
    bucket: str = "*"
    key: str = "*"

    def fits(self, asked: Asked) -> bool:
        """Whether ``asked`` is one of them."""
        return (
            (not self.methods or asked.method in self.methods)
            and (not self.service or asked.service == self.service)
            and (not self.operations or asked.operation in self.operations)
            and fnmatchcase(asked.path, self.path)
            and fnmatchcase(asked.bucket, self.bucket)
            and fnmatchcase(asked.key, self.key)
        )


class Rule(Model):
    """An effect on matching requests.

    ``answer``   the proxy answers instead of the service (``after``: the service does what it was asked, then its
                 answer is thrown away: the client cannot know)
    ``delay``    the request waits before it is forwarded
    ``hang``     the request is taken and never answered while the fault lasts
    ``reset``    the connection is reset after ``after_bytes`` of the body (0: at once)
    ``truncate`` only ``keep_share`` of the body arrives, with a Content-Length that fits it
    ``alter``    one bit of the body is flipped, the length stays right
    ``repeat``   the first answer is given again to the same question: a stale listing
    ``slow``     the body trickles at ``bytes_per_s``
    """

    match: Match = Match()
    effect: Effect = "answer"
    probability: float = Field(default=1, gt=0, le=1)
    seed: int = 0
    allowed_per_s: float = Field(default=0, ge=0)
    """For ``answer``: so many matching requests a second are let through, the rest is answered."""
    upload: bool = False
    """For ``reset``: in the request's body instead of the response's."""
    status: int = Field(default=500, ge=200, le=599)
    code: str = ""
    message: str = ""
    retry_after_s: int = Field(default=0, ge=0)
    after: bool = False
    delay_s: float = Field(default=0, ge=0, le=3600)
    jitter_s: float = Field(default=0, ge=0, le=3600)
    after_bytes: int = Field(default=0, ge=0)
    keep_share: float = Field(default=0.5, ge=0, lt=1)
    bytes_per_s: float = Field(default=1024, gt=0)
