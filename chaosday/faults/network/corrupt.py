"""Packets arrive damaged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import RoundTrips
from chaosday.mechanisms.packets import packet_queue, shaper
from chaosday.mechanisms.packets.flow import Flow
from chaosday.mechanisms.packets.packet_queue import Harm
from chaosday.mechanisms.packets.shares import agrees
from chaosday.mechanisms.packets.traffic import TrafficFault
from chaosday.model.fault import Reading
from chaosday.model.scene import Scene
from chaosday.model.target import Shell

WIDE_MBIT = 40_000


class NetworkCorrupt(TrafficFault):
    """Turn one bit in the payload of ``percent`` of the packets.

    As they are, such packets die of their checksum, and TCP sends them again. With ``repair_checksum``
    they reach the application, as they do when a network card damages what it has already verified
    (Stone and Partridge, "When the CRC and TCP checksum disagree", SIGCOMM 2000).
    """

    kind: Literal["network.corrupt"] = "network.corrupt"
    percent: float = Field(default=10, gt=0, le=100)
    repair_checksum: bool = False
    direction: Literal["either", "in", "out"] = "either"  # type: ignore[assignment]

    probe_gap_s = 0.002
    # ping does not look at the first 16 bytes, where it keeps its time; of a thousand they do not matter.
    probe_payload_bytes = 1000

    def probe_count(self) -> int:
        return int(min(2000, max(200, 4000 / self.percent)))

    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        if not self.repair_checksum and self.direction == "out" and shaper.has_netem(shell):
            return shaper.build(shell, flow, scene, WIDE_MBIT, f"limit 100000 corrupt {self.percent:g}%")
        harm = Harm(corrupt_percent=self.percent, repair_checksum=self.repair_checksum)
        return packet_queue.build(shell, flow, scene, harm, ["out" if self.direction == "out" else "in"])

    def reading(self, trips: RoundTrips, by: str) -> Reading:
        # On the way out a damaged request is discarded by the peer; on the way in ping itself sees the damage.
        hurt = trips.sent - trips.received if self.direction == "out" else trips.damaged
        return Reading(value=round(100 * hurt / trips.sent, 4), unit="% damaged", by=by)

    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        return agrees(self.percent, baseline, during, asked_times)
