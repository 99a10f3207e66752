"""Puts the automations of a folder in place: ``python -m flows.automations deployments/automations``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.events.schemas.automations import AutomationCore


async def put_in_place(folder: Path) -> list[str]:
    """Create or renew each automation by its name; the names."""
    names = []
    async with get_client() as client:
        for file in sorted(folder.glob("*.yaml")):
            wanted = await _resolved(client, yaml.safe_load(file.read_text()))
            there = await client.read_automations_by_name(wanted.name)
            if there:
                await client.update_automation(there[0].id, wanted)
            else:
                await client.create_automation(wanted)
            names.append(wanted.name)
    return names


async def _resolved(client: PrefectClient, data: dict[str, Any]) -> AutomationCore:
    """Actions name deployments as people do (flow/deployment); Prefect wants their numbers."""
    for action in data["actions"]:
        if name := action.pop("deployment", ""):
            action["deployment_id"] = (await client.read_deployment_by_name(name)).id
    return AutomationCore.model_validate(data)


if __name__ == "__main__":
    print(", ".join(asyncio.run(put_in_place(Path(sys.argv[1])))))
