"""``chaosday catalogue``: everything there is to compose an experiment of."""

from __future__ import annotations

import inspect

import click
from pydantic import BaseModel

from chaosday.model.meanings import meanings
from chaosday.registry import FAMILIES, broken_plugins, clashes, member, members
from chaosday.reporting.terminal import say, say_json, say_text


@click.command("catalogue", short_help="What there is to compose an experiment of.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="The JSON schema of every member, for machines.")
def command(name: str | None, as_json: bool) -> None:
    """List targets, workloads, faults, probes, actions, checks and corruptions, or show one of them with its fields.

    NAME is a kind such as process.kill, or a family such as faults.
    """
    for words in (*broken_plugins().values(), *clashes()):
        say(words, err=True)
    families = [name] if name in FAMILIES else list(FAMILIES)
    if name is not None and name not in FAMILIES:
        families = [family for family in FAMILIES if name in members(family)]
        if not families:
            member("faults", name)  # raises with the nearest names
        _one(member(families[0], name), as_json)
        return
    if as_json:
        schemas = {
            family: {kind: model.model_json_schema() for kind, model in members(family).items()} for family in families
        }
        say_json(schemas, indent=True)
        return
    for family in families:
        click.secho(family, bold=True)
        for kind, model in members(family).items():
            say(f"  {kind:28} {summary(model)}")


def summary(model: type[BaseModel]) -> str:
    """The first sentence of a member's docstring."""
    first = (inspect.getdoc(model) or "").split("\n\n")[0]
    return " ".join(first.split()).split(". ")[0].rstrip(".")


def _one(model: type[BaseModel], as_json: bool) -> None:
    if as_json:
        say_json(model.model_json_schema(), indent=True)
        return
    click.secho(str(model.model_fields["kind"].default), bold=True)
    say_text(inspect.getdoc(model) or "")
    words = meanings(model)
    for name, info in model.model_fields.items():
        field = info.alias or name
        if field != "kind":
            default = info.get_default(call_default_factory=True, validated_data={})
            say(f"  {field:22} {default!r:16} {' '.join(words.get(name, '').split())}")
