"""Control-plane faults on moto: hit what was selected, end by heal, by the account's scheduler, and by tag alone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from chaosday.errors import BlastRadiusExceeded, ForeignState, LeaseError, Refused, ScratchMarkMissing, UsageError
from chaosday.mechanisms.aws.tagging import LEASE
from chaosday.model.clean import differences
from chaosday.model.fault import Fault
from chaosday.model.lease import LeaseHolder
from chaosday.record.journal import Journal
from chaosday.registry import member, members
from chaosday.running.lifecycle import Lifecycle
from chaosday.targets.aws_account import AwsAccount
from tests.faults.cloud.arrangements import ARRANGED, UNSEEN, account, instance, principal
from tests.faults.cloud.living import planned, struck
from tests.faults.cloud.scheduler import fire


def fault_of(kind: str, **fields: object) -> Fault:
    fault = member("faults", kind).model_validate({"target": "account", **fields})
    assert isinstance(fault, Fault)
    return fault


def name_of(kind: str, number: int) -> str:
    return f"lab-{kind.replace('.', '-').replace('_', '-')}-{number}"


def test_every_account_fault_is_arranged() -> None:
    """A control-plane fault cannot be added without being tried here."""
    of_account = {kind for kind, fault in members("faults").items() if "Aws" in {p.__name__ for p in fault.requires}}  # type: ignore[attr-defined]
    assert of_account == set(ARRANGED)


@pytest.mark.breadth
@pytest.mark.parametrize("kind", sorted(ARRANGED))
def test_bites_and_heals(moto: str, kind: str) -> None:
    """Planned, armed, injected, seen in the account's own description, undone, and nothing of ours left."""
    aws = account(moto)
    number = sorted(ARRANGED).index(kind) + 100
    fault = fault_of(kind, **ARRANGED[kind](aws, name_of(kind, 1)))
    with struck(fault, aws, number=number) as (plan, bite):
        assert len(plan.affected) == 1
        assert bite.bit == (kind not in UNSEEN), bite.why


NOTHING_TO_REVERT = {"cloud.ec2.terminate", "cloud.ecs.stop_task", "cloud.rds.failover", "cloud.fis"}
# moto answers 500 where AWS says that the entry of a network ACL is gone already.
REVERTING = sorted(set(ARRANGED) - UNSEEN - NOTHING_TO_REVERT - {"cloud.vpc.blackhole"})


@pytest.mark.parametrize("kind", REVERTING)
def test_ends_without_us(moto: str, kind: str) -> None:
    """With nobody left to heal, the schedules armed beforehand put everything back, and not a second early."""
    aws = account(moto)
    fault = fault_of(kind, ttl_s=300, **ARRANGED[kind](aws, name_of(kind, 2)))
    number = sorted(ARRANGED).index(kind) + 200
    plan = planned(fault, aws, number=number)
    aws.capability(LeaseHolder).arm(plan.lease)
    fault.inject(aws, plan)
    now = datetime.now(UTC)
    assert fire(aws, now + timedelta(seconds=200), plan.lease.id) == []
    assert fire(aws, now + timedelta(seconds=400), plan.lease.id)
    changed, _ = differences(plan.snapshot, fault.snapshot(aws, plan), {})
    assert changed == []
    fault.heal(aws, plan.lease)
    assert fault.residue(aws, plan.lease) == []


def test_recovers_by_tag_alone(moto: str) -> None:
    """Without plan, journal or fault: the lease is found by its tag and its undo is in the account."""
    aws = account(moto, scheduler=False)
    one = instance(aws, "by-tag")
    fault = fault_of("cloud.ec2.stop", ids=[one], accept_weak_lease=True)
    plan = planned(fault, aws, number=301)
    aws.capability(LeaseHolder).arm(plan.lease)
    fault.inject(aws, plan)

    later = account(moto, scheduler=False).capability(LeaseHolder)
    (state,) = [each for each in later.leases() if each.id == plan.lease.id]
    assert (state.run, state.fault) == ("run-1", "cloud.ec2.stop")
    assert later.residue(plan.lease.id)
    later.heal(plan.lease.id)
    assert later.residue(plan.lease.id) == []
    assert fault.snapshot(aws, plan) == {one: "running"}


def test_heals_before_a_finished_inject(moto: str) -> None:
    """An armed fault that never struck heals to what there was, five times over."""
    aws = account(moto)
    fault = fault_of("cloud.ec2.stop", ids=[instance(aws, "never")])
    plan = planned(fault, aws, number=302)
    aws.capability(LeaseHolder).arm(plan.lease)
    for _ in range(5):
        fault.heal(aws, plan.lease)
    assert fault.residue(aws, plan.lease) == []
    assert fault.snapshot(aws, plan) == plan.snapshot


