"""``python -m chaosday`` is ``chaosday``."""

from chaosday.cli import main

main()
