"""The halt switch in Prefect: the flows throw both, and a server that is gone means halted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaosday.errors import InvalidExperiment
from chaosday.safety.halting import HaltFile, halted_by

pytestmark = [pytest.mark.lab]


def test_the_flows_throw_the_variable_and_the_file(prefect_api: None, runs: Path) -> None:
    """Both are on after halt and off after resume."""
    from flows.halt import PrefectHalt, halt, resume

    assert not PrefectHalt().reading().halted
    halt("from the UI")
    assert "from the UI" in PrefectHalt().reading().words
    assert "from the UI" in HaltFile().reading().words
    resume()
    assert not PrefectHalt().reading().halted and not HaltFile().reading().halted


@pytest.mark.parametrize("value", ["", " ", None, False, 0, [], {}, {"halted": False}, "off"])
def test_whatever_its_value_a_variable_that_is_there_halts(prefect_api: None, value: Any) -> None:
    """Set by hand, in the UI or by a script: only its absence means not halted."""
    from prefect.variables import Variable

    from flows.halt import NAME, PrefectHalt

    Variable.set(NAME, value, overwrite=True)
    try:
        assert halted_by([PrefectHalt()])
    finally:
        Variable.unset(NAME)
    assert not PrefectHalt().reading().halted


@pytest.mark.parametrize("why", ["", " ", "x" * 2000])
def test_a_reason_that_is_none_is_refused_by_the_form(why: str) -> None:
    """By the rules that the form itself knows, and by the flow where somebody goes around the form."""
    import jsonschema
    from prefect.utilities.callables import parameter_schema

    from flows.halt import halt

    schema = parameter_schema(halt).model_dump()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"why": why}, schema)
    jsonschema.validate({"why": "a customer called"}, schema)
    with pytest.raises(InvalidExperiment, match="Nothing was begun"):
        halt.validate_parameters({"why": why})


def test_a_server_that_does_not_answer_means_halted(prefect_api: None) -> None:
    """Nobody listens at the API's address: whoever cannot ask has stopped."""
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    from flows.halt import PrefectHalt

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}):
        reading = PrefectHalt().reading()
    assert reading.halted and "means halted" in reading.words
