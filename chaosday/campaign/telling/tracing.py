"""A run as a trace: a span for the run, one for each phase and one for each fault, at the times that its journal has.

So that a trace of the system, looked at beside it, shows what was done to it. The trace's id is that of the run's
journal: sent twice, it is the same trace.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from chaosday.campaign.telling.news import News
from chaosday.campaign.telling.receiver import Receiver
from chaosday.campaign.telling.receivers import ANSWER_S
from chaosday.campaign.telling.web import host_of
from chaosday.errors import CapabilityMissing, ChaosdayError, TargetUnreachable
from chaosday.record.journal import JournalReading, parse
from chaosday.record.owned import read_owned

_PHASES = ("preflight", "holding", "workloads_started", "verdict")


class Tracer(Receiver):
    """A collector that takes OTLP over HTTP."""

    kind: str = "traces"
    endpoint: str
    places: dict[str, str]
    """The folder of each run, by its name."""

    def tell(self, news: News) -> None:
        try:
            reading = parse(read_owned(Path(self.places[news.subject]) / "journal.jsonl"), name=news.subject)
        except (ChaosdayError, KeyError) as error:
            raise TargetUnreachable(f"{news.subject}: its journal cannot be read ({type(error).__name__})") from None
        send(self.endpoint, spans(reading, news))

    def name(self) -> str:
        return f"traces at {host_of(self.endpoint)}"

    def identity(self) -> str:
        return self.endpoint


def spans(reading: JournalReading, news: News) -> list[Any]:
    """Ended spans of OpenTelemetry's SDK; ``CapabilityMissing`` where that is not installed."""
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ImportError:
        raise CapabilityMissing("OpenTelemetry is not installed: pip install 'chaosday[telemetry]'") from None

    class Ids(RandomIdGenerator):
        """One trace a run, and the same ids whenever it is sent."""

        count = 0

        def generate_trace_id(self) -> int:
            return int(hashlib.sha256(reading.records[0].hash.encode()).hexdigest()[:32], 16)

        def generate_span_id(self) -> int:
            self.count += 1
            return int(hashlib.sha256(f"{reading.records[0].hash} {self.count}".encode()).hexdigest()[:16], 16)

    provider = TracerProvider(resource=Resource.create({"service.name": "chaosday"}), id_generator=Ids())
    tracer = provider.get_tracer("chaosday")
    first, last = reading.records[0], reading.records[-1]
    what = {"chaosday.run": news.subject, "chaosday.title": str(news.data["title"]),
            "chaosday.outcome": str(news.data["outcome"])}  # fmt: skip
    whole = tracer.start_span("run", start_time=first.wall_ns, attributes=what)
    within = trace.set_span_in_context(whole)
    made = []
    for name, begin, end, more in _parts(reading):
        span = tracer.start_span(name, context=within, start_time=begin, attributes=more)
        span.end(end_time=end)
        made.append(span)
    whole.end(end_time=last.wall_ns)
    return [whole, *made]


def send(endpoint: str, made: list[Any]) -> None:
    """Export them, or raise ``TargetUnreachable``."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import SpanExportResult
    except ImportError:
        raise CapabilityMissing("OTLP is not installed: pip install 'chaosday[telemetry]'") from None
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=ANSWER_S)
    try:
        if exporter.export(made) is not SpanExportResult.SUCCESS:
            raise TargetUnreachable("the collector of traces does not take it")
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]


def _parts(reading: JournalReading) -> list[tuple[str, int, int, dict[str, str]]]:
    """Phases follow each other; a fault lasts from its injection until it was observed clean."""
    found: list[tuple[str, int, int, dict[str, str]]] = []
    last_ns = reading.records[-1].wall_ns
    phases = [record for record in reading.records if record.event in _PHASES]
    for record, following in zip(phases, [*phases[1:], reading.records[-1]], strict=True):
        found.append((f"phase {record.event}", record.wall_ns, following.wall_ns, {}))
    kinds: dict[str, tuple[str, str]] = {}
    begun: dict[str, int] = {}
    for record in reading.records:
        lease = str(record.data.get("lease_id", ""))
        if record.event == "planned":
            kinds[lease] = (str(record.data["fault"].get("kind", "")), str(record.data.get("target_name", "")))
        elif record.event == "injecting":
            begun[lease] = record.wall_ns
        elif record.event == "clean" and lease in begun:
            found.append(_fault(kinds.get(lease, ("", "")), begun.pop(lease), record.wall_ns))
    return found + [_fault(kinds.get(lease, ("", "")), begin, last_ns) for lease, begin in begun.items()]


def _fault(kind: tuple[str, str], begin: int, end: int) -> tuple[str, int, int, dict[str, str]]:
    return f"fault {kind[0]}", begin, end, {"chaosday.fault": kind[0], "chaosday.target": kind[1]}
