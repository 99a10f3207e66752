"""Whoever may write where leases are kept gets nothing done with chaosday's rights."""

from __future__ import annotations

import base64
import zlib

import orjson
import pytest

from chaosday.errors import LeaseError
from chaosday.mechanisms.aws.account_leases import FOLDER
from chaosday.mechanisms.aws.object_leases import kept_key
from chaosday.mechanisms.aws.objects import KEPT
from chaosday.mechanisms.aws.tagging import LEASE
from chaosday.model.lease import Lease, LeaseHolder, Undo
from chaosday.record import signing
from chaosday.targets.s3_store import S3Store
from chaosday.undo.recovery import recover
from tests.faults.cloud.arrangements import account, instance
from tests.faults.cloud.living import planned
from tests.faults.cloud.test_account_faults import fault_of

FORGED = Lease(id="cd-planted-01", run="r", fault="f", target="t", undo=Undo(), ttl_s=600)


def test_a_planted_parameter_makes_no_call(moto: str) -> None:
    """ssm:PutParameter alone: neither a record of somebody's own nor one of ours under another name is run."""
    aws = account(moto, scheduler=False)
    victim = instance(aws, "victim")
    ec2, ssm = aws.access().client("ec2"), aws.access().client("ssm")
    call = {"service": "ec2", "operation": "terminate_instances", "parameters": {"InstanceIds": [victim]}}
    undo = Undo(data={"calls": orjson.dumps([call]).decode()})
    forged = FORGED.model_copy(update={"undo": undo}).model_dump(mode="json")
    for mac in ({}, {"mac": "0" * 64}):
        text = base64.b64encode(zlib.compress(orjson.dumps({"lease": forged, "deadline": 9e9, **mac}))).decode()
        ssm.put_parameter(Name=FOLDER + FORGED.id, Value=text, Type="String", Overwrite=True)
        ssm.add_tags_to_resource(
            ResourceType="Parameter", ResourceId=FOLDER + FORGED.id, Tags=[{"Key": LEASE, "Value": FORGED.id}]
        )
        did = {each.lease_id: each for each in recover([], {"account": aws})}
        assert (did[FORGED.id].ok, "not signed" in did[FORGED.id].words) == (False, True)
        with pytest.raises(LeaseError):
            aws.capability(LeaseHolder).renew(FORGED.id, 60)
    plan = planned(fault_of("cloud.ec2.stop", ids=[instance(aws, "ours")], accept_weak_lease=True), aws, number=390)
    aws.capability(LeaseHolder).arm(plan.lease)
    copied = ssm.get_parameter(Name=FOLDER + plan.lease.id)["Parameter"]["Value"]
    ssm.put_parameter(Name=FOLDER + FORGED.id, Value=copied, Type="String", Overwrite=True)
    with pytest.raises(LeaseError, match="copied"):
        aws.capability(LeaseHolder).heal(FORGED.id)
    aws.capability(LeaseHolder).heal(plan.lease.id)
    state = ec2.describe_instances(InstanceIds=[victim])["Reservations"][0]["Instances"][0]["State"]["Name"]
    assert state == "running"
    ssm.delete_parameter(Name=FOLDER + FORGED.id)


def test_a_planted_object_overwrites_nothing(store: S3Store) -> None:
    """Who may write a scratch prefix: a forged lease puts nothing back, and a signed one stays below its prefix."""
    s3, outside = store.s3(), "elsewhere/precious"
    s3.put_object(Bucket=store.bucket, Key=outside, Body=b"precious")
    forged = FORGED.model_copy(update={"undo": Undo(data={"objects": orjson.dumps({outside: {}}).decode()})})
    folder = f"{store.prefix}{KEPT}{FORGED.id}/"
    s3.put_object(Bucket=store.bucket, Key=kept_key(store, FORGED.id, outside), Body=b"evil")
    s3.delete_object(Bucket=store.bucket, Key=outside)
    unsigned = orjson.dumps({"lease": forged.model_dump(mode="json"), "deadline": 9e9})
    signed = signing.sealed(forged, 9e9, f"s3:{store.bucket}/{store.prefix}")
    for body, words in ((b"nonsense", "none of chaosday's"), (unsigned, "not signed"), (signed, "not below")):
        s3.put_object(Bucket=store.bucket, Key=f"{folder}lease.json", Body=body)
        (state,) = store.capability(LeaseHolder).leases()
        assert state.id == FORGED.id
        with pytest.raises(LeaseError, match=words):
            store.capability(LeaseHolder).heal(FORGED.id)
    assert "Contents" not in s3.list_objects_v2(Bucket=store.bucket, Prefix=outside)
