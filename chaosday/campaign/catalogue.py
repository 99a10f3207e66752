"""The catalogue of runs: one Parquet file beside the run directories, made from them and from nothing else.

The directories are the truth. The file only spares reading them again: what is in it is taken for a folder whose
signature has not changed since, everything else is read anew, and a file that is gone, damaged or not ours is made
again. So several workers may share a folder without a lock: each replaces the file whole, and what the last one did not
know of is found in its directory by the next.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from chaosday.campaign.catalogue_file import read_entries, write_entries
from chaosday.campaign.reading import Entry, read_entry, signature_of
from chaosday.campaign.summary import RunSummary
from chaosday.errors import ChaosdayError, UsageError
from chaosday.record.recorder import collector_off


@dataclass(frozen=True)
class Catalogue:
    """Every run once, oldest first; ``copies`` are folders that hold a run which is counted already."""

    runs: list[RunSummary]
    places: dict[str, str] = field(default_factory=dict)
    """The folder of each run, by its ``id``."""
    copies: list[Path] = field(default_factory=list)
    left_out: dict[Path, str] = field(default_factory=dict)
    """Folders that hold something of a run that is not counted, with the reason."""


def catalogue_of(folders: Iterable[Path], *, unsigned: bool = False, rebuild: bool = False) -> Catalogue:
    """What the folders hold. ``unsigned`` counts what this worker's key did not sign; ``rebuild`` reads all of it."""
    with collector_off():
        return _counted(folders, unsigned=unsigned, rebuild=rebuild)


def _counted(folders: Iterable[Path], *, unsigned: bool, rebuild: bool) -> Catalogue:
    found: list[tuple[Path, Entry]] = []
    for folder in dict.fromkeys(each.resolve() for each in folders):
        found += [(folder, each) for each in _entries(folder, rebuild=rebuild)]
    counted: dict[str, RunSummary] = {}
    places: dict[str, str] = {}
    copies, left_out = [], {}
    # A run in the folder that it was given goes before a copy of it, whatever that is called.
    for folder, each in sorted(found, key=lambda one: one[1].summary is None or one[1].summary.run != one[1].place):
        if each.summary is None or not (each.signed or unsigned):
            left_out[folder / each.place] = each.why
        elif each.summary.id in counted:
            copies.append(folder / each.place)
        else:
            counted[each.summary.id] = each.summary
            places[each.summary.id] = f"{folder}/{each.place}"
    return Catalogue(sorted(counted.values(), key=lambda run: (run.began, run.run)), places, copies, left_out)


def _entries(folder: Path, *, rebuild: bool) -> list[Entry]:
    try:
        with os.scandir(folder) as listing:
            names = sorted(each.name for each in listing if not each.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}") from None
    if not names:
        return []
    known = {} if rebuild else {each.place: each for each in read_entries(folder)}
    entries, fresh = [], 0
    for name in names:
        before = known.get(name)
        # Not by pathlib, which takes longer than the disk does.
        if not (signature := signature_of(f"{folder}/{name}", before.signature if before else "")):
            continue
        if before is not None and before.signature == signature:
            entries.append(before)
        else:
            entries.append(read_entry(folder / name, signature))
            fresh += 1
    if fresh or len(entries) != len(known):
        # A folder that is only lent to us is read all the same, and more slowly; so is one where we have no key.
        with contextlib.suppress(OSError, ChaosdayError):
            write_entries(folder, entries)
    return entries
