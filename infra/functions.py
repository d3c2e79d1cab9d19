"""What the functions are given beyond what Chalice can say: settings, names, event sources, the function URL."""

from __future__ import annotations

from chalicelib.contracts.queue import Topic
from chalicelib.services.kinds import KINDS
from infra.cloudformation import Json, arn_of, ref, sub, when
from infra.cloudformation import attribute_of as attribute
from infra.names import CONSUMER_OF, FUNCTIONS, LOG_GROUPS, SCHEDULED, STAGE, function_name, queue_id, table_id
from infra.stages import Stage

PUBLIC_URL = when(
    "HasPublicUrl", ref("PublicUrl"), sub("https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/" + STAGE)
)

# Every PAYMENTSERVER_* setting of the functions; docs/deploy.md and chalicelib/settings.py say what they mean.
SETTINGS: Json = {
    "VAR": "/tmp",  # noqa: S108  # the one folder that a function may write; nothing of value goes there
    "DATABASE_URL": sub("dynamodb:${TablePrefix}"),
    "SHARDS": ref("Shards"),
    "QUEUE_URL": sub("https://sqs.${AWS::Region}.${AWS::URLSuffix}/${AWS::AccountId}/${AWS::StackName}"),
    "VAULT_KEY": arn_of("CredentialsKey"),
    "WEBHOOK_VAULT_KEY": arn_of("WebhookSecretsKey"),
    "LINK_KEY": arn_of("LinkKey"),
    "PUBLIC_URL": PUBLIC_URL,
    "ISSUER": ref("Issuer"),
    "AUDIENCE": ref("Audience"),
    "TOKEN_TYPES": ref("TokenTypes"),
    "MERCHANT_CLAIM": ref("MerchantClaim"),
    "DEFAULT_MERCHANT": when("HasDefaultMerchant", ref("DefaultMerchant")),
    "ALLOWED_TARGETS": ref("AllowedTargets"),
    "LOG_LEVEL": ref("LogLevel"),
}
LEAST_BATCHES = 2  # at a time of one queue, which is as few as Lambda takes; a new account runs 10 functions in all
# The webhook function is not told its own address, which would be a circle; it makes no links.
INTERNET_URL = when("HasInternetUrl", ref("InternetUrl"), attribute("WebhooksUrl", "FunctionUrl"))
# Functions know tables by name alone, so CloudFormation must be told: first the indexes that an update adds, then the code.
_TABLES = [table_id(kind.name) for kind in KINDS]


def functions(stage: Stage) -> dict[str, Json]:
    """Resources to merge with Chalice's: the functions and their log groups."""
    made: dict[str, Json] = {}
    for name, resource in FUNCTIONS.items():
        made[resource] = {"DependsOn": _TABLES, "Properties": _properties(stage, name)}
        made[LOG_GROUPS[name]] = {
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"LogGroupName": sub("/aws/lambda/" + function_name(name))},
        }
    for topic, name in CONSUMER_OF.items():
        made[FUNCTIONS[name]]["Properties"]["Events"] = _source(stage, topic, name)
    for (
        name
    ) in SCHEDULED:  # the next minute does what this one could not; a call that waited longer would be its double
        once = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
        made[FUNCTIONS[name]]["Properties"]["EventInvokeConfig"] = once
    made["Webhooks"]["Properties"]["FunctionUrlConfig"] = {"AuthType": "NONE", "InvokeMode": "BUFFERED"}
    return made


def _properties(stage: Stage, name: str) -> Json:
    settings = {f"PAYMENTSERVER_{setting}": value for setting, value in SETTINGS.items()}
    if name != "webhooks":
        settings["PAYMENTSERVER_INTERNET_URL"] = INTERNET_URL
    properties: Json = {
        "FunctionName": sub(function_name(name)),
        "CodeUri": {"Bucket": ref("CodeBucket"), "Key": ref("CodeKey")},
        "Environment": {"Variables": settings},
    }
    reserved = stage.reserved(name)
    if reserved is not None:
        properties["ReservedConcurrentExecutions"] = when("ReservesConcurrency", reserved)
    return properties


def _source(stage: Stage, topic: Topic, name: str) -> Json:
    """Lambda takes no more batches at a time than the function may run: a throttled batch would count as received."""
    source: Json = {
        "Queue": sub(
            "${" + queue_id(topic) + ".Arn}"
        ),  # in the words of what Chalice wrote, which this takes the place of
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    reserved = stage.reserved(name)
    if reserved is not None:
        most = when("ReservesConcurrency", max(reserved, LEAST_BATCHES), LEAST_BATCHES)
        source["ScalingConfig"] = {"MaximumConcurrency": most}
    return {f"{FUNCTIONS[name]}SqsEventSource": {"Properties": source}}
