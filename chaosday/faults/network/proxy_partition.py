"""Nothing passes a proxy route; what was sent arrives when the partition ends."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.mechanisms.proxy.route_fault import SilencingFault


class ProxyPartition(SilencingFault):
    """Holds what is sent and lets new connections hang; nothing is lost, and all of it comes late."""

    kind: Literal["network.proxy.partition"] = "network.proxy.partition"

    def toxic(self) -> dict[str, Any]:
        """The dam."""
        return {"kind": "partition"}
