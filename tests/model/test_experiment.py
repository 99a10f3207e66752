"""Experiments come in through a strict door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaosday.errors import InvalidExperiment
from chaosday.model.experiment import Experiment, load, parse

pytestmark = pytest.mark.kernel

GOOD: dict[str, Any] = {
    "title": "small",
    "targets": {
        "db": {"kind": "postgresql", "port": 5432},
        "door": {"kind": "proxy_route", "upstream": "127.0.0.1:5432"},
    },
    "workloads": [{"kind": "ledger", "target": "db"}],
    "faults": [{"at_s": 1, "fault": {"kind": "network.proxy.latency", "target": "door", "delay_ms": 50}}],
    "checks": [{"kind": "ledger"}],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """A copy of GOOD with one place changed: ``changed("faults.0.fault.kind", 1)``."""
    import copy

    data = copy.deepcopy(GOOD)
    place: Any = data
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        place = place[step]
    place[last] = value
    return data


def test_a_good_one_survives_a_round_trip() -> None:
    """JSON out, JSON in: the same experiment."""
    experiment = parse(GOOD)
    assert Experiment.model_validate(experiment.model_dump(mode="json")) == experiment


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("titel", "typo", "titel: there is no such field"),
        ("faults.0.fault.delay", 5, "delay: there is no such field"),
        ("faults.0.fault.kind", "network.proxy.latensy", "did you mean network.proxy.latency"),
        ("faults.0.fault.target", "nowhere", "no target is called 'nowhere'; there are db, door"),
        ("faults.0.fault.delay_ms", "a lot", "faults.0.fault"),
        ("faults.0.at_s", -1, "faults.0.at_s"),
        ("targets", {}, "name at least one target"),
        ("workloads", [], "at least one is needed"),
        ("checks", [], "nothing would be looked at"),
        ("checks.0.kind", "ledgr", "did you mean ledger"),
        ("workloads.0.clients", 0, "workloads.0"),
        ("loss_rate_to_see", 0, "loss_rate_to_see"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_field(path: str, value: Any, words: str) -> None:
    """Wrong fields, names and values are refused in words."""
    with pytest.raises(InvalidExperiment) as raised:
        parse(changed(path, value))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_secret_in_a_bad_experiment_is_not_repeated() -> None:
    """The value that was refused is not in the message: it may be a password."""
    with pytest.raises(InvalidExperiment) as raised:
        parse(changed("targets.db.password", ["canary-5f2e-secret"]))
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "mapping of fields"),
        ("- a\n- b", "mapping of fields"),
        ("a: [", "not YAML"),
        ("a: &x [*x]", "refers to itself"),
        ("\tb: 1", "not YAML"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    """Empty files, lists and broken YAML are refused with the file's name."""
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(InvalidExperiment, match=words) as raised:
        load(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_short_file_of_a_billion_values_is_refused(tmp_path: Path) -> None:
    """Aliases of aliases, an alias to itself, and a file of a megabyte are one line, and quick."""
    path = tmp_path / "bomb.yaml"
    layers = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    for text in ("a0: &a0 [x]\n" + "\n".join(layers), "title: &a [*a]", f"title: {'x' * (1 << 20)}"):
        path.write_text(text)
        with pytest.raises(InvalidExperiment):
            load(path)


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@h/d#t", "mysql://u@h/d?password=hunter2#t", "postgresql://u:p#hunter2@h/d#t"]
)
def test_a_password_in_the_url_of_a_comparison_is_refused(url: str) -> None:
    """The plan, the journal and the report hold the URL: it is refused in one line that does not repeat it."""
    with pytest.raises(InvalidExperiment) as caught:
        parse({"evidence": [{"kind": "table_diff", "left": url, "right": "a.csv"}]})
    assert "evidence.0" in str(caught.value) and "hunter2" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """A path that is not there is said, not raised through."""
    with pytest.raises(InvalidExperiment, match="No such file"):
        load(tmp_path / "nothing.yaml")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
PLACES = [
    "title", "seed", "targets", "targets.db", "targets.db.port", "targets.db.kind", "workloads", "workloads.0",
    "workloads.0.clients", "faults", "faults.0", "faults.0.at_s", "faults.0.fault", "faults.0.fault.kind",
    "faults.0.fault.delay_ms", "checks", "checks.0", "blast_radius", "settle", "guards", "must_see",
]  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), value=TREES)
def test_nonsense_anywhere_is_refused_or_valid(place: str, value: Any) -> None:
    """Any value at any place gives an experiment or a one-line refusal, never another exception."""
    try:
        parse(changed(place, value))
    except InvalidExperiment as error:
        assert "\n" not in str(error)
