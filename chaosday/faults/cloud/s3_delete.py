"""An object that is gone, or hidden by a delete marker."""

from __future__ import annotations

from typing import Literal

from chaosday.mechanisms.aws.object_fault import ObjectFault
from chaosday.mechanisms.aws.objects import Objects
from chaosday.model.fault import FaultPlan


class S3Delete(ObjectFault):
    """Deletes objects; in a versioned bucket that leaves a delete marker over their versions."""

    kind: Literal["cloud.s3.delete"] = "cloud.s3.delete"

    def damage(self, objects: Objects, key: str, plan: FaultPlan) -> None:
        objects.patient_s3().delete_object(Bucket=objects.bucket, Key=key)
