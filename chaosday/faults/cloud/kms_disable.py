"""A key that cannot be used."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class KmsDisable(AccountFault):
    """Disables customer keys: what is encrypted with them cannot be read or written while it lasts."""

    kind: Literal["cloud.kms.disable"] = "cloud.kms.disable"
    what: ClassVar[str] = "key"

    def found(self, aws: Aws) -> list[Resource]:
        client = aws.client("kms")
        keys = [
            client.describe_key(KeyId=one["KeyId"])["KeyMetadata"] for one in every(aws, "kms", "list_keys", "Keys")
        ]
        return [
            Resource(
                kind="kms",
                id=one["KeyId"],
                arn=one["Arn"],
                tags=as_dict(client.list_resource_tags(KeyId=one["KeyId"]).get("Tags")),
            )
            for one in keys
            if one["KeyState"] == "Enabled" and one.get("KeyManager") == "CUSTOMER"
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [Call(service="kms", operation="disable_key", parameters={"KeyId": one.id}) for one in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [Call(service="kms", operation="enable_key", parameters={"KeyId": one.id}) for one in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        ask = aws.client("kms").describe_key
        return {one.id: ask(KeyId=one.id)["KeyMetadata"]["KeyState"] for one in resources}
