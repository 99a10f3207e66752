"""Flows in the process of the tests, and where their runs go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def prefect_api(prefect_url: str) -> Iterator[None]:
    """Flows that are called in this process, and in its threads, tell that server."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    from prefect.context import _temporary_global_settings_context, get_settings_context
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with (
        temporary_settings({PREFECT_API_URL: prefect_url}),
        _temporary_global_settings_context(get_settings_context()),
    ):
        yield


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs of this test go."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("CHAOSDAY_RUNS", str(folder))
    return folder
