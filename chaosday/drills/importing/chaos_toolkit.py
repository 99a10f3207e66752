"""Chaos Toolkit's experiments: what of them there is a word for here, and what is named as not mapped.

Source: the Open Chaos Experiment specification, chaostoolkit.org/reference/api/experiment: providers ``process``,
``http`` and ``python``, tolerances, rollbacks, configuration and secrets.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from chaosday.drills.importing.tolerances import tolerated
from chaosday.errors import InvalidExperiment

PLACE = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
DOTTED = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")
FORM = "application/x-www-form-urlencoded"
MOST = 1_000
"""Activities that are read."""
POD_KILL = {"chaosk8s.pod.actions": "terminate_pods", "chaosk8s.actions": "kill_microservice"}


@dataclass
class Imported:
    """Our experiment as plain data, and a line for each part: ``mapped`` to what, or ``not_mapped`` and why."""

    experiment: dict[str, Any] = field(default_factory=dict)
    mapped: list[str] = field(default_factory=list)
    not_mapped: list[str] = field(default_factory=list)


def imported(data: Mapping[str, Any]) -> Imported:
    """An experiment of Chaos Toolkit's, read; ``InvalidExperiment`` for what is none."""
    if not isinstance(data.get("method"), list) or "title" not in data:
        raise InvalidExperiment("not an experiment of Chaos Toolkit's: it has 'title' and a list 'method'")
    return _Reading(data).done()


