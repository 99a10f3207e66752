"""A plan in Markdown: what would be touched, by name, and how it would be undone."""

from __future__ import annotations

from typing import Any

from chaosday.record.foreign_words import fenced, in_markdown
from chaosday.reporting.undo_words import undo_in_words


def plan_markdown(plan: dict[str, Any], shortfalls: list[str]) -> str:
    """For an artifact in the UI; ``plan`` is what preflight wrote, ``shortfalls`` why it could not be run."""
    lines = [f"# {in_markdown(plan['title'])}", "", in_markdown(plan["hypothesis"]), ""]
    lines += [f"**Cannot run:** {in_markdown(reason)}\n" for reason in shortfalls]
    lines += ["| target | what answered |", "|---|---|"]
    lines += [
        f"| {in_markdown(name)} | {in_markdown(each['is']) or 'not reached'} |"
        for name, each in plan["targets"].items()
    ]
    lines += ["", "| at | fault | affects | by | ends by itself |", "|---|---|---|---|---|"]
    for each in plan["faults"]:
        affects = ", ".join(in_markdown(one) for one in each["affects"])
        ends = f"after {each['ends_by_itself_after_s']:g} s"
        row = (f"{each['at_s']:g} s", in_markdown(each["fault"]["kind"]), affects, in_markdown(each["mechanism"]), ends)
        lines.append(f"| {' | '.join(row)} |")
    for each in plan["faults"]:
        undo, at = each["undo"], each["fault"].get("target") or "the target"
        words = f"How {in_markdown(each['fault']['kind'])} is undone: {in_markdown(undo_in_words(undo, at))}."
        lines += ["", words]
        if isinstance(undo, str) and undo.strip() not in ("", ":"):
            lines += ["", *fenced(undo.strip(), "sh")]
    lines += ["", f"{plan['operations_needed']:,} acknowledged operations are needed to see the loss rate asked for."]
    return "\n".join(lines) + "\n"
