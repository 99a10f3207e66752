"""``chaosday completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_CHAOSDAY_COMPLETE"


@click.command("completion", short_help="Completion for bash, zsh or fish.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes chaosday's commands in SHELL. In bash: eval "$(chaosday completion bash)"."""
    found = get_completion_class(shell)
    assert found is not None  # the three that the argument allows
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, "chaosday", VARIABLE).source())
