"""What a lake table's metadata may name, and how much of it is read: files of the table's own folder, no link's.

Whoever writes a table writes its metadata, and need not be who reads it: a path in it that leads elsewhere, or a
property that says what program opens its files, would be used with the reader's rights and credentials.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from chaosday.errors import MalformedInput

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.io import FileIO

LARGEST_METADATA_BYTES = 256 << 20
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_IMPLEMENTATION = "py-io-impl"
"""To pyiceberg: the name of anything that can be imported, which is called."""


def whole_and_near(path: Path, what: str) -> None:
    """``MalformedInput`` where a local file of metadata is a link, a pipe, a device, or too large to be read."""
    try:
        found = path.lstat()
    except OSError:
        return  # which whoever opens it says in better words
    if not stat.S_ISREG(found.st_mode):
        raise MalformedInput(f"{what}: {path.name} is no regular file, and is not read")
    if found.st_size > LARGEST_METADATA_BYTES:
        raise MalformedInput(f"{what}: {path.name} is larger than {LARGEST_METADATA_BYTES:,} bytes: checkpoint it")


def log_is_near(folder: Path, what: str) -> None:
    """The same for every file of a Delta table's log."""
    for where, folders, names in os.walk(folder / "_delta_log"):
        for name in folders:
            if (Path(where) / name).is_symlink():
                raise MalformedInput(f"{what}: {name} is a link, which is not followed")
        for name in names:
            whole_and_near(Path(where) / name, what)


def files_below(folder: Path) -> dict[str, int]:
    """Every regular file below a local folder with its bytes; links are not followed, which may lead in circles."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where) / name
            try:
                status = path.lstat()
            except OSError:
                continue  # gone since
            if stat.S_ISREG(status.st_mode):
                found[path.relative_to(folder).as_posix()] = status.st_size
    return found


def beneath(path: str, what: str, folder: Path | None) -> str:
    """A path that a Delta table names below its folder, which is None for a bucket; ``MalformedInput`` for others."""
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or _SCHEME.match(path):
        raise MalformedInput(f"{what} names files outside of its folder, which are not read: {path[:200]}")
    if folder is not None:
        _not_led_away(folder / path, folder, what)
    return path


class Confined:
    """An Iceberg table's own folder: that of its metadata file, or the one above where it is called ``metadata``."""

    def __init__(self, metadata_location: str, what: str) -> None:
        self.what = what
        self._place, path = _parsed(metadata_location)
        folder = path.parent
        self._root = folder.parent if folder.name == "metadata" else folder

    def checked(self, location: str) -> str:
        """The location; ``MalformedInput`` where it is not in the folder."""
        place, path = _parsed(location)
        if place != self._place or ".." in path.parts or not path.is_relative_to(self._root):
            raise MalformedInput(f"{self.what} names files outside of its folder, which are not read: {location[:200]}")
        if place == ("file", ""):
            _not_led_away(Path(path), Path(self._root), self.what)
        return location

    def small(self, location: str, io: FileIO) -> str:
        """The location of metadata that is to be read whole."""
        self.checked(location)
        place, path = _parsed(location)
        if place == ("file", ""):
            whole_and_near(Path(path), self.what)
        elif len(io.new_input(location)) > LARGEST_METADATA_BYTES:
            raise MalformedInput(f"{self.what}: {path.name} is larger than {LARGEST_METADATA_BYTES:,} bytes")
        return location


def only_its_own(catalogue: Catalog) -> Catalog:
    """A catalogue that opens files as it is configured, whatever properties the tables in it have."""
    from pyiceberg.catalog.rest import RestCatalog
    from pyiceberg.io import load_file_io

    own = dict(catalogue.properties)

    def opened(properties: Mapping[str, Any] = own, location: str | None = None) -> FileIO:
        # Of a REST catalogue's answers its own configuration is left here, and not a name to import.
        said = {name: value for name, value in properties.items() if name != _IMPLEMENTATION}
        return load_file_io({**own, **(said if isinstance(catalogue, RestCatalog) else {})}, location)

    catalogue._load_file_io = opened  # type: ignore[method-assign]
    if isinstance(catalogue, RestCatalog):
        answered = catalogue._response_to_table

        def table(identifier: Any, response: Any) -> Any:
            bare = response.metadata.model_copy(update={"properties": {}})
            made = answered(identifier, response.model_copy(update={"metadata": bare}))
            made.metadata = response.metadata
            return made

        catalogue._response_to_table = table  # type: ignore[method-assign, assignment]
    return catalogue


def _not_led_away(path: Path, folder: Path, what: str) -> None:
    if not os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep):
        raise MalformedInput(f"{what}: {path.name} is a link to outside of the table, which is not followed")
    if path.exists() and not path.is_file():
        raise MalformedInput(f"{what}: {path.name} is no regular file, and is not read")


def _parsed(location: str) -> tuple[tuple[str, str], PurePosixPath]:
    from pyiceberg.io.pyarrow import PyArrowFileIO

    scheme, place, path = PyArrowFileIO.parse_location(location)
    return (scheme, place), PurePosixPath(path)