def test_renewal_moves_record_and_schedule(moto: str) -> None:
    """After a renewal the account reverts later, and a lease that is gone cannot be renewed."""
    aws = account(moto)
    fault = fault_of("cloud.ec2.stop", ids=[instance(aws, "renewed")], ttl_s=60)
    plan = planned(fault, aws, number=303)
    holder = aws.capability(LeaseHolder)
    holder.arm(plan.lease)
    holder.renew(plan.lease.id, 3000)
    assert fire(aws, datetime.now(UTC) + timedelta(seconds=600), plan.lease.id) == []
    (state,) = [each for each in holder.leases() if each.id == plan.lease.id]
    assert state.remaining_s > 2000
    holder.heal(plan.lease.id)
    with pytest.raises(LeaseError, match="over"):
        holder.renew(plan.lease.id, 10)


def test_every_undo_is_attempted(moto: str) -> None:
    """One resource that cannot be reverted does not keep the others hurt, and the lease stays to be seen."""
    aws = account(moto)
    names = ["undo-a", "undo-b", "undo-c"]
    for name in names:
        aws.client("events").put_rule(Name=name, ScheduleExpression="rate(5 minutes)")
    fault = fault_of("cloud.events.disable", ids=names)
    plan = planned(fault, aws, number=304)
    aws.capability(LeaseHolder).arm(plan.lease)
    fault.inject(aws, plan)
    aws.client("events").delete_rule(Name="undo-a")
    with pytest.raises(LeaseError, match="of its undo failed"):
        fault.heal(aws, plan.lease)
    states = [aws.client("events").describe_rule(Name=name)["State"] for name in names[1:]]
    assert states == ["ENABLED", "ENABLED"]
    assert fault.residue(aws, plan.lease)


@pytest.mark.parametrize(
    ("kind", "fields", "error", "words"),
    [
        ("cloud.ec2.stop", {}, UsageError, "empty selection"),
        ("cloud.ec2.stop", {"ids": ["i-00000000000000000"]}, Refused, "i-00000000000000000"),
        ("cloud.ec2.stop", {"tags": {"nobody": "has"}}, Refused, "no instance"),
        ("cloud.s3.bucket_deny", {"ids": ["refused-bucket"], "actions": ["s3:*"]}, Refused, "lock us out"),
        ("cloud.vpc.blackhole", {"zone": "us-east-1a", "tags": {"shared": "acl"}}, Refused, "serves"),
    ],
)
def test_refuses(moto: str, kind: str, fields: dict[str, object], error: type[Exception], words: str) -> None:
    """What selects nothing, more than was meant, or locks the account, is refused before anything is touched."""
    aws = account(moto)
    if kind == "cloud.s3.bucket_deny":
        aws.client("s3").create_bucket(Bucket="refused-bucket")
    if kind == "cloud.vpc.blackhole":
        vpc = aws.client("ec2").create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        tags = [{"ResourceType": "subnet", "Tags": [{"Key": "shared", "Value": "acl"}]}]
        for number, zone in enumerate(("us-east-1a", "us-east-1b")):
            place = {"VpcId": vpc, "CidrBlock": f"10.8.{number}.0/24", "AvailabilityZone": zone}
            aws.client("ec2").create_subnet(**place, TagSpecifications=tags if number == 0 else [])
    with pytest.raises(error, match=words):
        planned(fault_of(kind, **fields), aws, number=305)


def test_weak_lease_has_to_be_accepted(moto: str) -> None:
    """Without a scheduler's role the plan says that only we revert, and asks to accept it."""
    aws = account(moto, scheduler=False)
    one = instance(aws, "weak")
    with pytest.raises(Refused, match="accept_weak_lease"):
        planned(fault_of("cloud.ec2.stop", ids=[one]), aws, number=306)
    assert "weak" in planned(fault_of("cloud.ec2.stop", ids=[one], accept_weak_lease=True), aws, number=306).mechanism


def test_irreversible_needs_the_scratch_tag(moto: str) -> None:
    """An instance without the mark is not terminated."""
    aws = account(moto)
    with pytest.raises(ScratchMarkMissing, match="chaosday-scratch=true"):
        planned(fault_of("cloud.ec2.terminate", ids=[instance(aws, "precious")]), aws, number=307)


def test_leaves_what_is_under_another_lease(moto: str) -> None:
    """A resource that carries another run's tag is somebody's: refused, not hurt twice."""
    aws = account(moto)
    one = instance(aws, "leased")
    first = fault_of("cloud.ec2.stop", ids=[one])
    plan = planned(first, aws, number=308)
    aws.capability(LeaseHolder).arm(plan.lease)
    try:
        with pytest.raises(ForeignState, match=plan.lease.id):
            planned(first, aws, number=309)
    finally:
        first.heal(aws, plan.lease)


