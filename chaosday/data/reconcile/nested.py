"""Lists, structs and maps: their shape, and their canonical text.

A reader gives a nested value as *tokens*: JSON arrays (of a list's elements, of a struct's fields in the
order of its tree, of a map's pairs) whose leaves are the texts of the values, or null. So nothing of a
value's type gets lost on the way: NaN and -0.0 stay, and a map's repeated keys as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from chaosday.data.reconcile import canonical
from chaosday.data.reconcile.json_text import canonical_json, json_string
from chaosday.errors import UsageError

# A kind, ("list", element), ("struct", ((name, tree), ...)) or ("map", key, value).
Tree = str | tuple[Any, ...]
_ARRAY = re.compile(r'\s*([{},]|"(?:[^"\\]|\\.)*"|[^{},"\s][^{},"]*)', re.DOTALL)
_NUMBERS = {"int", "decimal", "float", "float32"}


def common_tree(left: Tree, right: Tree, name: str, common: Callable[[str, str], str]) -> Tree:
    """The tree in whose kinds two nested columns are compared; ``UsageError`` where their shapes differ.

    ``common`` gives the kind for a pair of leaves.
    """
    if isinstance(left, str) and isinstance(right, str):
        return common(left, right)
    if isinstance(left, str) and isinstance(right, tuple) and right[0] == "list":
        # PostgreSQL does not say how many dimensions an array has: its innermost element is what counts.
        return common_tree(left, _innermost(right), name, common)
    if isinstance(right, str) and isinstance(left, tuple) and left[0] == "list":
        return common_tree(_innermost(left), right, name, common)
    if isinstance(left, str) or isinstance(right, str):
        raise _shapes(name)
    if left[0] == right[0] == "list":
        return ("list", common_tree(left[1], right[1], name, common))
    if left[0] == right[0] == "map":
        return ("map", *(common_tree(a, b, name, common) for a, b in zip(left[1:], right[1:], strict=True)))
    if left[0] == right[0] == "struct":
        ours, theirs = dict(left[1]), dict(right[1])
        if set(ours) == set(theirs):
            return ("struct", tuple((n, common_tree(ours[n], theirs[n], name, common)) for n in ours))
    raise _shapes(name)


def _shapes(name: str) -> UsageError:
    return UsageError(f"column {name}: nested types of different shape do not compare; take it apart in a query")


def _innermost(tree: Tree) -> Tree:
    while isinstance(tree, tuple) and tree[0] == "list":
        tree = tree[1]
    return tree


def canonical_nested(tokens: str, trees: str) -> str | None:
    """The canonical text of a value given as tokens; ``trees`` is its own tree and the common one, as JSON."""
    own, common = json.loads(trees)
    try:
        return _written(json.loads(tokens), own, common)
    except RecursionError:
        return None


def canonical_array(text: str, trees: str) -> str | None:
    """The canonical text of an array as PostgreSQL writes it; lower bounds other than 1 stay in front."""
    own, common = json.loads(trees)
    bounds, equals, rest = text.partition("=") if text.startswith("[") else ("", "", text)
    try:
        value = _array(rest)
    except ValueError:
        return None
    return bounds + equals + _written(value, own, common)


def _array(text: str) -> list[Any]:
    stack: list[list[Any]] = [[]]
    at = 0
    while at < len(text):
        found = _ARRAY.match(text, at)
        if found is None:
            raise ValueError(text)
        at, token = found.end(), found[1]
        if token == "{":
            stack.append([])
        elif token == "}":
            closed = stack.pop()
            stack[-1].append(closed)
        elif token.startswith('"'):
            stack[-1].append(re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL))
        elif token != ",":
            stack[-1].append(None if token == "NULL" else token)
    [[value]] = [stack[0]]
    return list(value)


def _written(value: Any, own: Any, common: Any) -> str:
    if value is None:
        return "null"
    if isinstance(own, str) or own[0] == "list":
        if isinstance(value, list):
            inner = (own, common) if isinstance(own, str) else (own[1], _element(common))
            return "[" + ",".join(_written(one, *inner) for one in value) + "]"
        return _leaf(str(value), str(own), str(_innermost_kind(common)))
    if own[0] == "struct":
        kinds = dict(common[1]) if isinstance(common, list) else {}
        fields = sorted(zip(own[1], value, strict=True), key=lambda pair: json_string(pair[0][0]))
        inside = (f"{json_string(n)}:{_written(one, t, kinds.get(n, t))}" for (n, t), one in fields)
        return "{" + ",".join(inside) + "}"
    key_kind, value_kind = common[1:] if isinstance(common, list) else own[1:]
    pairs = ((_written(key, own[1], key_kind), _written(one, own[2], value_kind)) for key, one in value)
    keyed = ((key if key.startswith('"') else json_string(key), one) for key, one in pairs)
    return "{" + ",".join(f"{key}:{one}" for key, one in sorted(keyed, key=lambda pair: pair[0])) + "}"


def _element(common: Any) -> Any:
    return common[1] if isinstance(common, list) and common[0] == "list" else common


def _innermost_kind(common: Any) -> Any:
    while isinstance(common, list) and common[0] == "list":
        common = common[1]
    return common


def _leaf(text: str, own: str, common: str) -> str:
    if common in _NUMBERS:
        return _number(text, own, common)
    if common == "bool":
        return canonical.boolean(text) or json_string(f"text:{text}")
    if common == "json":
        return canonical_json(text) or json_string(f"text:{text}")
    form = _FORMS.get(common)
    if form is None:
        return json_string(text)
    written = form(text)
    return json_string(f"text:{text}" if written is None else written)


def _number(text: str, own: str, common: str) -> str:
    if own == "bool":
        text = {"true": "1", "false": "0"}.get(canonical.boolean(text) or "", text)
    if own == "float32" and common == "float":
        text = repr(canonical.spelled_float32(text))
    exact = own in {"int", "decimal"}
    if common == "float" and exact:
        found = canonical.exact_float(text)
    elif common == "float32":
        found = canonical.exact_float32(text) if exact else canonical.spelled_float32(text)
    else:
        written = canonical.number(text) if exact else canonical.shortest_number(text)
        return written or json_string(f"text:{text}")
    if found is None:
        return json_string(f"text:{text}")
    return canonical.shortest_number(repr(found) if common == "float" else canonical.shortest_float32(found)) or text


_FORMS: dict[str, Callable[[str], str | None]] = {
    "date": canonical.date,
    "time": canonical.time,
    "timetz": canonical.timetz,
    "timestamp": canonical.timestamp,
    "timestamptz": canonical.timestamptz,
    "interval": canonical.interval,
    "uuid": canonical.uuid,
    "network": canonical.network,
    "bytes": canonical.binary,
}
