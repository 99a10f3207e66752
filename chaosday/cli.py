"""``chaosday``: one program; kernel commands work with the wheel alone, the rest comes from a checkout's ``flows``."""

from __future__ import annotations

import importlib
import keyword
import os
import pkgutil
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chaosday import __version__, commands
from chaosday.commands.completion import VARIABLE
from chaosday.errors import CapabilityMissing
from chaosday.processes.imports import pandas_when_wanted
from chaosday.registry import entry_points
from chaosday.running.ends import ENDS, Ending, quiet_from_now_on

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_SHORT_HELP = re.compile(r'\bshort_help="([^"]+)"')
FROM_FLOWS = {
    "demo": "Find real data loss and show real durability, in about a minute.",
    "lab": "Run a small experiment on a PostgreSQL pair that it starts itself.",
    "run": "Run experiments as Prefect flows.",
    "plan": "Show what an experiment would touch and how it would be undone.",
    "drill": "Restore a backup and compare it, or plant damage and see who notices.",
    "gameday": "Check readiness, hide sealed flags, and score who finds them.",
    "serve": "Start the server, its UI and every deployment.",
}


class Commands(click.Group):
    """Finds commands by name and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_kernel_commands(), *FROM_FLOWS, *_plugin_commands()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _kernel_commands():
            command: click.Command = importlib.import_module(f"chaosday.commands.{_module(cmd_name)}").command
            return command
        if cmd_name in FROM_FLOWS or cmd_name in _plugin_commands():
            return _from_plugins(cmd_name)
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list, without importing every command for its help."""
        rows = []
        for name in self.list_commands(ctx):
            if name in FROM_FLOWS:
                rows.append((name, FROM_FLOWS[name]))
            elif name in _kernel_commands():
                rows.append((name, _short_help(name)))
            elif (command := self.get_command(ctx, name)) is not None:
                rows.append((name, command.get_short_help_str(80)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every exit code, with what it means."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(end.code), f"{end.name}: {end.when}") for end in ENDS])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__)
@click.pass_context
def chaosday(context: click.Context) -> int:
    """Chaos experiments that prove themselves: did the system lose, corrupt or contradict any data?

    Without a command: what is set up, what is overdue, and what to do next."""
    if context.invoked_subcommand is None:
        from chaosday.reporting.overview import show_overview

        show_overview()
    return 0


def main(arguments: list[str] | None = None) -> None:
    """The entry point: runs a command, and ends with an exit code of ``running.ends``."""
    code = run(arguments)
    quiet_from_now_on()
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; whatever goes wrong is one line on standard error."""
    pandas_when_wanted()
    with Ending() as end:
        if VARIABLE in os.environ:  # a shell asks how to complete a line
            chaosday.main(arguments, prog_name="chaosday")
        # Not main(): it makes exit code 1, a verdict's, of every pipe that breaks, those to a database among them.
        with chaosday.make_context("chaosday", sys.argv[1:] if arguments is None else list(arguments)) as context:
            end.code = chaosday.invoke(context)
    return end.code


@cache
def _kernel_commands() -> list[str]:
    return [info.name.removesuffix("_").replace("_", "-") for info in pkgutil.iter_modules(commands.__path__)]


def _short_help(name: str) -> str:
    """What a command of the kernel is for, as its text says it: to import all of them takes seconds."""
    said = _SHORT_HELP.search((Path(commands.__file__).parent / f"{_module(name)}.py").read_text(encoding="utf-8"))
    return said[1] if said else ""


def _module(name: str) -> str:
    word = name.replace("-", "_")
    return f"{word}_" if keyword.iskeyword(word) else word


def _plugins() -> list[EntryPoint]:
    return list(entry_points("chaosday.commands"))


def _plugin_commands() -> list[str]:
    """Names that installed plugins add; a plugin that cannot be imported adds none here and is heard when called."""
    names: list[str] = []
    for plugin in _plugins():
        try:
            listing: Callable[[], dict[str, Any]] = plugin.load()
            names += listing()
        except ImportError:
            continue
    return names


def _from_plugins(name: str) -> click.Command:
    missing = "it needs a checkout of chaosday (flows/, tasks/, blocks/) with its extra 'flows' installed"
    for plugin in _plugins():
        try:
            named: dict[str, Any] = plugin.load()()
        except ImportError as error:
            missing = f"{error}; install with pip install -c constraints.txt -e '.[demo]' in a checkout"
            continue
        if name in named:
            module, attribute = named[name].split(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
    raise CapabilityMissing(f"{name} is not available: {missing}")
