"""``chaosday exec``: start a Python program whose functions can be hurt by experiments."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from chaosday.errors import UsageError

SITE = """import os
switch = os.environ.get("CHAOSDAY_SWITCH")
if switch:
    import importlib.util
    spec = importlib.util.spec_from_file_location("_chaosday_hook", os.environ["CHAOSDAY_HOOK"])
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    hook.start(switch)
# Whatever sitecustomize this one stands before is run as well.
import sys, pathlib
own = str(pathlib.Path(__file__).parent)
for folder in [path for path in sys.path if path and path != own]:
    other = pathlib.Path(folder) / "sitecustomize.py"
    if other.is_file():
        exec(compile(other.read_text(), str(other), "exec"), {"__name__": "sitecustomize", "__file__": str(other)})
        break
"""


@click.command(
    "exec",
    short_help="Start a Python program whose functions experiments can hurt.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--switch", type=click.Path(path_type=Path), default=Path("chaosday.switch"), help="The switch file.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
def command(switch: Path, words: tuple[str, ...]) -> None:
    """Become COMMAND (``chaosday exec -- python app.py``) with a hook loaded that does nothing until switched on.

    The switch is a file that only its owner may write; target python_process names it.
    """
    from chaosday.mechanisms.application import hook

    folder = Path(tempfile.mkdtemp(prefix="chaosday-exec-"))
    (folder / "sitecustomize.py").write_text(SITE)
    environment = os.environ | {
        "CHAOSDAY_SWITCH": str(switch.resolve()),
        "CHAOSDAY_HOOK": str(hook.__file__),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")])),
    }
    sys.stdout.flush()
    try:
        os.execvpe(words[0], list(words), environment)
    except OSError as error:
        raise UsageError(f"cannot start {words[0]}: {error.strerror}") from None
