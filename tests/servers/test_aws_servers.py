"""The AWS stand-ins are there, and are what tests believe them to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.config import Config
from botocore.session import Session

from tests.servers.dynamodb_local import dynamodb_local
from tests.servers.ministack import CREDENTIALS, ministack


@pytest.mark.parametrize("server", [dynamodb_local, ministack])
def test_a_conditional_put_is_refused_where_the_item_is_there(server: object, tmp_path: Path) -> None:
    with server(tmp_path) as endpoint:  # type: ignore[operator]
        client = Session().create_client(
            "dynamodb",
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            endpoint_url=endpoint,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.create_table(
            TableName="notes",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        put = {"TableName": "notes", "Item": {"id": {"S": "a"}}, "ConditionExpression": "attribute_not_exists(id)"}
        client.put_item(**put)
        with pytest.raises(client.exceptions.ConditionalCheckFailedException):
            client.put_item(**put)
