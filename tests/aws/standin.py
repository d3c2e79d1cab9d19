"""The expanded stack on ministack, an AWS stand-in on this machine, with each call checked against the caller's role.

What ministack can not do, and what is done about it here and never in the product's template (`adapted`):

    alarms that add metrics up       left out; cfn-lint has checked them
    conditions on a KMS encryption   taken off the policies, since it knows no such condition keys; tests/infra holds
    context                          them to what the vault sends
    a thousand functions at a time   two batches of a queue at a time, since all start on this machine's few processors
    gateway responses inside the     made as resources of their own, which it knows
    API's definition
    web ACL associations             not deployed, as WebAclArn is empty
    AWS' own addresses               the API and the function URL are called by path on loopback
    schedules                        fire each minute as on AWS; the tests call the functions sooner
    sqs:SendMessage for a batch      granted as sqs:SendMessageBatch too, which no policy of AWS knows
    aws:PrincipalArn of a function   is its session there and its role on AWS; key policies are told both
    X-Ray, log retention, recovery   accepted, and without effect
    to a point in time

`PAYMENTSERVER_ENV=development` is set besides, because the PSPs and the shop are on loopback.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from infra.names import FUNCTIONS
from tests.aws.packages import Package
from tests.aws.recorder import Recorder, recording
from tests.servers.ministack import CREDENTIALS, ministack

NAME = "payments"
DEPLOYED_WITHIN_S = 60.0
BUCKET = "packages"


@dataclass
class Deployed:
    """A stack that came up. `recorders` tell by function what was called."""

    endpoint: str
    outputs: Mapping[str, str]
    recorders: Mapping[str, Recorder]
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"{self.endpoint}/_aws/execute-api/{self.outputs['RestAPIId']}/api"

    @property
    def webhooks(self) -> str:
        host = self.outputs["WebhookUrl"].removeprefix("https://")
        return f"{self.endpoint}/_aws/lambda-url/{host.partition('.')[0]}"

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = client(self.endpoint, service)
        return self._clients[service]

    def call(self, function: str, event: object) -> Any:
        """Calls a function as a schedule would. Raises AssertionError with what it raised."""
        answer = self.client("lambda").invoke(FunctionName=f"{NAME}-{function}", Payload=json.dumps(event))
        told = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, told
        return json.loads(told or "null")


def client(endpoint: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


def adapted(stack: dict[str, Any], urls: Mapping[str, str]) -> dict[str, Any]:
    """`urls` gives by function where it finds AWS."""
    stack = copy.deepcopy(stack)
    resources = stack["Resources"]
    for name in [name for name, one in resources.items() if "Metrics" in one["Properties"]]:
        del resources[name]
    for role in (one for one in resources.values() if one["Type"] == "AWS::IAM::Role"):
        for policy in role["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if "sqs:SendMessage" in statement.get("Action", ()):
                    statement["Action"].append("sqs:SendMessageBatch")
                if any(key.startswith("kms:") for test in statement.get("Condition", {}).values() for key in test):
                    del statement["Condition"]
    for key in (one for one in resources.values() if one["Type"] == "AWS::KMS::Key"):
        for statement in key["Properties"]["KeyPolicy"]["Statement"]:
            if "Condition" in statement:
                roles = statement["Condition"]["ArnLike"]["aws:PrincipalArn"]["Fn::Sub"]
                sessions = roles.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
                statement["Condition"]["ArnLike"]["aws:PrincipalArn"] = [{"Fn::Sub": roles}, {"Fn::Sub": sessions}]
    for source in (one for one in resources.values() if one["Type"] == "AWS::Lambda::EventSourceMapping"):
        source["Properties"]["ScalingConfig"] = {"MaximumConcurrency": 2}
    body = resources["RestAPI"]["Properties"]["Body"]
    for name, response in body["x-amazon-apigateway-gateway-responses"].items():
        resources[f"Response{name.replace('_', '')}"] = _response(name, response)
    for name, resource in FUNCTIONS.items():
        variables = resources[resource]["Properties"]["Environment"]["Variables"]
        variables.update({"PAYMENTSERVER_ENV": "development", "AWS_ENDPOINT_URL": urls[name]})
    return stack


def _response(name: str, response: dict[str, Any]) -> dict[str, Any]:
    properties = {
        "RestApiId": {"Ref": "RestAPI"},
        "ResponseType": name,
        "StatusCode": str(response["statusCode"]),
        "ResponseParameters": response["responseParameters"],
        "ResponseTemplates": response["responseTemplates"],
    }
    return {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": properties}


@contextmanager
def deployed(package: Package, folder: Path, parameters: Mapping[str, str]) -> Iterator[Deployed]:
    """`parameters` of the stack beside those that say where the package is. Raises AssertionError where it does not come up."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(ministack(folder, {"AUTH": "true"}))
        port = int(endpoint.rpartition(":")[2])
        recorders = {name: stack.enter_context(recording(name, port)) for name in FUNCTIONS}
        template = adapted(package.stack, {name: one.url for name, one in recorders.items()})
        storage = client(endpoint, "s3")
        region = {"LocationConstraint": CREDENTIALS["AWS_DEFAULT_REGION"]}
        storage.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=region)
        storage.upload_file(str(package.zipped), BUCKET, package.zipped.name)
        storage.put_object(Bucket=BUCKET, Key="stack.json", Body=json.dumps(template).encode())
        given = {"CodeBucket": BUCKET, "CodeKey": package.zipped.name, "TablePrefix": NAME, **parameters}
        yield Deployed(endpoint, _created(endpoint, given), recorders)


def _created(endpoint: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """The stack's outputs."""
    formation = client(endpoint, "cloudformation")
    formation.create_stack(
        StackName=NAME,
        TemplateURL=f"{endpoint}/{BUCKET}/stack.json",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    ends = time.monotonic() + DEPLOYED_WITHIN_S
    while (stack := formation.describe_stacks(StackName=NAME)["Stacks"][0])["StackStatus"] == "CREATE_IN_PROGRESS":
        assert time.monotonic() < ends, f"the stack is not up after {DEPLOYED_WITHIN_S:.0f} s"
        time.sleep(0.1)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        events = formation.describe_stack_events(StackName=NAME)["StackEvents"]
        failed = [
            f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason')}"
            for one in events
            if "FAILED" in one["ResourceStatus"]
        ]
        raise AssertionError(f"{stack['StackStatus']}: {failed}")
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
