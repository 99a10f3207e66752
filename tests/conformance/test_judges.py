"""What every check and every corruption of the registry promises, a new one unasked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chaosday.errors import EvidenceMissing
from chaosday.judging.simulated import simulate_ledger
from chaosday.judging.simulated_bank import simulate_bank
from chaosday.judging.simulated_table import simulate_table
from chaosday.judging.verdict import judge_checks
from chaosday.model.check import Check
from chaosday.model.corruption import Corruption, NotApplicable
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from chaosday.registry import member, members


def _ledger(folder: Path) -> Evidence:
    run = simulate_ledger(400, seed=3)
    return Evidence(folder).replaced(history=run.history, rows={"survivor": run.rows, "replica": run.rows})


def _bank(folder: Path) -> Evidence:
    run, facts = simulate_bank(400, seed=3)
    return Evidence(folder).replaced(history=run.history, rows={"bank": run.rows}, observations={"bank": facts})


def _table(folder: Path) -> Evidence:
    return Evidence(folder).replaced(rows={"survivor": simulate_table(300, seed=3)})


def _absent(folder: Path) -> Evidence:
    return Evidence(folder)


def _empty(folder: Path) -> Evidence:
    ledger = _ledger(folder)
    bank = _bank(folder).rows("bank")
    rows = {name: ledger.rows(name).slice(0, 0) for name in ledger.row_names()} | {"bank": bank.slice(0, 0)}
    return ledger.replaced(history=History.from_rows([]), rows=rows)


SOUND = {"ledger": _ledger, "bank": _bank, "table": _table}


@pytest.mark.parametrize("kind", members("checks"))
@pytest.mark.parametrize("nothing", [_absent, _empty], ids=["absent", "empty"])
def test_a_check_never_passes_on_nothing(kind: str, nothing: Callable[[Path], Evidence], tmp_path: Path) -> None:
    """Without evidence, or with empty evidence, a check does not pass, and says why without crashing."""
    check = member("checks", kind)()
    assert isinstance(check, Check)
    (finding,) = judge_checks([check], nothing(tmp_path))
    assert finding.outcome is not Outcome.PASS
    assert finding.reasons or finding.anomalies
    assert not [reason for reason in finding.reasons if "crashed" in reason]


@pytest.mark.parametrize("kind", members("checks"))
def test_a_check_is_its_json(kind: str) -> None:
    """What stands in an experiment file comes back as the same check, and it says what it needs."""
    check = member("checks", kind)()
    assert isinstance(check, Check)
    assert type(check).model_validate_json(check.model_dump_json()) == check
    assert check.needs


@pytest.mark.parametrize("kind", members("corruptions"))
@pytest.mark.parametrize("nothing", [_absent, _empty], ids=["absent", "empty"])
def test_a_corruption_does_not_claim_damage_to_nothing(
    kind: str, nothing: Callable[[Path], Evidence], tmp_path: Path
) -> None:
    """Where there is nothing to damage it says so; what it can add to nothing (a phantom row) is there, and named."""
    corruption = member("corruptions", kind)()
    assert isinstance(corruption, Corruption)
    evidence = nothing(tmp_path)
    try:
        planted = corruption.plant(evidence, 1, np.random.default_rng(1))
    except (NotApplicable, EvidenceMissing):
        return
    assert planted.keys
    assert planted.evidence.differing(evidence)


@pytest.mark.parametrize("kind", members("corruptions"))
def test_the_same_seed_plants_the_same_damage_in_a_copy(kind: str, tmp_path: Path) -> None:
    """Damage is drawn from the seed alone, is named, and the evidence that it is planted in stays as it was."""
    corruption = member("corruptions", kind)()
    assert isinstance(corruption, Corruption)
    for sound in SOUND.values():
        evidence = sound(tmp_path)
        before = {name: evidence.rows(name) for name in evidence.row_names()}
        try:
            first, second = (corruption.plant(evidence, 2, np.random.default_rng(5)) for _ in range(2))
        except (NotApplicable, EvidenceMissing):
            continue
        assert first.keys | first.equivalent
        assert (first.keys, first.equivalent) == (second.keys, second.equivalent)
        assert first.evidence.differing(evidence)
        assert all(evidence.rows(name).equals(rows) for name, rows in before.items())
