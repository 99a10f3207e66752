"""A name that leads elsewhere."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class Route53Answer(AccountFault):
    """Changes the answers of one record set of a hosted zone, and back; resolvers keep the old one for its TTL."""

    kind: Literal["cloud.route53.answer"] = "cloud.route53.answer"
    what: ClassVar[str] = "hosted zone"
    name: str = "service.example.com."
    type: str = "A"
    answers: list[str] = ["192.0.2.1"]

    def found(self, aws: Aws) -> list[Resource]:
        client = aws.client("route53")
        zones = [one["Id"].rsplit("/", 1)[-1] for one in every(aws, "route53", "list_hosted_zones", "HostedZones")]
        return [
            Resource(kind="route53", id=zone, tags=_tags(client, zone)) for zone in zones if self._record(aws, zone)
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        given = [{"Value": answer} for answer in self.answers]
        return [self._call(one.id, {**self._record(aws, one.id), "ResourceRecords": given}) for one in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call(one.id, self._record(aws, one.id)) for one in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        return {one.id: self._record(aws, one.id) for one in resources}

    def _record(self, aws: Aws, zone: str) -> dict[str, Any]:
        records = every(aws, "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone)
        return next((one for one in records if (one["Name"], one["Type"]) == (self.name, self.type)), {})

    def _call(self, zone: str, record: dict[str, Any]) -> Call:
        change = {"Comment": "chaosday", "Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
        named = {"HostedZoneId": zone, "ChangeBatch": change}
        return Call(service="route53", operation="change_resource_record_sets", parameters=named)


def _tags(client: Any, zone: str) -> dict[str, str]:
    said = client.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone)
    return as_dict(said["ResourceTagSet"].get("Tags"))
