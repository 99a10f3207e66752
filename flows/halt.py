"""The halt switch in Prefect: a variable that every flow run of ours asks, and flows that throw it and take it back.

Prefect is the rim: the file of ``chaosday halt`` works without it. Whichever of the two is on, everything stops.
"""

from __future__ import annotations

from typing import Annotated

import httpx
from prefect import get_client
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.variables import Variable
from pydantic import Field

from chaosday.safety.halting import HaltFile, HaltReading
from flows.strict import strict_flow

NAME = "chaosday_halt"
# A variable holds 5,000 characters; what is longer would throw one of the two switches and not the other.
Reason = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]


class PrefectHalt:
    """The switch as a Prefect variable: there, it is on, whatever its value; an API without an answer means halted."""

    local = False

    def reading(self) -> HaltReading:
        try:
            with get_client(sync_client=True) as client:
                found = client.read_variable_by_name(NAME)
        except ObjectNotFound:
            found = None
        except (httpx.HTTPError, PrefectException, OSError, RuntimeError, ValueError) as error:
            words = f"Prefect does not say whether everything is halted ({type(error).__name__}), which means halted"
            return HaltReading(halted=True, words=words)
        if found is None:
            return HaltReading(halted=False)
        said = str("" if found.value is None else found.value).strip()
        return HaltReading(halted=True, words=f"halted by the Prefect variable {NAME}: {said or 'it gives no reason'}")


@strict_flow(name="halt", retries=0, persist_result=False)
def halt(why: Reason = "halted from the Prefect UI") -> str:
    """Stop every live run and refuse new ones, until resumed.

    Args:
        why: For whoever finds everything halted.
    """
    # Each of the two is thrown whatever becomes of the other.
    try:
        HaltFile().halt(why)
    finally:
        Variable.set(NAME, why.strip(), overwrite=True)
    return f"halted: {why.strip()}"


@strict_flow(name="resume", retries=0, persist_result=False)
def resume() -> str:
    """Take the halt switch back; runs that were stopped stay stopped."""
    Variable.unset(NAME)
    HaltFile().resume()
    return "resumed"
