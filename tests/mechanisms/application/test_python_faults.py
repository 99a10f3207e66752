"""Faults inside a Python program: off by default and without cost, on by a switch file, off at the deadline."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.errors import LeaseError, TargetUnreachable
from chaosday.model.fault import Fault
from chaosday.model.lease import LeaseHolder
from chaosday.registry import member
from chaosday.targets.python_process import PythonProcess
from tests.faults.cloud.living import planned, struck

PROGRAM = """
import asyncio, shop, sys, time
while True:
    began = time.perf_counter()
    try: said = [shop.price(1), shop.Cart().total(2), shop.Cart.empty(), asyncio.run(shop.later(3))]
    except Exception as error: said = f"{type(error).__name__}: {error}"
    print(said, "slow" if time.perf_counter() - began > 0.25 else "fast", flush=True)
    time.sleep(0.02)
"""
SHOP = """
def price(n): return n
class Cart:
    def total(self, n): return n
    @classmethod
    def empty(cls): return cls.__name__
async def later(n): return n
"""
SOUND = "[1, 2, 'Cart', 3] fast"


class Program:
    """A running program and what it says."""

    def __init__(self, folder: Path) -> None:
        (folder / "shop.py").write_text(SHOP)
        (folder / "app.py").write_text(PROGRAM)
        command = [sys.executable, "-m", "chaosday", "exec", "--switch", "switch", "--", sys.executable, "-u", "app.py"]
        root = str(Path(__file__).parents[3])
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": root}
        )
        self.target = PythonProcess(pid=self.process.pid, switch=folder / "switch")
        self.until(SOUND)

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def until(self, wanted: str, lines: int = 3000) -> None:
        seen = ""
        for _ in range(lines):
            seen = self.says()
            if wanted in seen:
                return
        raise AssertionError(f"{wanted!r} never came; last: {seen!r}")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The program, running unhurt."""
    started = Program(tmp_path)
    yield started
    started.process.kill()
    started.process.wait()
    assert started.process.stdout is not None
    started.process.stdout.close()


def fault_of(kind: str, **fields: object) -> Fault:
    fault = member("faults", f"application.python.{kind}").model_validate({"target": "program", **fields})
    assert isinstance(fault, Fault)
    return fault


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("raise", {"function": "shop:price", "error": "ConnectionError", "message": "gone"}, "ConnectionError: gone"),
        ("raise", {"function": "shop:later", "error": "json.JSONDecodeError"}, "RuntimeError: json.JSONDecodeError"),
        ("delay", {"function": "shop:Cart.total", "delay_ms": 300}, "slow"),
        ("delay", {"function": "shop:later", "delay_ms": 300}, "slow"),
        ("return", {"function": "shop:price", "value": 99}, "[99, 2, 'Cart', 3]"),
        ("return", {"function": "shop:Cart.empty", "value": None}, "[1, 2, None, 3]"),
    ],
)
def test_hurts_and_heals(program: Program, kind: str, fields: dict[str, object], says: str) -> None:
    """Functions, methods, class methods and coroutines are hurt while the fault lasts, and sound again after it."""
    with struck(fault_of(kind, **fields), program.target) as (_, bite):
        assert bite.bit, bite.why
        program.until(says)
    program.until(SOUND)


def test_ends_at_the_deadline_without_us(program: Program) -> None:
    """Nobody heals, nobody renews: the program itself ends the rule, and a late injection is refused."""
    fault = fault_of("return", function="shop:price", value=99, ttl_s=600)
    plan = planned(fault, program.target)
    holder = program.target.capability(LeaseHolder)
    holder.arm(plan.lease)
    fault.inject(program.target, plan)
    program.until("[99,")
    holder.renew(plan.lease.id, 0.1)
    program.until(SOUND)
    with pytest.raises(LeaseError):
        fault.inject(program.target, plan)
    fault.heal(program.target, plan.lease)


def test_renewal_keeps_it_on(program: Program) -> None:
    """A renewed rule outlives the deadline that it was armed with."""
    fault = fault_of("return", function="shop:price", value=99, ttl_s=1.0)
    plan = planned(fault, program.target)
    holder = program.target.capability(LeaseHolder)
    holder.arm(plan.lease)
    fault.inject(program.target, plan)
    holder.renew(plan.lease.id, 60)
    armed = time.monotonic()
    while time.monotonic() < armed + 1.5:
        program.says()
    program.until("[99,")
    fault.heal(program.target, plan.lease)
    program.until(SOUND)


def test_a_function_that_nobody_calls_is_no_bite(program: Program) -> None:
    """A rule that never strikes is said to have hurt nothing."""
    with struck(fault_of("raise", function="shop:nobody", settle_s=0.5), program.target) as (_, bite):
        assert not bite.bit
        assert "does the program call it" in bite.why


def test_a_broken_switch_means_off(program: Program) -> None:
    """A switch file that is not JSON hurts nothing."""
    Path(program.target.switch).write_text("{")
    for _ in range(30):
        assert program.says().startswith("[1, 2, 'Cart', 3]")


def test_needs_the_hook() -> None:
    """A process that was not started under chaosday exec is refused in words."""
    with pytest.raises(TargetUnreachable, match="chaosday exec"):
        planned(fault_of("raise"), PythonProcess(pid=os.getpid()))


def test_off_runs_the_very_same_function(tmp_path: Path) -> None:
    """While nothing is switched on the program's functions are its own objects: there is nothing in between to cost."""
    (tmp_path / "check.py").write_text(
        "import sys, threading, json.decoder as d\n"
        "assert 'chaosday' in [thread.name for thread in threading.enumerate()]\n"
        "assert not hasattr(d.JSONDecoder.decode, '__wrapped__')\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'chaosday']\n"
        "print('own')\n"
    )
    command = [sys.executable, "-m", "chaosday", "exec", "--", sys.executable, "check.py"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "own"
