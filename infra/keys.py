"""The KMS keys: of API credentials and signing secrets, of PSPs' webhook secrets, and of return links.

The account may manage them, and only roles that are named like this stack's may use them, each as far as its own policy says.
Whoever manages them can not use them, nor grant it: an administrator who wants to open a secret must make such a role, or
change a function or a key's policy, each of which is on record.
"""

from __future__ import annotations

from infra.cloudformation import Json, ref, sub

MANAGEMENT = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReplicateKey",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
]

# Logical id: alias, description, what a role may do with it, further properties.
KEYS: dict[str, tuple[str, str, list[str], Json]] = {
    "CredentialsKey": (
        "credentials",
        "API credentials of PSPs and signing secrets of subscriptions",
        ["kms:Decrypt", "kms:GenerateDataKey"],
        {"EnableKeyRotation": True},
    ),
    "WebhookSecretsKey": (
        "webhook-secrets",
        "Secrets that PSPs sign their webhooks with",
        ["kms:Decrypt", "kms:GenerateDataKey"],
        {"EnableKeyRotation": True},
    ),
    "LinkKey": (
        "return-links",
        "Signs the links that shoppers return by and PSPs call; keys of this kind do not rotate",
        ["kms:GenerateMac"],
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    ),
}


def keys() -> dict[str, Json]:
    made: dict[str, Json] = {}
    for name, (alias, description, uses, properties) in KEYS.items():
        made[name] = {
            "Type": "AWS::KMS::Key",
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "Description": sub("${AWS::StackName}: " + description),
                "KeyPolicy": _policy(uses),
                "PendingWindowInDays": 30,
                **properties,
            },
        }
        made[f"{name}Alias"] = {
            "Type": "AWS::KMS::Alias",
            "Properties": {"AliasName": sub("alias/${AWS::StackName}-" + alias), "TargetKeyId": ref(name)},
        }
    return made


def _policy(uses: list[str]) -> Json:
    """Roles go by the beginning of their names: naming them would close a circle, since their policies name the keys."""
    account = {"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")}
    roles = sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AWS::StackName}-*")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Manage", "Effect": "Allow", "Principal": account, "Action": MANAGEMENT, "Resource": "*"},
            {
                "Sid": "Use",
                "Effect": "Allow",
                "Principal": account,
                "Action": uses,
                "Resource": "*",
                "Condition": {"ArnLike": {"aws:PrincipalArn": roles}},
            },
        ],
    }
