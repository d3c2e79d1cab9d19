"""API Gateway: its own errors as problem documents, who may reach a private API, the firewall before it."""

from __future__ import annotations

import json

from chalicelib.api.problem import CONTENT_TYPE, TITLE_OF
from infra.cloudformation import Json, ref, sub, when
from infra.names import STAGE

_REPEAT = "Repeat the call with the same Idempotency-Key: it takes up what was begun."
_LATER = "The request was not begun. Repeat it a little later with the same Idempotency-Key."
_UNREADABLE = "API Gateway can not read the request."
_FAULT = f"API Gateway could not serve the request. {_REPEAT}"

# What API Gateway answers by itself: status, the problem's slug, and the detail. It calls an unknown path a missing token.
RESPONSES: dict[str, tuple[int, str, str]] = {
    "MISSING_AUTHENTICATION_TOKEN": (404, "not-found", "No operation has this path and method."),
    "RESOURCE_NOT_FOUND": (404, "not-found", "No operation has this path and method."),
    "ACCESS_DENIED": (403, "forbidden", "This API is not reachable from where you call."),
    "WAF_FILTERED": (403, "forbidden", "The firewall before the API refused the request."),
    "BAD_REQUEST_BODY": (400, "unreadable", _UNREADABLE),
    "BAD_REQUEST_PARAMETERS": (400, "unreadable", _UNREADABLE),
    "REQUEST_TOO_LARGE": (413, "too-large", "The request is larger than API Gateway takes."),
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported-media-type", "Send application/json."),
    "THROTTLED": (429, "too-many-requests", _LATER),
    "QUOTA_EXCEEDED": (429, "too-many-requests", _LATER),
    "INTEGRATION_TIMEOUT": (504, "no-answer-in-time", _REPEAT),
    "INTEGRATION_FAILURE": (504, "no-answer-in-time", _REPEAT),
    "API_CONFIGURATION_ERROR": (500, "internal-error", _FAULT),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, "internal-error", _FAULT),
    "AUTHORIZER_FAILURE": (500, "internal-error", _FAULT),
    "DEFAULT_5XX": (500, "internal-error", _FAULT),
    # Credentials of AWS that nobody asked for: signatures and tokens that API Gateway stumbles over before we see the call.
    "EXPIRED_TOKEN": (401, "unauthenticated", "Send a bearer token of the configured issuer."),
    "INVALID_API_KEY": (401, "unauthenticated", "Send a bearer token of the configured issuer."),
    "INVALID_SIGNATURE": (401, "unauthenticated", "Send a bearer token of the configured issuer."),
    "UNAUTHORIZED": (401, "unauthenticated", "Send a bearer token of the configured issuer."),
    "DEFAULT_4XX": (400, "unreadable", _UNREADABLE),
}

# The API can not name its own id, but each of its answers can.
_HERE = when("HasPublicUrl", ref("PublicUrl"), f"https://$context.domainName/{STAGE}")


def api() -> dict[str, Json]:
    """Resources to merge with Chalice's `RestAPI`."""
    return {
        "RestAPI": {
            "Properties": {
                "Name": ref("AWS::StackName"),
                "OpenApiVersion": "2.0",  # without it SAM makes a second stage, called Stage
                "TracingEnabled": True,
                "EndpointConfiguration": {
                    "Type": ref("ApiAccess"),
                    "VPCEndpointIds": when("IsPrivate", ref("VpcEndpointIds")),
                },
                "DefinitionBody": {
                    "x-amazon-apigateway-gateway-responses": {
                        name: _response(*answer) for name, answer in RESPONSES.items()
                    },
                    "x-amazon-apigateway-policy": when("IsPrivate", _only_endpoints()),
                },
            }
        },
        "WebAclAssociation": {
            "Type": "AWS::WAFv2::WebACLAssociation",
            "Condition": "HasWebAcl",
            "DependsOn": f"RestAPI{STAGE}Stage",
            "Properties": {
                "ResourceArn": sub(
                    "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${RestAPI}/stages/" + STAGE
                ),
                "WebACLArn": ref("WebAclArn"),
            },
        },
    }


def _response(status: int, slug: str, detail: str) -> Json:
    document = {
        "type": "${Here}/problems/" + slug,
        "title": TITLE_OF[slug],
        "status": status,
        "detail": detail,
        "instance": "$context.path",
        "request_id": "$context.requestId",
    }
    return {
        "statusCode": status,
        "responseParameters": {
            "gatewayresponse.header.Content-Type": f"'{CONTENT_TYPE}'",
            "gatewayresponse.header.Cache-Control": "'no-store'",
            "gatewayresponse.header.X-Request-Id": "context.requestId",
        },
        "responseTemplates": {"application/json": sub(json.dumps(document, ensure_ascii=False), Here=_HERE)},
    }


def _only_endpoints() -> Json:
    """Who may call a private API: callers that come through the named endpoints, whoever they are. Tokens decide the rest."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ThroughOurEndpoints",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "execute-api:Invoke",
                "Resource": "execute-api:/*",
                "Condition": {"StringEquals": {"aws:SourceVpce": ref("VpcEndpointIds")}},
            }
        ],
    }
