"""``python -m scripts.findings [RESULTS [MANY]]``: writes docs/findings.md from the files and what running them said.

RESULTS are the lines that ``chaosday run deployments/findings --json`` printed, MANY those of the many runs of
``python -m benchmarks findings`` (``CHAOSDAY_FINDINGS_LOG``). What they do not speak of stays as docs/evidence has it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from chaosday.drills.finding_file import ARMS, ArmName, FindingFile, load_finding

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "findings.md"
KEPT = ROOT / "docs" / "evidence" / "findings.jsonl"
MANY = ROOT / "docs" / "evidence" / "findings-many.json"
FOLDER = ROOT / "deployments" / "findings"
FILES = sorted(FOLDER.glob("*.yaml"))
HEAD = """# Published findings, found again

A tool that claims to find lost and inconsistent data has to find what is known to be there. Each of these is an
experiment in two arms: a configuration that has the problem, and one that has not. The systems are Debian's and PyPI's,
unmodified, started by `chaosday/lab/stands`. This page is made by `python -m scripts.findings` from a run of all:

```
chaosday run deployments/findings
```

The last column is of many further runs of the same arm (`python -m benchmarks findings`).

"""
FOOT = """
## What was not found again, or was left out

* **NATS with `sync_interval: always`**: Debian's 2.9 has no such setting. The sound arm is the same server whose
  process alone is killed.
* **SQLite with checksums**: its checksum shim is an extension that Debian does not build. The sound arm is DuckDB.
* **Parquet with page checksums** keeps what was damaged from being taken for data, and does not bring it back: its
  sound arm ends inconclusive, since the file is refused, and never with a false answer. Footers carry no checksum.
* **etcd below a disk that lies and tears its last write** does not start any more, as published; the run that shows
  lost writes tears nothing.
* **RabbitMQ's autoheal with three nodes**: they do not see the cut in the same moment, and restarted one another in
  turn; in three of seven runs the queue was not served any more within a minute. The unsound arm has two nodes.
* **The virtual machine** is emulated, and takes a minute a run. It has to be built once (root, two minutes):
  `python -m chaosday.lab.vm build`; without it, its rows say so and the others are run.
* **dbt and dlt** cannot be installed beside chaosday. `python -m tests.lab.toolchains dbt` makes an environment of its
  own with exact versions (half a minute, once) and prints what belongs on the PATH; without it, their rows say so.
"""


def page() -> str:
    """The whole page."""
    results = _results(KEPT)
    parts = [HEAD, *_table(results)]
    for path in FILES:
        parts.append(_section(path, load_finding(path), results))
    return "".join(parts) + FOOT


def _results(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {(each["finding"] + each["system"], each["arm"]): each for each in map(json.loads, lines)}


def _table(results: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    many = json.loads(MANY.read_text()) if MANY.exists() else {}
    heads = ("finding", "system", "arm", "expected", "got", "operations", "time", "run many times")
    lines = [f"| {' | '.join(heads)} |\n", f"|{'---|' * len(heads)}\n"]
    for path in FILES:
        finding = load_finding(path)
        for arm in ARMS:
            said = results.get((finding.finding + finding.system, arm))
            if said is not None:
                found = ", ".join(f"{count:,} {name}" for name, count in said["anomalies"].items() if count)
                got = found if said["got"].startswith("violated") else said["got"]
                row = [finding.finding, finding.system, arm, said["expected"], got]
                often = _often(arm, many.get(path.name, {}).get(arm))
                lines.append(f"| {' | '.join(row)} | {said['operations']:,} | {said['s']:.0f} s | {often} |\n")
    return lines


def _often(arm: ArmName, counts: dict[str, int] | None) -> str:
    if not counts or not counts["runs"]:
        return ""
    if arm == "sound":
        return f"{counts['alarms']} alarms in {counts['runs']}"
    return f"found in {counts['found']} of {counts['runs']}"


def counted(lines: list[dict[str, Any]]) -> dict[str, dict[ArmName, dict[str, int]]]:
    """By file and arm, what ``FindingFile.counts`` says of the runs of it that there are."""
    runs: dict[str, dict[ArmName, list[dict[str, Any]]]] = {}
    for each in lines:
        runs.setdefault(each["file"], {}).setdefault(each["arm"], []).append(each)
    counts: dict[str, dict[ArmName, dict[str, int]]] = {}
    for name, arms in runs.items():
        finding = load_finding(FOLDER / name)
        counts[name] = {arm: finding.counts(arm, said) for arm, said in arms.items()}
    return counts


def _section(path: Path, finding: FindingFile, results: dict[tuple[str, str], dict[str, Any]]) -> str:
    lines = [
        f"\n## {finding.system}: {finding.finding[0].lower()}{finding.finding[1:]}\n\n",
        f"{finding.story.strip()}\n\n",
        f"*Source:* {finding.source}. *File:* [`{path.name}`](../deployments/findings/{path.name}).\n\n",
        f"* Unsound: {finding.unsound.words}; has to be found: {' or '.join(finding.unsound.anomalies)}.\n",
        f"* Sound: {finding.sound.words}.\n",
    ]
    said = results.get((finding.finding + finding.system, "unsound"))
    if said and said["shown"]:
        lines += ["\n```text\n", *(f"{line}\n" for line in said["shown"]), "```\n"]
    return "".join(lines)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        said = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines() if line.startswith("{")]
        for each in said:
            # Where a run was kept is nobody else's business.
            each.pop("run", None)
        new = {(each["finding"] + each["system"], each["arm"]): each for each in said}
        KEPT.write_text("".join(json.dumps(each) + "\n" for each in {**_results(KEPT), **new}.values()))
    if len(sys.argv) > 2:
        kept = json.loads(MANY.read_text()) if MANY.exists() else {}
        for name, arms in counted([json.loads(line) for line in Path(sys.argv[2]).read_text().splitlines()]).items():
            kept[name] = {**kept.get(name, {}), **arms}
        MANY.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page())
