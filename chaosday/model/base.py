"""What every value of the kernel has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value whose fields are its JSON.

    There are two doors to one model: experiment files are validated with ``extra="forbid"`` (a
    misspelt field is a mistake worth hearing about), while the Prefect form re-submits the fields
    of the tab that was open before, so that a member of a union has to ignore what it does not know.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)
