"""Files that people write, YAML or JSON: read strictly, and within bounds that no honest file comes near."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chaosday.errors import InvalidExperiment, UsageError

LARGEST_BYTES = 512 << 10
MOST_VALUES = 200_000
DEEPEST = 100
LONGEST_NUMBER = 100
FILE_FORMAT = 1
"""The version of what people write; a file that names none is of this or an earlier one."""
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_BOOLEAN = "tag:yaml.org,2002:bool"
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """YAML 1.2 as far as it matters: ``on``, ``off``, ``yes`` and ``no`` are words; ``on: read`` has a key."""

    yaml_implicit_resolvers: dict[str, Any] = {
        first: [each for each in rules if each[0] != _BOOLEAN] if first in "yYnNoO" else rules
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        """With each open bracket all others are looked at again: 100,000 of them would take minutes."""
        if self.flow_level >= DEEPEST:
            raise InvalidExperiment("nested too deeply")
        super().fetch_flow_collection_start(TokenClass)


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML or JSON file, unjudged.

    ``InvalidExperiment`` for a file that is none, is larger than ``LARGEST_BYTES``, holds more than ``MOST_VALUES``
    once its aliases are written out (500 bytes can stand for more than any memory holds), or says a key twice.
    """
    try:
        if path.exists() and not path.is_file():
            raise InvalidExperiment(f"{path}: not a regular file")
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise InvalidExperiment(f"{path}: {error.strerror}") from None
    if len(raw) > LARGEST_BYTES:
        raise InvalidExperiment(f"{path}: larger than any experiment, {LARGEST_BYTES >> 10} KiB")
    try:
        return mapping_of(raw.decode())
    except UnicodeDecodeError:
        raise InvalidExperiment(f"{path}: not a text file") from None
    except yaml.YAMLError as error:
        raise InvalidExperiment(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from None
    except RecursionError:
        raise InvalidExperiment(f"{path}: nested too deeply") from None
    except (ValueError, ArithmeticError) as error:
        raise InvalidExperiment(f"{path}: not YAML: {type(error).__name__}") from None
    except InvalidExperiment as error:
        raise InvalidExperiment(f"{path}: {error}") from None


def mapping_of(text: str) -> dict[str, Any]:
    """The mapping in a text, by the same rules."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is not None:
            _bounded(root, {}, set())
        data = None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise InvalidExperiment(f"an experiment is a mapping of fields; this is {type(data).__name__}")
    return data


def _bounded(node: yaml.Node, known: dict[int, int], within: set[int]) -> int:
    """How many values a node stands for, aliases written out; every mapping below it is looked at once."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in within:
        raise InvalidExperiment(f"line {_line(node)}: it refers to itself")
    within.add(id(node))
    if isinstance(node, yaml.MappingNode):
        _once(node)
        below = [each for pair in node.value for each in pair]
    else:
        below = node.value if isinstance(node, yaml.SequenceNode) else []
    if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
        raise InvalidExperiment(f"line {_line(node)}: a number of {len(node.value):,} characters")
    known[id(node)] = 1 + sum(_bounded(each, known, within) for each in below)
    within.discard(id(node))
    if known[id(node)] > MOST_VALUES:
        raise InvalidExperiment(f"line {_line(node)}: its aliases (*) stand for more than {MOST_VALUES:,} values")
    return known[id(node)]


def _once(node: yaml.MappingNode) -> None:
    """The last of two would win in silence, and the first is what somebody reads."""
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        named = (key.tag, str(key.value))
        if named in lines:
            raise InvalidExperiment(f"{key.value!r} is said twice, in line {lines[named]} and in line {_line(key)}")
        lines[named] = _line(key)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def of_known_format(data: dict[str, Any]) -> dict[str, Any]:
    """What a file says besides its ``format``; ``UsageError`` where that is later than ours, or none."""
    known_format(data.get("format", FILE_FORMAT), FILE_FORMAT, "the file")
    return {name: value for name, value in data.items() if name != "format"}


def known_format(found: Any, newest: int, what: str) -> None:
    """``UsageError`` where a format is none, or one that only a later chaosday can read; earlier ones are read."""
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise UsageError(f"{what} says format {str(found)[:20]!r}, which is none: it is a whole number from 1")
    if found > newest:
        raise UsageError(f"{what} has format {found}, and this chaosday reads up to {newest}: upgrade chaosday")
