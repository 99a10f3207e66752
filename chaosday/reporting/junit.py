"""A run for machines: JUnit XML, one test case a check and one a proof, and one JSON object with everything."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as xml

from chaosday.errors import EvidenceMissing
from chaosday.record.foreign_words import printable
from chaosday.record.run_directory import RunDirectory


def as_json(directory: RunDirectory) -> dict[str, Any]:
    """Plan, verdict and findings of a run; what it never got to is null."""
    return {
        "run": directory.run,
        "plan": _or_none(directory, "plan.json"),
        "verdict": directory.read_json("verdict.json"),
        "findings": _or_none(directory, "findings.json"),
    }


def as_junit(directory: RunDirectory) -> bytes:
    """Violations and proofs that do not hold are failures; what could not be judged is an error, never a success."""
    verdict = directory.read_json("verdict.json")
    plan = _or_none(directory, "plan.json") or {}
    findings = _or_none(directory, "findings.json") or []
    suite = xml.Element("testsuite", name=printable(plan.get("title") or directory.run), id=directory.run)
    for name, proof in verdict["proofs"].items():
        case = xml.SubElement(suite, "testcase", classname="proof", name=name)
        if not proof["held"]:
            _fell(case, "failure", "; ".join(proof["lines"]) or "not proven")
    for finding in findings:
        case = xml.SubElement(suite, "testcase", classname="check", name=printable(finding["check"]))
        if finding["outcome"] == "violated":
            found = ", ".join(f"{each['count']} {each['name']}" for each in finding["anomalies"])
            keys = ", ".join(str(key) for each in finding["anomalies"] for key in each["keys"][:20])
            _fell(case, "failure", found or "violated", f"keys: {keys}" if keys else "")
        elif finding["outcome"] != "pass":
            _fell(case, "error", "; ".join(finding["reasons"]) or finding["outcome"])
    whole = xml.SubElement(suite, "testcase", classname="verdict", name=verdict["outcome"])
    if verdict["outcome"] != "pass":
        kind = "error" if verdict["outcome"] == "inconclusive" else "failure"
        _fell(whole, kind, verdict["words"], "\n".join(verdict["reasons"]))
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for kind in ("failure", "error"):
        suite.set(f"{kind}s", str(sum(case.find(kind) is not None for case in cases)))
    text: bytes = xml.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text


def _fell(case: xml.Element, kind: str, message: str, text: str = "") -> None:
    element = xml.SubElement(case, kind, message=printable(message))
    element.text = printable(text) or None


def _or_none(directory: RunDirectory, name: str) -> Any:
    try:
        return directory.read_json(name)
    except EvidenceMissing:
        return None
