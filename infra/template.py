"""The merge template: what Chalice's own template lacks. Chalice merges dictionaries and replaces everything else."""

from __future__ import annotations

from infra import alarms, api, dashboard, functions, keys, log_metrics, parameters, queues, tables
from infra.cloudformation import Json
from infra.functions import PUBLIC_URL
from infra.stages import stage_of

DESCRIPTION = "PaymentServer: a payments API in front of Payment Service Providers."


def merge_template(stage_name: str) -> Json:
    """Raises KeyError for a stage that `.chalice/config.json` does not have."""
    stage = stage_of(stage_name)
    return {
        "Description": DESCRIPTION,
        "Parameters": parameters.PARAMETERS,
        "Conditions": parameters.CONDITIONS,
        "Resources": {
            **tables.tables(),
            **queues.queues(stage),
            **keys.keys(),
            **functions.functions(stage),
            **api.api(),
            **log_metrics.log_metrics(),
            **alarms.resources(stage),
            **dashboard.dashboard(),
        },
        "Outputs": {
            "ApiUrl": {"Description": "Where merchants call the API.", "Value": PUBLIC_URL},
            "WebhookUrl": {
                "Description": "What a PSP's webhook address begins with; /webhooks/MERCHANT/CONNECTION follows.",
                "Value": functions.INTERNET_URL,
            },
        },
    }
