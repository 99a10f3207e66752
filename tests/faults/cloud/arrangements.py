"""What each control-plane fault is pointed at in moto: a resource of its own, made on the way."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from chaosday.targets.aws_account import AwsAccount

ROLE = "arn:aws:iam::123456789012:role/scheduler"
Fields = dict[str, Any]
IMAGE = "ami-12c6146b"


def account(url: str, *, scheduler: bool = True) -> AwsAccount:
    """The account that moto plays."""
    said = {"endpoint_url": url, "access_key": "canary-access", "secret_key": "canary-secret"}
    return AwsAccount.model_validate(said | ({"scheduler_role_arn": ROLE} if scheduler else {}))


def instance(aws: AwsAccount, name: str, **tags: str) -> str:
    tagged = [{"Key": key, "Value": value} for key, value in {"name": name, **tags}.items()]
    specification = [{"ResourceType": "instance", "Tags": tagged}]
    made = aws.client("ec2").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=specification)
    return str(made["Instances"][0]["InstanceId"])


def subnets(aws: AwsAccount) -> tuple[str, list[str]]:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    made = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate(("us-east-1a", "us-east-1b"))
    ]
    return vpc, made


def group(aws: AwsAccount, name: str) -> Fields:
    _, (first, second) = subnets(aws)
    scaling = aws.client("autoscaling")
    scaling.create_launch_configuration(LaunchConfigurationName=name, ImageId=IMAGE, InstanceType="t3.nano")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
        VPCZoneIdentifier=f"{first},{second}",
    )
    return {"ids": [name]}


def function(aws: AwsAccount, name: str) -> str:
    role = principal(aws, f"{name}-role")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "def handler(event, context): return event\n")
    made = aws.client("lambda").create_function(
        FunctionName=name, Runtime="python3.12", Role=role, Handler="main.handler", Code={"ZipFile": packed.getvalue()}
    )
    return str(made["FunctionArn"])


def principal(aws: AwsAccount, name: str) -> str:
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]}
    made = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(allow))
    return str(made["Role"]["Arn"])


def trigger(aws: AwsAccount, name: str) -> Fields:
    queue = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    function(aws, name)
    aws.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=name)
    return {"ids": [name]}


def aurora(aws: AwsAccount, name: str) -> Fields:
    rds = aws.client("rds")
    said = {"Engine": "aurora-postgresql", "MasterUsername": "root", "MasterUserPassword": "canary-password"}
    rds.create_db_cluster(DBClusterIdentifier=name, **said)
    for number in (1, 2):
        rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-{number}",
            DBInstanceClass="db.t3.medium",
            Engine="aurora-postgresql",
            DBClusterIdentifier=name,
        )
    return {"ids": [name]}


def database(aws: AwsAccount, name: str) -> Fields:
    aws.client("rds").create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        MasterUsername="root",
        MasterUserPassword="canary-password",
        AllocatedStorage=10,
    )
    return {"ids": [name], "settle_s": 0.5}


def task(aws: AwsAccount, name: str) -> Fields:
    ecs = aws.client("ecs")
    ecs.create_cluster(clusterName=name)
    _, (subnet, _) = subnets(aws)
    container = {"name": "c", "image": "busybox", "cpu": 1, "memory": 16}
    ecs.register_task_definition(family=name, containerDefinitions=[container], networkMode="awsvpc")
    wall = aws.client("ec2").create_security_group(GroupName=name, Description=name)["GroupId"]
    network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [wall]}}
    made = ecs.run_task(cluster=name, taskDefinition=name, launchType="FARGATE", networkConfiguration=network)
    return {"cluster": name, "ids": [made["tasks"][0]["taskArn"]]}


def nodes(aws: AwsAccount, name: str) -> Fields:
    _, both = subnets(aws)
    role = principal(aws, f"{name}-role")
    eks = aws.client("eks")
    eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": both})
    sizes = {"minSize": 1, "maxSize": 3, "desiredSize": 2}
    eks.create_nodegroup(clusterName=name, nodegroupName="ng", subnets=both, nodeRole=role, scalingConfig=sizes)
    return {"cluster": name, "ids": ["ng"]}


def table(aws: AwsAccount, name: str) -> Fields:
    aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 25, "WriteCapacityUnits": 10},
    )
    return {"ids": [name]}


def stream(aws: AwsAccount, name: str) -> Fields:
    aws.client("kinesis").create_stream(StreamName=name, ShardCount=4)
    return {"ids": [name]}


def queue(aws: AwsAccount, name: str) -> Fields:
    return {"ids": [aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]]}


def topic(aws: AwsAccount, name: str) -> Fields:
    return {"ids": [aws.client("sns").create_topic(Name=name)["TopicArn"]]}


def bucket(aws: AwsAccount, name: str) -> Fields:
    aws.client("s3").create_bucket(Bucket=name)
    aws.client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "theirs", "Value": "1"}]})
    return {"ids": [name]}


def key(aws: AwsAccount, name: str) -> Fields:
    return {"ids": [aws.client("kms").create_key(Description=name)["KeyMetadata"]["KeyId"]]}


def zone(aws: AwsAccount, name: str) -> Fields:
    route53 = aws.client("route53")
    made = route53.create_hosted_zone(Name=f"{name}.example.com", CallerReference=name)["HostedZone"]["Id"]
    record = {"Name": f"s.{name}.example.com.", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "192.0.2.7"}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=made, ChangeBatch=batch)
    return {"ids": [made.rsplit("/", 1)[-1]], "name": record["Name"]}


def backends(aws: AwsAccount, name: str) -> Fields:
    vpc, _ = subnets(aws)
    elb = aws.client("elbv2")
    made = elb.create_target_group(Name=name[:32], Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]
    one = instance(aws, name)
    elb.register_targets(TargetGroupArn=made["TargetGroupArn"], Targets=[{"Id": one, "Port": 80}])
    return {"ids": [made["TargetGroupArn"]]}


def rule(aws: AwsAccount, name: str) -> Fields:
    aws.client("events").put_rule(Name=name, ScheduleExpression="rate(5 minutes)")
    return {"ids": [name]}


def lone_subnet(aws: AwsAccount, name: str) -> Fields:
    ec2 = aws.client("ec2")
    vpc, (first, _) = subnets(aws)
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    links = [link for one in ec2.describe_network_acls()["NetworkAcls"] for link in one["Associations"]]
    (link,) = [one["NetworkAclAssociationId"] for one in links if one["SubnetId"] == first]
    ec2.replace_network_acl_association(AssociationId=link, NetworkAclId=acl)
    return {"ids": [first]}


def firewall(aws: AwsAccount, name: str) -> Fields:
    ec2 = aws.client("ec2")
    made = ec2.create_security_group(GroupName=name, Description=name)["GroupId"]
    for port in (80, 443):
        opened = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
        ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[opened])
    return {"ids": [made], "direction": "both"}


def template(aws: AwsAccount, name: str) -> Fields:
    arn = f"arn:aws:ec2:us-east-1:123456789012:instance/{instance(aws, name)}"
    chosen = {"resourceType": "aws:ec2:instance", "resourceArns": [arn], "selectionMode": "ALL"}
    stop = {"actionId": "aws:ec2:stop-instances", "targets": {"Instances": "one"}}
    alarm = {"source": "aws:cloudwatch:alarm", "value": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors"}
    made = aws.client("fis").create_experiment_template(
        clientToken=name,
        description=name,
        roleArn=ROLE,
        stopConditions=[alarm],
        targets={"one": chosen},
        actions={"stop": {**stop, "parameters": {"startInstancesAfterDuration": "PT2M"}}},
    )
    return {"template": made["experimentTemplate"]["id"], "settle_s": 5}


ARRANGED: dict[str, Callable[[AwsAccount, str], Fields]] = {
    "cloud.asg.suspend": group,
    "cloud.asg.zone": group,
    "cloud.dynamodb.throttle": table,
    "cloud.ec2.stop": lambda aws, name: {"ids": [instance(aws, name)]},
    "cloud.ec2.reboot": lambda aws, name: {"ids": [instance(aws, name)], "settle_s": 0.5},
    "cloud.ec2.terminate": lambda aws, name: {"ids": [instance(aws, name, **{"chaosday-scratch": "true"})]},
    "cloud.ecs.stop_task": task,
    "cloud.eks.nodegroup": nodes,
    "cloud.elb.deregister": backends,
    "cloud.events.disable": rule,
    "cloud.fis": template,
    "cloud.iam.deny": lambda aws, name: {"ids": [principal(aws, name)]},
    "cloud.kinesis.shards": stream,
    "cloud.kms.disable": key,
    "cloud.lambda.concurrency": lambda aws, name: {"ids": [function(aws, name)]},
    "cloud.lambda.trigger": trigger,
    "cloud.rds.failover": aurora,
    "cloud.rds.reboot": database,
    "cloud.route53.answer": zone,
    "cloud.s3.bucket_deny": bucket,
    "cloud.sns.deny": topic,
    "cloud.sqs.deny": queue,
    "cloud.vpc.blackhole": lone_subnet,
    "cloud.vpc.security_group": firewall,
}
# moto does the reboot and shows nothing of it: what must come out is that no bite could be measured.
UNSEEN = {"cloud.ec2.reboot", "cloud.rds.reboot"}
