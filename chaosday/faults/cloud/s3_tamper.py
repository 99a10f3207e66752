"""An object whose bytes are not those that were stored."""

from __future__ import annotations

import random
from typing import Literal

from chaosday.mechanisms.aws.object_fault import ObjectFault
from chaosday.mechanisms.aws.object_undo import MARK
from chaosday.mechanisms.aws.objects import Objects
from chaosday.model.fault import FaultPlan


class S3Tamper(ObjectFault):
    """Overwrites objects with a copy in which one bit is flipped; an empty object gets one byte."""

    kind: Literal["cloud.s3.tamper"] = "cloud.s3.tamper"

    def damage(self, objects: Objects, key: str, plan: FaultPlan) -> None:
        s3 = objects.patient_s3()
        body = bytearray(s3.get_object(Bucket=objects.bucket, Key=key)["Body"].read()) or bytearray(b"\0")
        dice = random.Random(f"{plan.data['seed']}/{key}")
        body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
        s3.put_object(Bucket=objects.bucket, Key=key, Body=bytes(body), Metadata={MARK: plan.lease.id})