class _Reading:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data, self._out = data, Imported()
        self._targets: dict[str, dict[str, Any]] = {}
        self._known: dict[str, str] = {}

    def done(self) -> Imported:
        data, out = self._data, self._out
        self._configuration()
        hypothesis = _mapping(data, "steady-state-hypothesis")
        out.experiment = {
            "title": str(data["title"])[:120] or "untitled",
            "hypothesis": str(hypothesis.get("title") or data.get("description") or data["title"]),
            "targets": self._targets,
            "steady_state": self._all(_listed(hypothesis, "probes"), "steady-state-hypothesis", probes=True),
            "faults": [],
            "actions": self._all(_listed(data, "method"), "method", probes=False),
            "repairs": self._all(_listed(data, "rollbacks"), "rollbacks", probes=False),
            "evidence": [],
        }
        for name in sorted(set(data) & {"secrets", "controls", "extensions"}):
            out.not_mapped.append(f"{name}: there is no place for them in an experiment here")
        out.not_mapped.append("workloads and checks: Chaos Toolkit has none; say what is written, and how it is judged")
        return out

    def _configuration(self) -> None:
        for name, value in _mapping(self._data, "configuration").items():
            if isinstance(value, (str, int, float)) and not isinstance(value, bool):
                self._known[str(name)] = str(value)
            else:
                self._out.not_mapped.append(
                    f"configuration.{name}: read it from the environment by a target's own field"
                )

    def _all(self, activities: list[Any], where: str, *, probes: bool) -> list[dict[str, Any]]:
        found = []
        if len(activities) > MOST:
            self._out.not_mapped.append(f"{where}: all after the first {MOST}, which is as many as are read")
        for number, activity in enumerate(activities[:MOST]):
            place = f"{where}.{number}"
            if not isinstance(activity, Mapping) or not isinstance(activity.get("provider"), Mapping):
                words = (
                    "a reference to another activity" if isinstance(activity, Mapping) and "ref" in activity else "no"
                )
                self._out.not_mapped.append(f"{place}: {words} provider; write it out")
                continue
            named = f"{place} {str(activity.get('name', ''))[:80]!r}"
            self._pauses(activity, named)
            probe = probes or activity.get("type") == "probe"
            if probe and not probes:
                self._out.not_mapped.append(
                    f"{named}: a probe among actions; as a guard or as evidence, it is asked here"
                )
                continue
            made = self._made(activity, named, probe=probe, rollback=where == "rollbacks")
            if made is not None:
                kind = made.get("kind")
                self._out.mapped.append(f"{named}: {'probe' if probe else 'action'} {kind} on {made['target']}")
                found.append(made)
        return found

    def _pauses(self, activity: Mapping[str, Any], named: str) -> None:
        if activity.get("pauses"):
            self._out.not_mapped.append(f"{named}: pauses; a fault has at_s, for_s and pause_s")
        if activity.get("background"):
            self._out.not_mapped.append(f"{named}: background; actions are done one after the other")

    def _made(self, activity: Mapping[str, Any], named: str, *, probe: bool, rollback: bool) -> dict[str, Any] | None:
        provider = dict(activity["provider"])
        kind = provider.get("type")
        makers = {"process": self._process, "http": self._http, "python": self._python}
        if not isinstance(kind, str) or kind not in makers:
            self._out.not_mapped.append(f"{named}: there is no provider {str(kind)[:80]!r} here")
            return None
        if provider.get("secrets"):
            self._out.not_mapped.append(f"{named}: its secrets; targets have fields for theirs")
        made = makers[kind](provider, named, probe)
        if made is None:
            return None
        if probe:
            fitting = tolerated(kind, made, activity.get("tolerance"))
            if isinstance(fitting, str):
                self._out.not_mapped.append(f"{named}: tolerance: {fitting}")
                return made
            return fitting
        # What it did is undone by the rollbacks, if by anything: here they are repairs, and no action's own.
        words = "repairs bring it back" if not rollback else "it is itself what brings back"
        self._out.not_mapped.append(f"{named}: an undo of its own ({words}); until one is said it is irreversible")
        return {**made, "irreversible": True}

    def _process(self, provider: dict[str, Any], named: str, probe: bool) -> dict[str, Any] | None:
        path = self._text(provider.get("path"))
        arguments = provider.get("arguments") or []
        if not path:
            self._out.not_mapped.append(f"{named}: its process has no path")
            return None
        if isinstance(arguments, Mapping):
            listed = [each for name, value in arguments.items() for each in (str(name), self._text(value)) if each]
        elif not isinstance(arguments, (str, list)) or any(isinstance(each, (list, Mapping)) for each in arguments):
            self._out.not_mapped.append(f"{named}: its arguments are no list of texts")
            return None
        elif isinstance(arguments, str):
            listed = shlex.split(self._text(arguments)) if _splits(self._text(arguments)) else [self._text(arguments)]
        else:
            listed = [self._text(each) for each in arguments]
        self._targets.setdefault("here", {"kind": "local_host"})
        return {"kind": "command", "target": "here", "run": shlex.join([path, *listed]), **_timeout(provider)}

    def _http(self, provider: dict[str, Any], named: str, probe: bool) -> dict[str, Any] | None:
        url = self._text(provider.get("url"))
        method = str(provider.get("method") or "GET").upper()
        parts = _web_address(url)
        if parts is None:
            self._out.not_mapped.append(f"{named}: its address cannot be read here")
            return None
        headers = provider.get("headers") or {}
        kind = _content_type(headers)
        if not isinstance(headers, Mapping) or len(headers) > bool(kind):
            self._out.not_mapped.append(f"{named}: its headers; a web_service has a token")
        if provider.get("verify_tls", True) is not True:
            self._out.not_mapped.append(f"{named}: verify_tls; a web_service's certificate is always verified")
        sent = self._sent(provider.get("arguments"), method, kind)
        if sent is None:
            self._out.not_mapped.append(f"{named}: its arguments; name them as query or body")
            return None
        asked = "&".join(filter(None, (parts.query, sent.pop("query", ""))))
        path = (parts.path or "/") + (f"?{asked}" if asked else "")
        target = self._web(f"{parts.scheme}://{parts.netloc}")
        if probe:
            if method != "GET":
                self._out.not_mapped.append(f"{named}: a probe that asks with {method}")
                return None
            return {"kind": "http.view", "target": target, "path": path, **_timeout(provider)}
        return {"kind": "http", "target": target, "method": method, "path": path, **sent, **_timeout(provider)}

    def _sent(self, arguments: Any, method: str, kind: str) -> dict[str, str] | None:
        """What their client makes of ``arguments``: a query, JSON, or a form; None where it cannot be said here."""
        if not arguments:
            return {}
        if not isinstance(arguments, Mapping):
            return None
        filled = {str(name): self._filled(value) for name, value in arguments.items()}
        if method != "GET" and kind == "application/json":
            return _as_json(filled)
        if any(isinstance(each, Mapping) for each in filled.values()) or (method != "GET" and kind not in ("", FORM)):
            return None
        query = urlencode({name: value for name, value in filled.items() if value is not None}, doseq=True)
        return {"query": query} if method == "GET" else {"body": query, "content_type": FORM}

    def _web(self, base: str) -> str:
        for name, target in self._targets.items():
            if target.get("base_url") == base:
                return name
        name = f"web{sum(each['kind'] == 'web_service' for each in self._targets.values()) + 1}"
        self._targets[name] = {"kind": "web_service", "base_url": base}
        return name

    def _python(self, provider: dict[str, Any], named: str, probe: bool) -> dict[str, Any] | None:
        module, function = str(provider.get("module") or ""), str(provider.get("func") or "")
        if not DOTTED.fullmatch(module) or not DOTTED.fullmatch(function) or "." in function:
            self._out.not_mapped.append(f"{named}: {module}.{function} is no function that can be called here"[:200])
            return None
        if module.startswith("chaos") and module.split(".", maxsplit=1)[0] != "chaosday":
            words = (
                "a fault here: kubernetes.pod_kill" if POD_KILL.get(module) == function else "an extension of its own"
            )
            self._out.not_mapped.append(f"{named}: {module}.{function} is {words}; chaosday catalogue faults")
            return None
        self._targets.setdefault("here", {"kind": "local_host"})
        arguments = provider.get("arguments") or {}
        if not isinstance(arguments, Mapping):
            self._out.not_mapped.append(f"{named}: its arguments have no names")
            return None
        given = {str(n): self._filled(v) for n, v in arguments.items()}
        return {"kind": "python", "target": "here", "call": f"{module}:{function}", "arguments": given}

    def _filled(self, value: Any) -> Any:
        return self._text(value) if isinstance(value, str) else value

    def _text(self, value: Any) -> str:
        return PLACE.sub(lambda found: self._known.get(found[1], found[0]), "" if value is None else str(value))


