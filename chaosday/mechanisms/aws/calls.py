"""A call of an AWS API as data: what we would do, or what undoes it, by whoever runs it."""

from __future__ import annotations

import re
from typing import Any

from chaosday.mechanisms.aws.session import Access, explained
from chaosday.model.base import Model


class Call(Model):
    """One API call. ``done_if`` names errors that mean that there is nothing left to do.

    ``service`` and ``operation`` are boto3's (``ec2``, ``start_instances``), ``parameters`` the API's.
    """

    service: str
    operation: str
    parameters: dict[str, Any] = {}
    done_if: list[str] = []

    def run(self, access: Access) -> dict[str, Any]:
        """Make the call; an error in our words unless it is one of ``done_if``."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            answer: dict[str, Any] = getattr(access.client(self.service), self.operation)(**self.parameters)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in self.done_if:
                return {}
            raise explained(error, self.words) or error from None
        except (BotoCoreError, ResponseParserError) as error:
            raise explained(error, self.words) or error from None
        return answer

    @property
    def words(self) -> str:
        """The call in short, for a plan or an error."""
        return f"{self.service}:{api_name(self.operation)}"

    def schedule_target(self, access: Access) -> tuple[str, dict[str, Any]]:
        """The universal target of EventBridge Scheduler for this call: its ARN and its input.

        https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html: the
        operation in camel case, the parameters' names in Pascal case whatever the service writes.
        """
        client = access.client(self.service)
        shape = client.meta.service_model.operation_model(api_name(self.operation, client)).input_shape
        camel = api_name(self.operation, client)
        arn = f"arn:aws:scheduler:::aws-sdk:{SDK_NAMES.get(self.service, self.service)}:{camel[0].lower()}{camel[1:]}"
        return arn, _pascal(self.parameters, shape)


# Where the SDK that Scheduler uses calls a service otherwise than boto3 does.
SDK_NAMES = {"elbv2": "elasticloadbalancingv2", "events": "eventbridge"}


def api_name(operation: str, client: Any = None) -> str:
    """``start_instances`` -> ``StartInstances``; with a client its own spelling (``DescribeDBInstances``)."""
    if client is not None:
        return str(client.meta.method_to_api_mapping[operation])
    return re.sub(r"(?:^|_)([a-z0-9])", lambda found: found.group(1).upper(), operation)


def _pascal(value: Any, shape: Any) -> Any:
    """Member names of structures with a capital first letter; keys of maps are data and stay."""
    kind = getattr(shape, "type_name", "")
    if kind == "structure" and isinstance(value, dict):
        return {name[0].upper() + name[1:]: _pascal(item, shape.members.get(name)) for name, item in value.items()}
    if kind == "list" and isinstance(value, list):
        return [_pascal(item, shape.member) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {name: _pascal(item, shape.value) for name, item in value.items()}
    return value
