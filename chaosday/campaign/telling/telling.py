"""Everything that a file wants told of a folder of runs, once round."""

from __future__ import annotations

from pathlib import Path

from chaosday.campaign.campaigning import series_of
from chaosday.campaign.catalogue import catalogue_of
from chaosday.campaign.telling.delivering import Delivery, deliver
from chaosday.campaign.telling.news import latest_of, news_of
from chaosday.campaign.telling.receiver import Receiver
from chaosday.campaign.telling.receivers import load_told
from chaosday.campaign.telling.textfile import write_metrics
from chaosday.campaign.telling.tracing import Tracer
from chaosday.clock import Clock
from chaosday.errors import UsageError

EVERY = ("pass", "violated", "inconclusive", "revert_failed")


def tell(file: Path, folder: Path, clock: Clock) -> list[Delivery]:
    """Deliver what has not been delivered; one receiver after the other, each bounded, none in the way of the next."""
    wanted = load_told(file)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} of runs")
    catalogue = catalogue_of([folder])
    if wanted.textfile is not None:
        write_metrics(wanted.textfile, series_of(catalogue.runs))
    every = news_of(catalogue.runs, EVERY, clock, wanted.within_days)
    news = {
        "outcomes": [each for each in every if each.data["outcome"] in wanted.outcomes],
        "every": every,
        "latest": latest_of(catalogue.runs),
    }
    receivers: list[Receiver] = list(wanted.receivers)
    did = [deliver(each, news[each.hears], folder, wanted.tries) for each in receivers]
    if wanted.traces:
        places = {run.run: catalogue.places[run.id] for run in catalogue.runs}
        did.append(deliver(Tracer(endpoint=wanted.traces, places=places), every, folder, wanted.tries))
    return did
