"""What every receiver is: somebody who is told, one piece of news at a time."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.campaign.telling.news import News
from chaosday.model.base import Model


class Receiver(Model):
    """Somebody who is told; addresses that are secrets come from a variable that the file names."""

    kind: str
    hears: ClassVar[Literal["outcomes", "every", "latest"]] = "outcomes"
    """Runs of the outcomes that the file names, every run, or the newest proven run of each experiment: how it is."""

    def tell(self, news: News) -> None:
        """Deliver it, or raise ``TargetUnreachable`` in words without a secret."""
        raise NotImplementedError

    def name(self) -> str:
        """Who it is, without a secret."""
        return self.kind

    def identity(self) -> str:
        """By what it is known the next time; never shown."""
        return self.model_dump_json()
