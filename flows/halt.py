"""The halt switch in Prefect: a variable that every flow run of ours asks, and flows that throw it and take it back.

Prefect is the rim: the file of ``chaosday halt`` works without it. Whichever of the two is on, everything stops.
"""

from __future__ import annotations

import httpx
from prefect import flow, get_client
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.variables import Variable

from chaosday.safety.halting import HaltFile, HaltReading

NAME = "chaosday_halt"


class PrefectHalt:
    """The switch as a Prefect variable; an API that gives no answer means halted."""

    local = False

    def reading(self) -> HaltReading:
        try:
            with get_client(sync_client=True) as client:
                found = client.read_variable_by_name(NAME)
        except ObjectNotFound:
            found = None
        except (httpx.HTTPError, PrefectException, OSError, RuntimeError) as error:
            words = f"Prefect does not say whether everything is halted ({type(error).__name__}), which means halted"
            return HaltReading(halted=True, words=words)
        if found is None or not found.value:
            return HaltReading(halted=False)
        return HaltReading(halted=True, words=f"halted by the Prefect variable {NAME}: {found.value}")


@flow(name="halt", retries=0, persist_result=False)
def halt(why: str = "halted from the Prefect UI") -> str:
    """Stop every live run and refuse new ones, until resumed.

    Args:
        why: For whoever finds everything halted.
    """
    HaltFile().halt(why)
    Variable.set(NAME, why, overwrite=True)
    return f"halted: {why}"


@flow(name="resume", retries=0, persist_result=False)
def resume() -> str:
    """Take the halt switch back; runs that were stopped stay stopped."""
    Variable.unset(NAME)
    HaltFile().resume()
    return "resumed"
