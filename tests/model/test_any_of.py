"""A member of a family is read, shown and described as in a union of all of them, and only it is imported."""

from __future__ import annotations

import subprocess
import sys
from functools import reduce
from operator import or_
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from chaosday.model.any_of import any_of
from chaosday.registry import FAMILIES, kinds_of, members

LATENCY = {"kind": "network.proxy.latency", "delay_ms": 20}
READ: list[tuple[Any, Any]] = [
    (LATENCY, None),
    (LATENCY, "forbid"),
    (LATENCY | {"delay": 1}, None),
    (LATENCY | {"delay": 1}, "forbid"),
    (LATENCY | {"delay_ms": "a"}, None),
    ({"kind": "network.proxy.latenzy"}, None),
    ({"kind": 7}, "forbid"),
    ({}, None),
    ("latency", None),
    (None, None),
]


@pytest.mark.kernel
@pytest.mark.parametrize("family", FAMILIES)
def test_what_stands_in_the_text_is_what_there_is(family: str) -> None:
    """The kinds that are found without importing anything are those of the classes."""
    assert list(kinds_of(family)) == list(members(family))


@pytest.mark.kernel
@pytest.mark.parametrize(("data", "extra"), READ)
def test_it_reads_as_the_whole_union_does(data: Any, extra: Any) -> None:
    """Value, dump and errors, with their places, are those of pydantic's own union, through both doors."""
    union = reduce(or_, members("faults").values())
    whole = TypeAdapter[Any](list[Annotated[union, Field(discriminator="kind")]])  # type: ignore[valid-type]
    ours = TypeAdapter[Any](list[any_of("faults")])  # type: ignore[misc,arg-type]

    def said(adapter: TypeAdapter[Any]) -> Any:
        try:
            value = adapter.validate_python([data], extra=extra)
        except ValidationError as error:
            return error.errors(include_url=False, include_input=False)
        return value, adapter.dump_python(value, mode="json"), adapter.dump_python(value, exclude_defaults=True)

    assert said(ours) == said(whole)


@pytest.mark.kernel
def test_only_what_is_named_is_imported() -> None:
    """Reading an experiment imports the members that it names, and no fault beside them."""
    program = (
        "import sys\n"
        "from chaosday.model.experiment import parse\n"
        "parse({'targets': {'a': {'kind': 'proxy_route', 'upstream': '127.0.0.1:1'}},\n"
        "       'workloads': [{'kind': 'set', 'target': 'a'}], 'checks': [{'kind': 'set'}],\n"
        "       'faults': [{'fault': {'kind': 'network.proxy.latency', 'target': 'a'}}]})\n"
        "print([n for n in sys.modules if n.startswith('chaosday.faults.') and n.count('.') > 2])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "['chaosday.faults.network.proxy_latency']\n"
