"""The halt switch in Prefect: the flows throw both, and a server that is gone means halted."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosday.safety.halting import HaltFile

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("prefect")]


def test_the_flows_throw_the_variable_and_the_file(prefect_api: None, runs: Path) -> None:
    """Both are on after halt and off after resume."""
    from flows.halt import PrefectHalt, halt, resume

    assert not PrefectHalt().reading().halted
    halt("from the UI")
    assert "from the UI" in PrefectHalt().reading().words
    assert "from the UI" in HaltFile().reading().words
    resume()
    assert not PrefectHalt().reading().halted and not HaltFile().reading().halted


def test_a_server_that_does_not_answer_means_halted(prefect_api: None) -> None:
    """Nobody listens at the API's address: whoever cannot ask has stopped."""
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    from flows.halt import PrefectHalt

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}):
        reading = PrefectHalt().reading()
    assert reading.halted and "means halted" in reading.words
