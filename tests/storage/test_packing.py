"""Packed documents: what comes out is what went in, and what was packed once can be read for ever."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.store import DOCUMENT_BYTES_MAX
from chalicelib.services.kinds import PAYMENT
from chalicelib.storage.packing import NEWEST, UnknownCodec, dictionary, pack, unpack
from tests.builders import payment

# Of every dictionary that was ever used. A line is added for a new one; none is ever changed.
KNOWN = {1: "93c03c8f9dbc25fb40ec2085750a24f3b97ed4409e322757cbb25819b8129214"}


@pytest.mark.parametrize("number", range(1, NEWEST + 1))
def test_a_dictionary_that_was_used_never_changes(number: int) -> None:
    assert hashlib.sha256(dictionary(number)).hexdigest() == KNOWN[number]


@given(st.binary(max_size=4_000))
def test_anything_comes_out_as_it_went_in(document: bytes) -> None:
    packed = pack(document)
    assert unpack(packed) == document
    assert len(packed) <= len(document) + 1


def test_a_payment_takes_half_of_what_it_takes_without_the_dictionary() -> None:
    document = PAYMENT.encode(payment())
    assert len(pack(document)) < len(zlib.compress(document)) / 2
    assert unpack(pack(document)) == document


@pytest.mark.parametrize("number", range(1, NEWEST + 1))
def test_what_was_packed_with_any_dictionary_is_read(number: int) -> None:
    squeezing = zlib.compressobj(zdict=dictionary(number))
    packed = bytes((1 + number,)) + squeezing.compress(b"a document") + squeezing.flush()
    assert unpack(packed) == b"a document"


def test_what_was_packed_without_a_dictionary_is_read() -> None:
    assert unpack(b"\1" + zlib.compress(b"a document")) == b"a document"


def test_a_codec_of_a_newer_paymentserver_is_told_from_damage() -> None:
    with pytest.raises(UnknownCodec):
        unpack(bytes((2 + NEWEST,)) + b"whatever")


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_byte_that_changed_is_noticed(position: int, change: int) -> None:
    packed = bytearray(pack(PAYMENT.encode(payment())))
    packed[1 + position % (len(packed) - 1)] ^= change
    with pytest.raises(ValueError):
        unpack(bytes(packed))


@pytest.mark.parametrize("length", [0, 1, 2, 20, -1])
def test_what_was_cut_off_is_noticed(length: int) -> None:
    with pytest.raises(ValueError):
        unpack(pack(PAYMENT.encode(payment()))[:length])


def test_more_than_a_document_is_not_unpacked() -> None:
    with pytest.raises(ValueError):
        unpack(b"\1" + zlib.compress(bytes(DOCUMENT_BYTES_MAX + 1)))
