"""Random experiment files: each is a clear error or a valid plan; nothing is injected, nothing is a traceback."""

from __future__ import annotations

import traceback
from collections import Counter
from typing import Any

from chaosday import registry
from chaosday.clock import SystemClock
from chaosday.errors import ChaosdayError
from chaosday.model.experiment import parse
from chaosday.model.fault import Fault, PlanContext
from chaosday.model.lease import Lease, LeaseHolder, LeaseState, Undo
from chaosday.model.target import Processes, Shell, ShellResult, Target

WORDS = (
    "",
    "kill -9 $(ps)",
    "'; rm -rf /",
    "../../etc",
    "0",
    "-1",
    "nan",
    "198.18.0.3",
    "::1/64",
    "[*",
    "läßt\x00",
    "x" * 300,
)


class RecordingTarget(Target):
    """Answers every script with "no such command" and remembers those that were more than questions."""

    kind: str = "recording"
    host: str = ""

    def capabilities(self) -> dict[type[Any], Any]:
        return {Shell: self, LeaseHolder: self, Processes: self}

    def reach(self) -> str:
        return "here"

    def run(self, script: str, *, timeout_s: float = 30, stdin: str = "", sudo: bool = False) -> ShellResult:
        return ShellResult(code=127, err="sh: not found")

    def processes(self) -> list[Any]:
        return []

    def arm(self, lease: Lease) -> None:
        INJECTIONS["armed"] += 1

    def renew(self, lease_id: str, ttl_s: float) -> None:
        INJECTIONS["renewed"] += 1

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        INJECTIONS["healed"] += 1

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        return []

    def leases(self) -> list[LeaseState]:
        return []


INJECTIONS: Counter[str] = Counter()


def fuzz_faults(files: int, seed: int = 1) -> dict[str, Any]:
    """``files`` random experiments around random faults; those that are valid are planned."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from hypothesis import strategies as st

    kinds = registry.members("faults")
    scalars = st.one_of(
        st.sampled_from(WORDS),
        st.booleans(),
        st.none(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=True, allow_infinity=True),
        st.text(max_size=20),
    )
    values = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=5,
    )

    @st.composite
    def faults(draw: Any) -> dict[str, Any]:
        kind = draw(st.sampled_from(sorted(kinds)) | st.sampled_from(["network.lag", "", "host"]))
        fields = sorted(kinds[kind].model_fields) if kind in kinds else ["percent"]
        chosen = draw(st.lists(st.sampled_from([*fields, "percnt"]), max_size=4, unique=True))
        return {"target": "victim", **{name: draw(values) for name in chosen}, "kind": kind}

    counts: Counter[str] = Counter()
    first: list[str] = []

    @seeded(seed)
    @settings(
        max_examples=files,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        faults(),
        st.dictionaries(st.sampled_from(["title", "seed", "blast_radius", "settle", "fault"]), values, max_size=2),
    )
    def one(fault: dict[str, Any], more: dict[str, Any]) -> None:
        counts["files"] += 1
        experiment = {
            "targets": {"victim": {"kind": "ssh_host", "host": "198.18.0.254"}},
            "workloads": [{"kind": sorted(registry.members("workloads"))[0], "target": "victim"}],
            "checks": [{"kind": sorted(registry.members("checks"))[0]}],
            "faults": [{"at_s": 0, "fault": fault}],
            **more,
        }
        try:
            valid: Fault = parse(experiment).faults[0].fault  # type: ignore[valid-type]
            counts["valid"] += 1
            valid.plan(RecordingTarget(), PlanContext(run="r", lease_id="cd-fuzz", seed=1, clock=SystemClock()))
            counts["planned"] += 1
        except ChaosdayError as error:
            counts["errors"] += 1
            if not str(error).strip() or "\n" in str(error):
                counts["unclear"] += 1
                first.append(f"{fault}: {str(error)!r}")
        except Exception as defect:  # noqa: BLE001  # what is counted here is exactly this
            counts["tracebacks"] += 1
            where = traceback.extract_tb(defect.__traceback__)[-1]
            first.append(f"{type(defect).__name__}: {defect} at {where.filename}:{where.lineno} for {fault}")

    one()
    return {
        "fuzzed": counts["files"],
        "fuzz_valid": counts["valid"],
        "fuzz_unclear": counts["unclear"],
        "fuzz_injections": sum(INJECTIONS.values()),
        "fuzz_tracebacks": counts["tracebacks"],
        "fuzz_words": first[:5],
    }