def test_blast_radius_counts_what_was_resolved(moto: str, tmp_path: object) -> None:
    """A tag that fits three instances is three, whatever the experiment hoped for; ``pick`` makes it one."""
    from pathlib import Path

    aws = account(moto)
    for _ in range(3):
        instance(aws, "many", crowd="yes")
    journal = Journal.create(Path(str(tmp_path)) / "journal.jsonl", "run-radius")
    life = Lifecycle("run-radius", journal, {"account": aws}, max_affected=2)
    with pytest.raises(BlastRadiusExceeded):
        life.plan(fault_of("cloud.ec2.stop", tags={"crowd": "yes"}))
    assert len(life.plan(fault_of("cloud.ec2.stop", tags={"crowd": "yes"}, pick=1)).affected) == 1


def test_foreign_state_survives(moto: str) -> None:
    """Tags, statements and rules of somebody else read the same after five heals as before."""
    aws = account(moto)
    aws.client("s3").create_bucket(Bucket="foreign-state")
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    document = {"Version": "2012-10-17", "Statement": [{**theirs, "Resource": "arn:aws:s3:::foreign-state/*"}]}
    aws.client("s3").put_bucket_policy(Bucket="foreign-state", Policy=json.dumps(document))
    tags = [{"Key": "theirs", "Value": "1"}]
    aws.client("s3").put_bucket_tagging(Bucket="foreign-state", Tagging={"TagSet": tags})
    fault = fault_of("cloud.s3.bucket_deny", ids=["foreign-state"])
    with struck(fault, aws, number=310) as (plan, _):
        held = aws.client("s3").get_bucket_tagging(Bucket="foreign-state")["TagSet"]
        assert {"Key": LEASE, "Value": plan.lease.id} in held
    for _ in range(5):
        fault.heal(aws, plan.lease)
    assert json.loads(aws.client("s3").get_bucket_policy(Bucket="foreign-state")["Policy"]) == document
    assert aws.client("s3").get_bucket_tagging(Bucket="foreign-state")["TagSet"] == tags


def test_assumes_a_role_and_knows_its_account(moto: str) -> None:
    """The role to assume is who we are then, and credentials for another account are refused."""
    arn = principal(account(moto), "experimenter")
    aws = account(moto).model_copy(update={"role_arn": arn})
    assert "assumed-role/experimenter" in aws.reach()
    with pytest.raises(Refused, match="000000000000"):
        aws.model_copy(update={"account_id": "000000000000"}).reach()


def test_no_credential_in_anything_written(moto: str, tmp_path: object) -> None:
    """Plan, lease, journal, errors, and the account itself hold neither key: a canary is looked for everywhere."""
    from pathlib import Path

    aws = account(moto)
    path = Path(str(tmp_path)) / "journal.jsonl"
    fault = fault_of("cloud.ec2.stop", ids=[instance(aws, "canary-free")])
    with Lifecycle("run-canary", Journal.create(path, "run-canary"), {"account": aws}) as life:
        plan = life.plan(fault)
        life.arm(plan)
        life.inject(plan)
        record = aws.client("ssm").get_parameter(Name=f"/chaosday/leases/{plan.lease.id}")["Parameter"]["Value"]
        schedules = str(aws.client("scheduler").get_schedule(Name=f"{plan.lease.id}-0"))
        everything = [path.read_text(), record, schedules, plan.model_dump_json(), repr(aws), str(aws.public())]
        assert not any("canary-access" in text or "canary-secret" in text for text in everything)
    dead = AwsAccount(endpoint_url="http://127.0.0.1:1", access_key=aws.access_key, secret_key=aws.secret_key)
    with pytest.raises(Exception) as caught:
        dead.reach()
    assert "canary" not in str(caught.value)


def test_many_experiments_at_once(moto: str) -> None:
    """Twelve faults at the same time on one account: each hurts its own instance and leaves nothing."""
    aws = account(moto)
    ids = [instance(aws, f"crowd-{number}") for number in range(12)]

    def one(number: int) -> str:
        with struck(fault_of("cloud.ec2.stop", ids=[ids[number]]), aws, number=400 + number) as (plan, bite):
            assert bite.bit
            assert list(plan.snapshot) == [ids[number]]
        return plan.lease.id

    with ThreadPoolExecutor(12) as pool:
        leases = list(pool.map(one, range(12)))
    assert len(set(leases)) == 12
    reservations = aws.client("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    assert {each["State"]["Name"] for r in reservations for each in r["Instances"]} == {"running"}
