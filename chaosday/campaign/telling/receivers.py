"""Who is told, and how: a webhook, a mailbox, whatever apprise knows (Slack, Teams, PagerDuty ...)."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from chaosday.campaign.telling.news import News
from chaosday.campaign.telling.receiver import Receiver
from chaosday.campaign.telling.trackers import GitHub, GitLab, Grafana, PagerDuty
from chaosday.campaign.telling.web import HERE, Asking, host_of, kind_of, secret_in
from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.model.base import Model
from chaosday.model.document import read_mapping
from chaosday.model.experiment import validated
from chaosday.model.variable import Variable

ANSWER_S = 10.0
Outcome = Literal["pass", "violated", "inconclusive", "revert_failed"]


class Webhook(Receiver):
    """A POST of a CloudEvent in structured mode; any answer of 2xx has taken it."""

    kind: Literal["webhook"] = "webhook"
    url: str = ""
    url_env: Variable = ""
    """The variable that holds the address, where it is a secret by itself."""
    token_env: Variable = ""
    """The variable that holds a bearer token."""

    def tell(self, news: News) -> None:
        headers = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
        if self.token_env:
            headers["Authorization"] = f"Bearer {secret_in(self.token_env)}"
        address = self.url or secret_in(self.url_env)
        secret = bool(self.token_env or not self.url)
        Asking(self.name(), address, headers, secret=secret, timeout_s=ANSWER_S).ask("POST", "", news.cloud_event())

    def name(self) -> str:
        return f"webhook at {host_of(self.url)}" if self.url else f"webhook of ${self.url_env}"


class Mail(Receiver):
    """A letter over SMTP; its Message-ID is that of the news, so that a second copy is known as one."""

    kind: Literal["mail"] = "mail"
    host: str = "localhost"
    port: int = Field(default=25, ge=1, le=65535)
    sender: str = "chaosday@localhost"
    to: list[str] = []
    starttls: bool = False
    user: str = ""
    password_env: Variable = ""

    def tell(self, news: News) -> None:
        if self.user and not self.starttls and self.host not in HERE:
            raise TargetUnreachable(f"{self.name()}: a password goes over TLS only: set starttls")
        letter = EmailMessage()
        letter["Subject"], letter["From"], letter["To"] = news.words[:150], self.sender, ", ".join(self.to)
        letter["Message-ID"] = f"<{news.id}@chaosday>"
        letter.set_content(f"{news.words}\n\nrun: {news.subject}\nbegan: {news.time}\n")
        try:
            with smtplib.SMTP(self.host, self.port, timeout=ANSWER_S) as post:
                if self.starttls:
                    post.starttls(context=ssl.create_default_context())
                if self.user:
                    post.login(self.user, secret_in(self.password_env))
                post.send_message(letter)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise TargetUnreachable(f"{self.name()} does not take it ({kind_of(error)})") from None

    def name(self) -> str:
        return f"mail by {self.host}:{self.port}"


class Apprise(Receiver):
    """An address as apprise writes them (slack://, msteams://, pagerduty:// ...), which is a secret by itself."""

    kind: Literal["apprise"] = "apprise"
    url_env: Variable = ""

    def tell(self, news: News) -> None:
        try:
            import apprise
        except ImportError:
            raise CapabilityMissing("apprise is not installed: pip install 'chaosday[flows]'") from None
        post: Any = apprise.Apprise()
        if not post.add(secret_in(self.url_env)):
            raise TargetUnreachable(f"{self.name()}: apprise cannot read the address")
        if not post.notify(title="chaosday", body=news.words):
            raise TargetUnreachable(f"{self.name()} does not take it")

    def name(self) -> str:
        return f"apprise of ${self.url_env}"


class Told(Model):
    """The file that says who is told of what."""

    outcomes: list[Outcome] = ["violated", "revert_failed", "inconclusive"]
    within_days: float = Field(default=7, gt=0)
    """What is older when it is first seen is no news."""
    receivers: list[
        Annotated[Webhook | Mail | Apprise | GitHub | GitLab | PagerDuty | Grafana, Field(discriminator="kind")]
    ] = []
    textfile: Path | None = None
    """Metrics for the textfile collector of Prometheus' node exporter."""
    traces: str = ""
    """An OTLP/HTTP address to which each run is sent as a trace (http://collector:4318/v1/traces)."""
    tries: int = Field(default=50, ge=1)
    """After so many in vain one piece of news is given up at that receiver, and said so."""


def load_told(path: Path) -> Told:
    """Read the file through the strict door; an unknown field is an error that names it."""
    return validated(Told, read_mapping(path), f"{path}: ")
