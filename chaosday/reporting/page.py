"""The report of one run: a self-contained page, and a short version for Prefect's artifacts."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from chaosday.errors import EvidenceMissing
from chaosday.judging.sight import KillMatrix
from chaosday.model.history import FAILED, NEVER_NS, OK, UNKNOWN, History
from chaosday.record.foreign_words import in_markdown, markdown_cells
from chaosday.record.journal import Record, sound_part
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting import sensitivity
from chaosday.reporting.matrix import matrix_table
from chaosday.reporting.pipeline_part import pipeline_part
from chaosday.reporting.rendering import page_environment
from chaosday.reporting.timeline import series, spans, svg
from chaosday.reporting.undo_words import undo_in_words

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGES = ("chaosday", "prefect", "psycopg", "pyarrow", "numpy", "pydantic")
OUTCOMES = {"pass": "pass", "violated": "violated", "inconclusive": "inconclusive", "revert_failed": "revert failed"}


def write_report(directory: RunDirectory) -> Path:
    """Write ``report.html`` from what is in the run directory, then seal the evidence with hashes."""
    path = directory.write_bytes("report.html", html(directory).encode())
    directory.seal()
    return path


def html(directory: RunDirectory) -> str:
    """The page; pieces of evidence that the run never got to are left out, and the verdict says so."""
    plan, verdict = directory.read_json("plan.json"), directory.read_json("verdict.json")
    records = sound_part(directory.journal_path)
    matrix = _matrix(directory)
    context = {
        "style": _resource("style.css"),
        "plan": plan,
        "verdict": verdict,
        "proofs": _proofs(verdict),
        "findings": _optional(directory, "findings.json") or [],
        "matrix": matrix_table(matrix) if matrix else None,
        "sensitivity": sensitivity.svg(matrix) if matrix else "",
        "faults": _faults(plan, verdict),
        "versions": _versions(plan),
        "experiment": yaml.safe_dump(plan["experiment"], sort_keys=False, allow_unicode=True),
        "timeline": "",
        "counts": [],
        "pipeline": pipeline_part(directory),
    }
    if (directory.path / "history.parquet").is_file():
        history = History.read(directory.path / "history.parquet")
        context |= {"timeline": _timeline(history, records), "counts": _counts(history)}
    return _environment().from_string(_resource("run.html.j2")).render(context)


def markdown(directory: RunDirectory) -> str:
    """The verdict, its proofs and its findings as a Prefect artifact."""
    plan, verdict = directory.read_json("plan.json"), directory.read_json("verdict.json")
    lines = [f"# {OUTCOMES[verdict['outcome']]}: {in_markdown(plan['title'])}", "", in_markdown(verdict["words"]), ""]
    lines += ["| proof | held | |", "|---|---|---|"]
    for proof in _proofs(verdict):
        held = "yes" if proof["held"] else "**no**"
        lines.append(f"| {proof['name']} | {held} | {in_markdown('; '.join(proof['lines']))} |")
    lines += ["", "| check | outcome | examined | found |", "|---|---|---|---|"]
    for finding in _optional(directory, "findings.json") or []:
        found = ", ".join(f"{each['count']:,} {each['name']}" for each in finding["anomalies"]) or "nothing"
        outcome = OUTCOMES[finding["outcome"]]
        examined = f"{finding['examined']:,} {finding['examined_unit']}"
        lines.append(
            f"| {in_markdown(finding['check'])} | {outcome} | {in_markdown(examined)} | {in_markdown(found)} |"
        )
    lines += [
        "",
        *(f"- {in_markdown(reason)}" for reason in verdict["reasons"]),
        "",
        f"Evidence: {in_markdown(directory.path)}",
    ]
    return "\n".join(lines)


def timeline_picture(directory: RunDirectory) -> str:
    """The timeline as an SVG file that brings its colours with it; empty where nothing was recorded."""
    if not (directory.path / "history.parquet").is_file():
        return ""
    drawn = _timeline(History.read(directory.path / "history.parquet"), sound_part(directory.journal_path))
    head, _, rest = drawn.partition(">")
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{_resource("style.css")}</style>{rest}' if drawn else ""


def matrix_records(directory: RunDirectory) -> list[dict[str, str]]:
    """The kill matrix as flat records, one a class of damage, for a table artifact; none where none was made."""
    matrix = _matrix(directory)
    return markdown_cells(matrix_table(matrix).records()) if matrix else []


def _matrix(directory: RunDirectory) -> KillMatrix | None:
    said = _optional(directory, "proof.json")
    return KillMatrix.model_validate(said) if said else None


def _proofs(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    questions = {
        "bite": "Did the fault really hit?",
        "sight": "Could these checks have seen damage in this data?",
        "clean": "Is everything as it was?",
    }
    proofs = verdict["proofs"]  # a run that judges no data has no sight to prove
    return [{"name": name, "question": asked, **proofs[name]} for name, asked in questions.items() if name in proofs]


def _faults(plan: dict[str, Any], verdict: dict[str, Any]) -> list[dict[str, Any]]:
    bites = {(bite["fault"], bite["target"]): bite for bite in verdict["bites"]}
    cleans = {(clean["fault"], clean["target"]): clean for clean in verdict["cleans"]}
    rows = []
    for fault in plan["faults"]:
        kind, target = fault["fault"]["kind"], fault["fault"]["target"]
        bite, clean = bites.get((kind, target)), cleans.get((kind, target))
        fields = {k: v for k, v in fault["fault"].items() if k not in ("kind", "ttl_s")}
        rows.append(
            {
                "kind": kind,
                "fields": ", ".join(f"{name} {value}" for name, value in fields.items() if value not in ("", None, [])),
                "affects": fault["affects"],
                "measured": bite["why"]
                if bite
                else "not injected: a placebo"
                if plan.get("placebo")
                else "not measured",
                "undo": undo_in_words(fault["undo"], target),
                "after": _after(clean) if clean else ["not injected"],
            }
        )
    return rows


def _after(clean: dict[str, Any]) -> list[str]:
    lines = [f"left behind: {line}" for line in clean["residue"]]
    lines += [f"{change['name']} was {change['before']}, is {change['after']}" for change in clean["changed"]]
    lines += [f"could not undo or look: {error}" for error in clean["errors"]]
    lines = lines or ["observed clean"]
    return lines + [f"lasting by design: {why}" for why in clean["lasting"].values()]


def _timeline(history: History, records: list[Record]) -> str:
    if len(history) == 0:
        return ""
    start = history.integers("start_ns")
    ends = history.integers("end_ns", null=-1)
    last = int(max(start.max(), ends.max()))
    return svg(series(history), spans(records, int(start.min()), last))


def _counts(history: History) -> list[tuple[str, str]]:
    status, start = history.statuses(), history.integers("start_ns")
    if len(status) == 0:
        return [("operations", "0")]
    ends = history.ends_ns()
    last = ends[ends != NEVER_NS].max() if (ends != NEVER_NS).any() else start.max()
    seconds = max((int(last) - int(start.min())) / 1e9, 1e-9)
    acknowledged = int((status == OK).sum())
    return [
        ("acknowledged", f"{acknowledged:,} ({acknowledged / seconds:,.0f} a second over {seconds:.1f} s)"),
        ("provably failed", f"{int((status == FAILED).sum()):,}"),
        ("outcome unknown", f"{int((status == UNKNOWN).sum()):,}"),
    ]


def _versions(plan: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("seed", str(plan["seed"])), ("Python", platform.python_version()), ("system", platform.platform())]
    for package in PACKAGES:
        try:
            rows.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            continue
    return rows + [(f"target {name}", str(target["is"] or "not reached")) for name, target in plan["targets"].items()]


def _optional(directory: RunDirectory, name: str) -> Any:
    try:
        return directory.read_json(name)
    except EvidenceMissing:
        return None


@cache
def _environment() -> Environment:
    environment = page_environment()
    environment.filters["outcome"] = lambda value: OUTCOMES.get(str(value), str(value))
    return environment


def _resource(name: str) -> str:
    return (resources.files("chaosday.reporting") / "templates" / name).read_text()
