"""Flows that refuse what they do not know: a misspelt parameter or field must not become a default dose."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from prefect import Flow, State, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ParameterTypeError
from prefect.states import Failed
from prefect.utilities.callables import ParameterSchema, parameter_schema
from pydantic import TypeAdapter, ValidationError

from blocks.target_block import OF_PREFECT
from chaosday.errors import InvalidExperiment
from chaosday.model.experiment import in_words
from chaosday.model.unknown_fields import secrets_in_clear, unknown_fields

IN_CLEAR = (
    "a secret in clear, which Prefect keeps and shows as it is: choose a block, or leave it out and give it to the "
    "worker's environment (docs/blocks.md); and change it, since it is known now"
)

P = ParamSpec("P")
R = TypeVar("R")


class StrictFlow(Flow[P, R]):
    """A flow whose parameters are read twice: forms need members of a union to ignore what other members know, so
    that what nobody knows is looked for before. Whatever is wrong is said in a line, without a value: it may be secret.
    """

    def __init__(self, fn: Callable[P, R], **options: Any) -> None:
        self._schema: ParameterSchema | None = None
        with _bare(fn):
            super().__init__(fn, **options)
        # What the function has for a moment the flow would keep: Prefect copies all of it.
        self.__dict__.pop("__signature__", None)
        self.on_crashed_hooks.append(name_what_is_unknown)

    @property  # type: ignore[override]
    def parameters(self) -> ParameterSchema:
        """What forms and deployments show of the parameters; worked out when one of them asks.

        Secrets have no room in it: Prefect's server refuses a run with one before it has written down anything.
        """
        if self._schema is None:
            self._schema = ParameterSchema.model_validate(_without_secrets(parameter_schema(self.fn).model_dump()))
        return self._schema

    @parameters.setter
    def parameters(self, of_nothing: ParameterSchema) -> None:
        """Prefect sets it as the flow is made, when the parameters are not to be seen (``_bare``)."""

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters as the flow takes them; ``InvalidExperiment`` names each that it does not."""
        expected = {
            name: each.annotation for name, each in inspect.signature(self.fn, eval_str=True).parameters.items()
        }
        if wrong := [line for name, value in parameters.items() for line in _wrong(expected, name, value)]:
            raise InvalidExperiment(f"{'; '.join(wrong)}. Nothing was begun")
        try:
            return super().validate_parameters(parameters)
        except ParameterTypeError as error:
            why = error.__cause__
            words = in_words(why) if isinstance(why, ValidationError) else str(why or error)
            raise InvalidExperiment(f"{words}. Nothing was begun") from None


def _without_secrets(schema: Any) -> Any:
    """A JSON schema in which every text that is a secret has to be empty; ``IN_CLEAR`` comes too late for those."""
    if isinstance(schema, dict):
        held = {name: _without_secrets(value) for name, value in schema.items()}
        return held | ({"maxLength": 0} if schema.get("format") == "password" else {})
    return [_without_secrets(each) for each in schema] if isinstance(schema, list) else schema


@contextmanager
def _bare(fn: Callable[..., Any]) -> Iterator[None]:
    """A function that seems to take nothing: Prefect builds the schema of all faults and targets for each flow that it
    makes, which is a second of a core, and a run that nobody deploys never looks at it."""
    kept = fn.__dict__.get("__signature__")
    fn.__signature__ = inspect.Signature()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del fn.__signature__  # type: ignore[attr-defined]
        if kept is not None:
            fn.__signature__ = kept  # type: ignore[attr-defined]


def name_what_is_unknown(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Say which parameter there is not: Prefect's engine crashes of its name before it asks what is valid.

    Called by the worker, with the words by which Prefect calls its hooks, when a flow run has crashed.
    """
    names = inspect.signature(flow.fn).parameters
    if unknown := [name for name in flow_run.parameters if name not in names]:
        words = "; ".join(line for name in unknown for line in _wrong(dict.fromkeys(names), name, None))
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(flow_run.id, Failed(message=f"{words}. Nothing was begun"), force=True)


def _wrong(expected: dict[str, Any], name: str, value: Any) -> list[str]:
    if name not in expected:
        near = difflib.get_close_matches(name, expected, 1)
        return [f"{name}: there is no such parameter" + (f"; did you mean {near[0]}?" if near else "")]
    if lines := unknown_fields(expected[name], value, name, beside=OF_PREFECT):
        return lines
    lines = [f"{place}: {IN_CLEAR}" for place in secrets_in_clear(expected[name], value, name)]
    if _refers(value):
        return lines
    try:
        TypeAdapter(expected[name]).validate_python(value)
    except ValidationError as error:
        lines.append(f"{name}: {in_words(error)}")
    return lines


def _refers(value: Any) -> bool:
    """Whether there is a reference to a block in it, which Prefect looks up."""
    if isinstance(value, dict):
        return "$ref" in value or any(map(_refers, value.values()))
    return isinstance(value, list | tuple) and any(map(_refers, value))


def strict_flow(**options: Any) -> Callable[[Callable[P, R]], StrictFlow[P, R]]:
    """``flow``, strict."""
    return lambda fn: StrictFlow(fn, **options)
