"""A plan in Markdown: what would be touched, by name, and how it would be undone."""

from __future__ import annotations

from typing import Any


def plan_markdown(plan: dict[str, Any], shortfalls: list[str]) -> str:
    """For an artifact in the UI; ``plan`` is what preflight wrote, ``shortfalls`` why it could not be run."""
    lines = [f"# {_plain(plan['title'])}", "", _plain(plan["hypothesis"]), ""]
    lines += [f"**Cannot run:** {_plain(reason)}\n" for reason in shortfalls]
    lines += ["| target | what answered |", "|---|---|"]
    lines += [f"| {_plain(name)} | {_plain(each['is']) or 'not reached'} |" for name, each in plan["targets"].items()]
    lines += ["", "| at | fault | affects | by | ends by itself |", "|---|---|---|---|---|"]
    for each in plan["faults"]:
        affects = ", ".join(_plain(one) for one in each["affects"])
        ends = f"after {each['ends_by_itself_after_s']:g} s"
        row = (f"{each['at_s']:g} s", each["fault"]["kind"], affects, _plain(each["mechanism"]), ends)
        lines.append(f"| {' | '.join(row)} |")
    for each in plan["faults"]:
        undo = each["undo"] if isinstance(each["undo"], str) else str(each["undo"])
        lines += ["", f"How `{each['fault']['kind']}` is undone:", "", "```sh", undo.strip() or "# nothing to undo"]
        lines += ["```"]
    lines += ["", f"{plan['operations_needed']:,} acknowledged operations are needed to see the loss rate asked for."]
    return "\n".join(lines) + "\n"


def _plain(text: object) -> str:
    return " ".join(str(text).replace("|", "\\|").split())
