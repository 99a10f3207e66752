"""Linearizability of any sequential model: just-in-time linearization, key by key, on a budget.

A configuration is a state and the set of open operations that already took effect. Only when an
operation returns must it have taken effect; until then nothing is tried (Lowe, "Testing for
linearizability", 2017). Three things keep the configurations few: operations that change no state
are taken at once when they fit; of identical unanswered operations only the next in line is tried;
and a configuration that used up more unanswered operations than another with the same state and
the same open operations is dropped, because it can do nothing that the other cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chaosday.checkers.base import SHOWN, ResultMap, foreign_to, result_map
from chaosday.checkers.calls import Calls, calls_by_key
from chaosday.checkers.models import NO, SequentialModel
from chaosday.model.history import History, value_of

STEPS = 4_000_000
CONFIGURATIONS = 200_000
_FIRST_SHARE = 2_000
_PAUSE = 1_000

# (state, bits of open answered operations that took effect) -> minimal sets of used-up unanswered ones.
Configurations = dict[tuple[Any, int], list[int]]


@dataclass
class Verdict:
    """A key's answer, None while undecided; ``stuck_at`` is the operation that could not return."""

    valid: bool | None = None
    stuck_at: int = -1
    reason: str = ""
    states: tuple[str, ...] = ()


def linearizable(
    history: History,
    model: SequentialModel,
    *,
    steps: int = STEPS,
    only_keys: frozenset[Any] | None = None,
    examined: int | None = None,
) -> ResultMap:
    """Whether each key's operations could have come from one copy of ``model``.

    ``steps`` bounds the search over all keys together. It is handed out in rounds, twice as much to
    every undecided key each time, so that a hard key starves no other; what is undecided when it is
    used up is unknown, with the number of such keys. ``only_keys`` leaves out all other keys.
    """
    foreign = foreign_to(history, model.asks)
    if foreign:
        # What they do to the state is not known: whatever follows could be their doing.
        return result_map({}, examined=examined or 0, unsure=[f"{foreign} are no operations of a {model.name}"])
    searches = [
        (key, Search(calls, model))
        for key, calls in calls_by_key(history, model)
        if only_keys is None or key in only_keys
    ]
    left = _rounds([search for _, search in searches], steps)
    failed = [(key, search) for key, search in searches if search.verdict.valid is False]
    undecided = [(key, search) for key, search in searches if search.verdict.valid is None]
    unsure = []
    if undecided:
        key, search = undecided[0]
        why = search.verdict.reason or f"the budget of {steps} steps ended"
        unsure = [f"{len(undecided)} of {len(searches)} keys undecided; {key}: {why}"]
    counted = sum(len(search.calls.ops) for _, search in searches) if examined is None else examined
    return result_map(
        {"nonlinearizable": [search.case(key) for key, search in failed]},
        examined=counted,
        unsure=unsure,
        model=model.name,
        keys=len(searches),
        steps=steps - left,
        failures=[key for key, _ in failed][:SHOWN],
    )


def _rounds(searches: list[Search], steps: int) -> int:
    left, share, waiting = steps, _FIRST_SHARE, searches
    while waiting and left > 0:
        for search in waiting:
            left -= search.spend(min(share, left))
            if left <= 0:
                break
        waiting = [search for search in waiting if search.verdict.valid is None and not search.verdict.reason]
        share *= 2
    return max(left, 0)


