"""Functions that may not run."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource


class LambdaConcurrency(AccountFault):
    """Sets the reserved concurrency of functions (0: every invocation is throttled), and what it was before."""

    kind: Literal["cloud.lambda.concurrency"] = "cloud.lambda.concurrency"
    what: ClassVar[str] = "function"
    concurrency: int = Field(default=0, ge=0)

    def found(self, aws: Aws) -> list[Resource]:
        client = aws.client("lambda")
        return [
            Resource(
                kind="lambda",
                id=one["FunctionName"],
                arn=one["FunctionArn"],
                tag_id=one["FunctionArn"],
                tags=client.list_tags(Resource=one["FunctionArn"]).get("Tags", {}),
            )
            for one in every(aws, "lambda", "list_functions", "Functions")
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._put(one.id, self.concurrency) for one in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        before = self.state(aws, resources)
        return [
            Call(service="lambda", operation="delete_function_concurrency", parameters={"FunctionName": name})
            if was is None
            else self._put(name, was)
            for name, was in before.items()
        ]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        client = aws.client("lambda")
        found = {one.id: client.get_function_concurrency(FunctionName=one.id) for one in resources}
        return {name: said.get("ReservedConcurrentExecutions") for name, said in found.items()}

    def hurt(self, before: Any, now: Any) -> bool:
        return bool(now == self.concurrency)

    def _put(self, name: str, limit: int) -> Call:
        named = {"FunctionName": name, "ReservedConcurrentExecutions": limit}
        return Call(service="lambda", operation="put_function_concurrency", parameters=named)
