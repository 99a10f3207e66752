"""An object that has fallen back to an older version of itself."""

from __future__ import annotations

from typing import Literal

from chaosday.mechanisms.aws.object_fault import ObjectFault, versions_of
from chaosday.mechanisms.aws.object_undo import MARK
from chaosday.mechanisms.aws.objects import Objects
from chaosday.model.fault import FaultPlan


class S3OldVersion(ObjectFault):
    """Puts the version before the newest back on top, as a careless restore would: stale, and perfectly well formed."""

    kind: Literal["cloud.s3.old_version"] = "cloud.s3.old_version"

    def eligible(self, objects: Objects, keys: list[str]) -> list[str]:
        return [key for key in keys if len({version["ETag"] for version in versions_of(objects, key)[:2]}) == 2]

    def damage(self, objects: Objects, key: str, plan: FaultPlan) -> None:
        older = versions_of(objects, key)[1]
        source = {"Bucket": objects.bucket, "Key": key, "VersionId": older["VersionId"]}
        objects.patient_s3().copy_object(
            Bucket=objects.bucket,
            Key=key,
            CopySource=source,
            Metadata={MARK: plan.lease.id},
            MetadataDirective="REPLACE",
        )
