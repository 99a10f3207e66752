"""What a store held, piece by piece, in a form that two moments can be compared by.

A manifest is a Merkle tree over pieces: the files under a directory, the objects under an S3 prefix,
or the key ranges of a table or of a lake table's snapshot.
"""

from __future__ import annotations

from chaosday.data.manifest.comparison import Comparison, compare
from chaosday.data.manifest.directory import of_directory
from chaosday.data.manifest.objects import of_objects
from chaosday.data.manifest.rows import of_rows
from chaosday.data.manifest.table import of_table
from chaosday.data.manifest.tree import Manifest

__all__ = ["Comparison", "Manifest", "compare", "of_directory", "of_objects", "of_rows", "of_table"]
