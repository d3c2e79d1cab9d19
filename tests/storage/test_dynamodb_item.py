"""Items: what was packed can be read for ever, and places sort as they should."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.store import DOCUMENT_BYTES_MAX, KEY_BYTES_MAX
from chalicelib.domain.errors import StorageFault
from chalicelib.storage.dynamodb_item import (
    DEFLATED,
    DICTIONARY,
    PLAIN,
    document_in,
    packed,
    place_in,
    place_text,
    shard_of,
)

ONCE_PACKED = bytes.fromhex(
    "0178bb0e0e28c9435a269d9f959d686c525e9e5660925954625a9198549e9c939a03d91c887df934eeb60cc159c55a003ac32995"
)
AS_IT_WAS = (
    b'{"id":"pay_ojka34wwfp4irt5xabwclels","merchant_id":"default",'
    b'"status":"captured","amount":{"value":1050,"currency":"EUR"}}'
)
SHA256 = "4072724c994cc14dde77006e7548a2d8752233725f8386ba461b14192ff2f183"
keys = st.one_of(
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=20),
    st.sampled_from(["x" * KEY_BYTES_MAX, "x" * (KEY_BYTES_MAX - 1), "é" * (KEY_BYTES_MAX // 2)]),
)


def item(content: bytes) -> Any:
    return {"id": {"S": "n"}, "document": {"B": content}}


@given(st.binary(max_size=3000))
def test_documents_survive_packing(document: bytes) -> None:
    assert document_in(item(packed(document))) == document
    assert len(packed(document)) <= len(document) + 1


def test_what_was_packed_once_can_still_be_read() -> None:
    assert document_in(item(ONCE_PACKED)) == AS_IT_WAS


def test_the_dictionary_never_changes() -> None:
    assert hashlib.sha256(DICTIONARY.read_bytes()).hexdigest() == SHA256


def test_a_small_document_of_ours_shrinks_to_half() -> None:
    assert packed(AS_IT_WAS)[:1] == DEFLATED
    assert len(packed(AS_IT_WAS)) < len(AS_IT_WAS) * 0.5


def test_what_does_not_shrink_is_kept_as_it_is() -> None:
    assert packed(b"\x17") == PLAIN + b"\x17"


@pytest.mark.parametrize("content", [b"", b"\2new", DEFLATED + b"junk", ONCE_PACKED[:-1], ONCE_PACKED[:-6]])
def test_damage_and_newer_codecs_are_faults(content: bytes) -> None:
    with pytest.raises(StorageFault, match=r"damaged|newer"):
        document_in(item(content))


def test_the_largest_item_is_below_what_dynamodb_takes() -> None:
    """Ten indexes with the longest names and keys, beside a document that can not be compressed."""
    places = 10 * (255 + len("_partition") + 4 + KEY_BYTES_MAX + 255 + len("_place") + 2 * KEY_BYTES_MAX)
    assert DOCUMENT_BYTES_MAX + 1 + places + KEY_BYTES_MAX + 200 < 400 * 1024


@given(st.tuples(keys, keys.filter(bool)), st.tuples(keys, keys.filter(bool)))
def test_places_sort_as_sort_key_and_id_do(one: tuple[str, str], other: tuple[str, str]) -> None:
    texts = place_text(*one).encode(), place_text(*other).encode()
    assert (texts[0] < texts[1]) == (one < other)
    assert (texts[0] == texts[1]) == (one == other)
    assert max(map(len, texts)) <= 1024


@given(keys, keys.filter(bool))
def test_a_place_is_read_back(sort: str, id: str) -> None:
    place = place_in({"id": {"S": id}, "due_place": {"S": place_text(sort, id)}}, "due")
    assert (place.sort, place.id) == (sort, id)


def test_ids_fall_evenly_into_shards_and_always_into_the_same() -> None:
    counts = [0] * 8
    for number in range(8000):
        counts[shard_of(f"pay_{number}", 8)] += 1
    assert min(counts) > 900
    assert [shard_of("pay_ojka34wwfp4irt5xabwclels", shards) for shards in (1, 8, 16)] == [0, 5, 13]
