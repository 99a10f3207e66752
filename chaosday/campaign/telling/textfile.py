"""Metrics of the runs for Prometheus, as a file that its node exporter picks up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chaosday.campaign.campaigning import Series
from chaosday.record.outputs import replacing, unwritable

_HELP = {
    "chaosday_runs_total": ("counter", "Finished runs by experiment and outcome, without placebo runs."),
    "chaosday_last_proven_timestamp_seconds": ("gauge", "When a run of the experiment last had a proven verdict."),
    "chaosday_loss_upper_bound_95": ("gauge", "Pooled upper bound of the loss rate, at 95 %."),
}


def metrics(series: Sequence[Series]) -> str:
    """In the text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
    rows: dict[str, list[str]] = {name: [] for name in _HELP}
    for each in series:
        title = each.title.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        counts = {"pass": each.passes, "violated": each.violations, "inconclusive": each.inconclusive,
                  "revert_failed": each.revert_failed}  # fmt: skip
        for outcome, count in counts.items():
            rows["chaosday_runs_total"].append(f'{{experiment="{title}",outcome="{outcome}"}} {count}')
        if proven := [run for run in each.runs if run.counts]:
            moment = proven[-1].day.timestamp()
            rows["chaosday_last_proven_timestamp_seconds"].append(f'{{experiment="{title}"}} {moment:.0f}')
        if each.loss_upper_bound_95 is not None:
            rows["chaosday_loss_upper_bound_95"].append(f'{{experiment="{title}"}} {each.loss_upper_bound_95!r}')
    lines = []
    for name, (kind, words) in _HELP.items():
        lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}", *(f"{name}{row}" for row in rows[name])]
    return "\n".join(lines) + "\n"


def write_metrics(path: Path, series: Sequence[Series]) -> None:
    """Replace the file whole: the collector may read at any moment."""
    try:
        with replacing(path, 0o666) as file:  # the collector is another user
            file.write(metrics(series).encode())
    except OSError as error:
        raise unwritable(path, error) from None
