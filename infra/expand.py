"""SAM's template as plain CloudFormation: what AWS itself would make of it, made here, so that it can be read, checked and
deployed without the right to run macros."""

from __future__ import annotations

import copy
import logging
from typing import Any

from samtranslator.translator.transform import transform

from infra.cloudformation import Json


class NoManagedPolicies:
    """SAM asks for AWS' managed policies by name; no function here has one."""

    def load(self) -> dict[str, Any]:
        return {}


def expanded(sam: Json) -> Json:
    """Needs a region in AWS_DEFAULT_REGION and nothing else of AWS. Raises samtranslator's InvalidDocumentException."""
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    stack: Json = transform(copy.deepcopy(sam), {}, NoManagedPolicies())
    return stack
