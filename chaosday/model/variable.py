"""Names of environment variables that hold a secret: what a field such as ``password_env`` takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

OTHERS = ("AWS_", "AZURE_", "CHAOSDAY_", "GOOGLE_", "KUBE", "PREFECT_")
"""How variables begin that hold what is not for the target: a server that is asked with them would have them."""


def _for_a_target(name: str) -> str:
    if name.upper().startswith(OTHERS):
        raise ValueError("that variable is not for a target: name one of its own")
    return name


Variable = Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$", max_length=200), AfterValidator(_for_a_target)]
"""The name of a variable, or nothing. Never the secret itself, which would stand in plans and reports."""
