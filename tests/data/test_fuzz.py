from __future__ import annotations

import json
import random
import subprocess
import sys

from benchmarks._data_fuzz import SHARES, mutated
from benchmarks._suites import ROOT


def test_no_broken_input_is_a_traceback() -> None:
    """A seeded sample of what the benchmark reads by the ten thousand: CSV, Parquet, EDN, manifest, plan, YAML, lakes.

    In a process of its own: its readers are forked, which libraries with threads do not survive once they are used.
    """
    program = "import json, benchmarks._data_fuzz as f; print(json.dumps(f.fuzz(150, seed=20, hang_s=120)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"fuzz_inputs": 150, "fuzz_tracebacks": 0, "fuzz_hangs": 0}


def test_a_seed_gives_the_same_wounds() -> None:
    """What was found once is found again by its seed."""

    for kind in SHARES:
        one, other = (mutated(b"0123456789" * 9, kind, random.Random(5)) for _ in range(2))
        assert one == other
