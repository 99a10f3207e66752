"""Where a finding stays open until its experiment passes: issues of GitHub and GitLab, incidents of PagerDuty.

They are told how each experiment is now, by its newest proven run, and not what happened in turn: whatever was missed
or told twice, one issue is open for each experiment that is violated, and none for one that passes.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field

from chaosday.campaign.telling.news import News
from chaosday.campaign.telling.receiver import Receiver
from chaosday.campaign.telling.web import Asking, host_of, secret_in
from chaosday.errors import TargetUnreachable
from chaosday.model.variable import Variable
from chaosday.record.foreign_words import in_markdown

LABEL = "chaosday"
PAGES = 50
"""Of a hundred issues with our label each."""


class _Tracker(Receiver):
    """Issues with our label; each names its experiment by a mark in its text, whatever people make of its title."""

    hears: ClassVar[Literal["outcomes", "every", "latest"]] = "latest"
    token_env: Variable = ""

    def tell(self, news: News) -> None:
        mark = f"<!-- chaosday {experiment_key(news)} -->"
        number = self._open_with(mark)
        # A system's words stand in a verdict, and have no business calling people or closing another issue.
        # A mention is looked for after Markdown's own escapes are gone: what comes between has to be a letter.
        words, run = (in_markdown(each).replace("@", "@\u200b") for each in (news.words, news.subject))
        text = f"{words}\n\nrun: {run}\nbegan: {news.time}"
        if news.data["outcome"] == "pass":
            if number is not None:
                self._close(number, text)
        elif number is None:
            self._open(news.words[:200], f"{text}\n\n{mark}")

    def _listed(self, page: int) -> Any:
        raise NotImplementedError

    def _open(self, title: str, text: str) -> None:
        raise NotImplementedError

    def _close(self, number: int, words: str) -> None:
        raise NotImplementedError

    def _open_with(self, mark: str) -> int | None:
        """The number of the open issue with the mark."""
        for page in range(1, PAGES + 1):
            listed = self._listed(page)
            if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
                raise TargetUnreachable(f"{self.name()}: its answer is no list of issues")
            # GitHub lists pull requests too: one that quotes an issue's text is somebody's work, and not ours to close.
            for each in (each for each in listed if "pull_request" not in each):
                if mark in str(each.get("body") or each.get("description") or ""):
                    return self._number(each)
            if len(listed) < 100:
                return None
        raise TargetUnreachable(f"{self.name()}: more than {PAGES * 100:,} open issues have the label {LABEL}")

    def _number(self, issue: dict[str, Any]) -> int:
        number = issue.get("iid") or issue.get("number")
        if not isinstance(number, int) or isinstance(number, bool):
            raise TargetUnreachable(f"{self.name()}: its answer holds an issue without a number")
        return number


class GitHub(_Tracker):
    """https://docs.github.com/en/rest/issues/issues"""

    kind: Literal["github"] = "github"
    repository: str = Field(default="owner/name", pattern=r"^[\w.-]+/[\w.-]+$")
    api: str = "https://api.github.com"

    def name(self) -> str:
        return f"issues of {self.repository} at {host_of(self.api)}"

    def _asking(self) -> Asking:
        token = secret_in(self.token_env)
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json",
                   "Content-Type": "application/json", "User-Agent": LABEL}  # fmt: skip
        return Asking(self.name(), f"{self.api}/repos/{self.repository}/issues", headers, secret=True)

    def _listed(self, page: int) -> Any:
        return self._asking().ask("GET", f"?state=open&labels={LABEL}&per_page=100&page={page}")

    def _open(self, title: str, text: str) -> None:
        self._asking().ask("POST", "", {"title": title, "body": text, "labels": [LABEL]})

    def _close(self, number: int, words: str) -> None:
        self._asking().ask("POST", f"/{number}/comments", {"body": words})
        self._asking().ask("PATCH", f"/{number}", {"state": "closed", "state_reason": "completed"})


class GitLab(_Tracker):
    """https://docs.gitlab.com/api/issues/"""

    kind: Literal["gitlab"] = "gitlab"
    project: str = "group/name"
    api: str = "https://gitlab.com/api/v4"

    def name(self) -> str:
        return f"issues of {self.project} at {host_of(self.api)}"

    def _asking(self) -> Asking:
        headers = {"PRIVATE-TOKEN": secret_in(self.token_env), "Content-Type": "application/json"}
        address = f"{self.api}/projects/{quote(self.project, safe='')}/issues"
        return Asking(self.name(), address, headers, secret=True)

    def _listed(self, page: int) -> Any:
        return self._asking().ask("GET", f"?state=opened&labels={LABEL}&per_page=100&page={page}")

    def _open(self, title: str, text: str) -> None:
        self._asking().ask("POST", "", {"title": title, "description": text, "labels": LABEL})

    def _close(self, number: int, words: str) -> None:
        self._asking().ask("POST", f"/{number}/notes", {"body": words})
        self._asking().ask("PUT", f"/{number}", {"state_event": "close"})


class PagerDuty(Receiver):
    """An alert that is triggered and resolved: https://developer.pagerduty.com/docs/send-alert-event"""

    kind: Literal["pagerduty"] = "pagerduty"
    hears: ClassVar[Literal["outcomes", "every", "latest"]] = "latest"
    routing_key_env: Variable = ""
    url: str = "https://events.pagerduty.com/v2/enqueue"

    def tell(self, news: News) -> None:
        event: dict[str, Any] = {"routing_key": secret_in(self.routing_key_env), "dedup_key": experiment_key(news)}
        if news.data["outcome"] == "pass":
            event["event_action"] = "resolve"
        else:
            severity = "critical" if news.data["outcome"] == "revert_failed" else "error"
            details = {"run": news.subject, "systems": news.data["systems"]}
            event["event_action"] = "trigger"
            event["payload"] = {"summary": news.words, "source": LABEL, "severity": severity, "timestamp": news.time,
                                "custom_details": details}  # fmt: skip
        Asking(self.name(), self.url, {"Content-Type": "application/json"}, secret=True).ask("POST", "", event)

    def name(self) -> str:
        return f"PagerDuty at {host_of(self.url)}"


class Grafana(Receiver):
    """A region on every dashboard that shows the tag: what was done to the system, and how long.

    https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
    """

    kind: Literal["grafana"] = "grafana"
    hears: ClassVar[Literal["outcomes", "every", "latest"]] = "every"
    url: str = "http://localhost:3000"
    token_env: Variable = ""

    def tell(self, news: News) -> None:
        headers = {"Authorization": f"Bearer {secret_in(self.token_env)}", "Content-Type": "application/json"}
        began_ms = round(datetime.fromisoformat(news.time).timestamp() * 1000)
        region = {"time": began_ms, "timeEnd": began_ms + round(news.data["seconds"] * 1000), "text": news.words,
                  "tags": [LABEL, str(news.data["outcome"]), *news.data["faults"]]}  # fmt: skip
        Asking(self.name(), self.url, headers, secret=True).ask("POST", "/api/annotations", region)

    def name(self) -> str:
        return f"Grafana at {host_of(self.url)}"


def experiment_key(news: News) -> str:
    """One experiment under one name for ever, by its title."""
    return hashlib.sha256(str(news.data["title"]).encode()).hexdigest()[:24]
