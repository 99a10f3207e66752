"""One run directory read for the catalogue: its summary, or why nothing of it is believed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from chaosday.campaign.summary import Judged, RunSummary, summary_of
from chaosday.clock import iso
from chaosday.errors import AccessDenied, ChaosdayError, EvidenceMissing, MalformedInput, Refused
from chaosday.record.journal import JournalReading, parse
from chaosday.record.key import KEY_VARIABLE, is_mac, mac
from chaosday.record.owned import read_owned

SUMMARY = "summary.json"
_PURPOSE = "summary of a run"
_TELLING = ("/journal.jsonl", "/verdict.json", f"/{SUMMARY}")
_READ = ("plan.json", "verdict.json")
UNSIGNED = (
    f"its journal was not signed with this worker's key: name that worker's key in ${KEY_VARIABLE}, or count it with "
    "--unsigned"
)


class Entry(NamedTuple):
    """One folder of a folder of runs: ``summary`` where it holds a run that can be told of, else ``why`` not."""

    place: str
    signature: str
    """Changes whenever something in the folder does; asked without reading it."""
    summary: RunSummary | None = None
    signed: bool = False
    why: str = ""


def signature_of(place: str, before: str = "") -> str:
    """What of a folder changes when its documents do: times of change, and sizes. Empty where it holds no ended run.

    ``before`` is the signature that it had: while the folder itself is as it was then, no file has come to it, and
    those that were not there are not asked for.
    """
    folder = _state(place)
    was, *parts = before.split(" ") if before else ("",)
    there = parts if was == folder else _TELLING
    asked = zip(_TELLING, there, strict=True)
    journal, verdict, summary = [_state(f"{place}{name}") if had else "" for name, had in asked]
    if not (verdict or summary):
        return ""
    return f"{folder} {journal} {verdict} {summary}"


def read_entry(place: Path, signature: str) -> Entry:
    """Read one run. What is not ours, was altered, or is not finished is told of and never raised."""
    try:
        reading = parse(read_owned(place / "journal.jsonl"), name=str(place / "journal.jsonl"))
        if not reading.records:
            raise EvidenceMissing(f"{place} has an empty journal")
        # The chain holds everything before a record, so that the MAC of the last one is that of all.
        signed = _signed(JournalReading(reading.records[-1:]))
        summary = _pruned(place, reading) or _whole(place, reading)
    except ChaosdayError as error:
        return Entry(place=place.name, signature=signature, why=str(error))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"its documents are not those of a run ({type(error).__name__})"
        return Entry(place=place.name, signature=signature, why=why)
    return Entry(place=place.name, signature=signature, summary=summary, signed=signed, why="" if signed else UNSIGNED)


def sealed_summary(summary: RunSummary) -> bytes:
    """A summary as the document that stands in place of pruned evidence, with its hash and the worker's MAC."""
    said = summary.model_dump(mode="json")
    plain = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(plain).hexdigest()
    document = {"summary": said, "sha256": digest, "mac": mac(_PURPOSE, plain)}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _signed(reading: JournalReading) -> bool:
    """Whether this worker wrote it; one that can have no key wrote nothing."""
    try:
        return reading.authentic()
    except (AccessDenied, Refused):
        return False


def _state(path: str) -> str:
    try:
        found = os.lstat(path)
    except OSError:
        return ""
    return f"{found.st_ino}.{found.st_ctime_ns}.{found.st_size}.{found.st_uid}.{found.st_mode}"


def _pruned(place: Path, reading: JournalReading) -> RunSummary | None:
    """What is left of a pruned run, where it is of this journal; None where the run was not pruned."""
    try:
        document = orjson.loads(read_owned(place / SUMMARY))
    except EvidenceMissing:
        return None
    plain = orjson.dumps(document["summary"], option=orjson.OPT_SORT_KEYS)
    summary = RunSummary.model_validate(document["summary"])
    if hashlib.sha256(plain).hexdigest() != document["sha256"] or summary.id != reading.records[0].hash:
        raise MalformedInput(f"{place / SUMMARY} was altered, or is that of another run")
    if not is_mac(str(document["mac"]), _PURPOSE, plain):
        # Signed once with a key that is not ours: as much as an unsigned journal.
        raise MalformedInput(f"{place / SUMMARY}: {UNSIGNED.replace('its journal', 'it')}")
    return summary


def _whole(place: Path, reading: JournalReading) -> RunSummary:
    documents = {name: read_owned(place / name) for name in _READ}
    try:
        documents["findings.json"] = read_owned(place / "findings.json")
    except EvidenceMissing:
        documents["findings.json"] = b"[]"
    else:
        _as_sealed(place, documents)
    plan, verdict, findings = (_json(place, name, raw) for name, raw in documents.items())
    told = [record for record in reading.records if record.event == "verdict"]
    if told and told[-1].data.get("outcome") != verdict["outcome"]:
        raise MalformedInput(f"{place}: its verdict is not the one that its journal tells")
    # What is journaled after the verdict is somebody's cleaning up, perhaps a year later.
    first, last = reading.records[0], told[0] if told else reading.records[-1]
    judged = Judged(run=reading.run or place.name, plan=plan, verdict=verdict, findings=findings)
    return summary_of(
        judged,
        id=first.hash,
        kind=next((str(each.data.get("kind", "")) for each in reading.records if each.event == "preflight"), ""),
        began=iso(first.wall_ns),
        seconds=(last.wall_ns - first.wall_ns) / 1e9,
        host=str(first.data.get("host", "")),
        asked_by=next((str(each.data.get("by", "")) for each in reading.records if each.event == "approved"), ""),
    )


def _as_sealed(place: Path, documents: dict[str, bytes]) -> None:
    """The documents are those that were sealed; a run that ended before its seal has nothing to be compared with."""
    try:
        sealed = _json(place, "hashes.json", read_owned(place / "hashes.json"))
    except EvidenceMissing:
        return
    altered = [name for name, raw in documents.items() if sealed.get(name) != hashlib.sha256(raw).hexdigest()]
    if altered:
        raise MalformedInput(f"{place}: evidence altered since it was sealed: {', '.join(altered)}")


def _json(place: Path, name: str, raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedInput(f"{place}: {name} cannot be read, it is cut or damaged: {error}") from None
