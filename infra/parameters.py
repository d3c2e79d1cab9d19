"""What an operator decides when deploying. docs/deploy.md explains each; a test holds the two together."""

from __future__ import annotations

from infra.cloudformation import Json, is_set, ref

PARAMETERS: dict[str, Json] = {
    "CodeBucket": {"Type": "String", "Description": "The S3 bucket that the deployment package was uploaded to."},
    "CodeKey": {"Type": "String", "Description": "The deployment package's key in that bucket."},
    "TablePrefix": {
        "Type": "String",
        "AllowedPattern": "[A-Za-z0-9_.-]{1,200}",
        "Description": "What the names of the tables in use begin with: the stack's name, or the prefix restored to.",
    },
    "Issuer": {
        "Type": "String",
        "AllowedPattern": "https?://.+",
        "Description": "The OpenID Connect issuer whose access tokens are accepted.",
    },
    "Audience": {"Type": "String", "Default": "paymentserver", "Description": "The aud an access token must name."},
    "TokenTypes": {
        "Type": "String",
        "Default": '["at+jwt"]',
        "Description": 'Accepted typ headers of access tokens, as a JSON list; many issuers send "JWT".',
    },
    "MerchantClaim": {
        "Type": "String",
        "Default": "merchant_id",
        "Description": "The claim that names the merchant account.",
    },
    "DefaultMerchant": {
        "Type": "String",
        "Default": "",
        "Description": "The merchant account of tokens without that claim; empty refuses them.",
    },
    "PublicUrl": {
        "Type": "String",
        "Default": "",
        "Description": "Where merchants reach the API, if not at API Gateway's own address.",
    },
    "InternetUrl": {
        "Type": "String",
        "Default": "",
        "Description": "Where PSPs and shoppers reach the webhook function, if not at its function URL.",
    },
    "AllowedTargets": {
        "Type": "String",
        "Default": "[]",
        "Description": "Private networks that webhook subscriptions may point at, as a JSON list of CIDR blocks.",
    },
    "SubscriberRoleArns": {
        "Type": "String",
        "Default": "",
        "Description": "Roles that SQS subscriptions may name as role_arn, with commas between.",
    },
    "LogLevel": {
        "Type": "String",
        "Default": "INFO",
        "AllowedValues": ["DEBUG", "INFO", "WARNING", "ERROR"],
        "Description": "The lowest level logged.",
    },
    "Shards": {
        "Type": "Number",
        "Default": 8,
        "MinValue": 1,
        "MaxValue": 128,
        "Description": "Partitions that busy indexes are spread over. Raise it; never lower it.",
    },
    "ApiAccess": {
        "Type": "String",
        "Default": "REGIONAL",
        "AllowedValues": ["REGIONAL", "PRIVATE"],
        "Description": "REGIONAL is reachable from the Internet, PRIVATE through the VPC endpoints named below alone.",
    },
    "VpcEndpointIds": {
        "Type": "CommaDelimitedList",
        "Default": "",
        "Description": "The execute-api VPC endpoints of a PRIVATE API.",
    },
    "WebAclArn": {
        "Type": "String",
        "Default": "",
        "Description": "A regional AWS WAF web ACL to put in front of the API; empty for none.",
    },
    "AlarmTopicArn": {
        "Type": "String",
        "Default": "",
        "Description": "The SNS topic that alarms are sent to; empty for none.",
    },
    "ReserveConcurrency": {
        "Type": "String",
        "Default": "yes",
        "AllowedValues": ["yes", "no"],
        "Description": "no in an account whose quota of concurrent executions is still below 1,000.",
    },
}

CONDITIONS: dict[str, Json] = {
    "HasDefaultMerchant": is_set("DefaultMerchant"),
    "HasPublicUrl": is_set("PublicUrl"),
    "HasInternetUrl": is_set("InternetUrl"),
    "HasWebAcl": is_set("WebAclArn"),
    "HasAlarmTopic": is_set("AlarmTopicArn"),
    "HasSubscriberRoles": is_set("SubscriberRoleArns"),
    "IsPrivate": {"Fn::Equals": [ref("ApiAccess"), "PRIVATE"]},
    "ReservesConcurrency": {"Fn::Equals": [ref("ReserveConcurrency"), "yes"]},
}