class Search:
    """The search of one key's calls; ``spend`` goes on where the last one stopped."""

    def __init__(self, calls: Calls, model: SequentialModel) -> None:
        self.calls = calls
        self.model = model.prepared(calls.ops)
        self.verdict = Verdict()
        self._bit = [1 << slot for slot in calls.slot]
        self._pure = [self.model.pure(op) for op in calls.ops]
        self._steps = self._run()

    def spend(self, steps: int) -> int:
        """Search for about so many steps; how many were used."""
        spent = 0
        if self.verdict.valid is None and not self.verdict.reason:
            for used in self._steps:
                spent += used
                if spent >= steps:
                    break
        return max(1, spent)

    def case(self, key: Any) -> dict[str, Any]:
        """The operation that no configuration could return from, and what the state could have been."""
        op = self.calls.ops[self.verdict.stuck_at]
        return {
            "key": key,
            "operation": {"f": op.f, "value": _shown(op.value), "result": _shown(op.result)},
            "operations": [self.calls.rows[self.verdict.stuck_at]],
            "possible-states": list(self.verdict.states),
        }

    def _run(self) -> Iterator[int]:
        configurations: Configurations = {(self.model.initial(), 0): [0]}
        opened: list[int] = []
        for is_call, op in self.calls.events:
            if is_call:
                opened.append(op)
                if self._pure[op]:
                    configurations = self._absorb_one(configurations, op)
                    yield len(configurations)
                continue
            after: Configurations = {}
            yield from self._return(configurations, opened, op, after)
            if self.verdict.reason:
                return
            if not after:
                states = sorted({repr(state) for state, _ in configurations})
                self.verdict = Verdict(False, op, "", tuple(states[:8]))
                return
            opened.remove(op)
            configurations = after
        self.verdict.valid = True

    def _absorb_one(self, configurations: Configurations, op: int) -> Configurations:
        after: Configurations = {}
        for (state, mask), crashed in configurations.items():
            fits = self.model.step(state, self.calls.ops[op]) is not NO
            for used in crashed:
                _keep(after, (state, mask | self._bit[op] if fits else mask), used)
        return after

    def _return(
        self, configurations: Configurations, opened: list[int], op: int, after: Configurations
    ) -> Iterator[int]:
        """Fill ``after`` with every configuration in which ``op`` took effect, by way of others if need be."""
        bit, spent = self._bit[op], 0
        seen: Configurations = {}
        stack: list[tuple[Any, int, int]] = []
        for (state, mask), crashed in configurations.items():
            for used in crashed:
                if mask & bit:
                    _keep(after, (state, mask & ~bit), used)
                elif _keep(seen, (state, mask), used):
                    stack.append((state, mask, used))
        while stack:
            state, mask, used = stack.pop()
            if used not in seen[(state, mask)]:
                continue  # one that used up less came along
            for state_after, mask_after, used_after in self._successors(state, mask, used, opened):
                spent += 1
                if mask_after & bit:
                    _keep(after, (state_after, mask_after & ~bit), used_after)
                elif _keep(seen, (state_after, mask_after), used_after):
                    stack.append((state_after, mask_after, used_after))
            if spent > _PAUSE:
                yield spent
                spent = 0
            if len(seen) + len(after) > CONFIGURATIONS:
                self.verdict.reason = f"more than {CONFIGURATIONS} configurations at one operation"
                break
        yield spent + 1

    def _successors(self, state: Any, mask: int, used: int, opened: list[int]) -> Iterator[tuple[Any, int, int]]:
        step, ops = self.model.step, self.calls.ops
        for op in opened:
            if self._pure[op]:
                continue
            bit = self._bit[op]
            unknown = self.calls.unknown[op]
            if (used if unknown else mask) & bit:
                continue
            follows = self.calls.follows[op]
            if follows >= 0 and not used & self._bit[follows]:
                continue
            state_after = step(state, ops[op])
            if state_after is NO or (unknown and state_after == state):
                continue
            mask_after = self._absorbed(state_after, mask if unknown else mask | bit, opened)
            yield state_after, mask_after, used | bit if unknown else used

    def _absorbed(self, state: Any, mask: int, opened: list[int]) -> int:
        for op in opened:
            if self._pure[op] and not mask & self._bit[op] and self.model.step(state, self.calls.ops[op]) is not NO:
                mask |= self._bit[op]
        return mask


def _shown(payload: Any) -> Any:
    return [value_of(token) for token in payload] if isinstance(payload, tuple) else value_of(payload)


def _keep(configurations: Configurations, key: tuple[Any, int], used: int) -> bool:
    """Add a configuration unless one that used up no more is there; drop those that used up more."""
    there = configurations.get(key)
    if there is None:
        configurations[key] = [used]
        return True
    if any(old & used == old for old in there):
        return False
    configurations[key] = [old for old in there if old & used != used] + [used]
    return True