def _listed(data: Mapping[str, Any], name: str) -> list[Any]:
    listed = data.get(name) or []
    if not isinstance(listed, list):
        raise InvalidExperiment(f"not an experiment of Chaos Toolkit's: '{name}' is no list")
    return listed


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name) or {}
    if not isinstance(found, Mapping):
        raise InvalidExperiment(f"not an experiment of Chaos Toolkit's: '{name}' has no fields")
    return found


def _as_json(arguments: Mapping[str, Any]) -> dict[str, str] | None:
    try:
        return {"body": json.dumps(arguments, allow_nan=False), "content_type": "application/json"}
    except (TypeError, ValueError):
        return None


def _content_type(headers: Any) -> str:
    if not isinstance(headers, Mapping):
        return ""
    return next((str(value) for name, value in headers.items() if str(name).lower() == "content-type"), "")


def _web_address(url: str) -> SplitResult | None:
    """The parts of an address, None where it is none that can be asked, or holds a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    fits = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and "${" not in url
    return parts if fits else None


def _splits(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True


def _timeout(provider: Mapping[str, Any]) -> dict[str, Any]:
    given = provider.get("timeout")
    if isinstance(given, (list, tuple)):
        given = max((each for each in given if isinstance(each, (int, float))), default=None)
    valid = isinstance(given, (int, float)) and not isinstance(given, bool) and 0 < given <= 3600
    return {"timeout_s": given} if valid else {}
