"""The codec against struct, for every type and order."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.blockdecoder import BlockDecoder
from scada.codec import NUMBER_FORMATS, ORDERS, decode, encode, is_type, pattern_value, register_count
from scada.errors import CodecError
from scada.tag import Tag

KINDS = sorted(NUMBER_FORMATS)


def naive_wire(data: bytes, order: str) -> list[int]:
    """Words of a big-endian value as the order's letters say, written out by hand for each length."""
    a_to_h = list(data)
    if len(data) == 2:
        picks = {"ABCD": [0, 1], "CDAB": [0, 1], "BADC": [1, 0], "DCBA": [1, 0]}
    elif len(data) == 4:
        picks = {"ABCD": [0, 1, 2, 3], "CDAB": [2, 3, 0, 1], "BADC": [1, 0, 3, 2], "DCBA": [3, 2, 1, 0]}
    else:
        picks = {
            "ABCD": [0, 1, 2, 3, 4, 5, 6, 7],
            "CDAB": [6, 7, 4, 5, 2, 3, 0, 1],
            "BADC": [1, 0, 3, 2, 5, 4, 7, 6],
            "DCBA": [7, 6, 5, 4, 3, 2, 1, 0],
        }
    wire = [a_to_h[pick] for pick in picks[order]]
    return [wire[i] * 256 + wire[i + 1] for i in range(0, len(wire), 2)]


def raw_values(kind: str) -> st.SearchStrategy[int | float]:
    if kind.startswith("float"):
        return st.floats(width=32 if kind == "float32" else 64, allow_nan=False)
    info = np.iinfo(kind)
    return st.integers(int(info.min), int(info.max))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_number_agrees_with_struct(kind: str, order: str, data: st.DataObject) -> None:
    value = data.draw(raw_values(kind))
    words = encode(value, kind, order)
    assert words == naive_wire(struct.pack(">" + NUMBER_FORMATS[kind][0], value), order)
    assert decode(words, kind, order) == value
    assert len(words) == register_count(kind)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_nan_and_infinity_survive(kind: str, order: str) -> None:
    back = decode(encode(math.nan, kind, order), kind, order)
    assert isinstance(back, float)
    assert math.isnan(back)
    assert decode(encode(-math.inf, kind, order), kind, order) == -math.inf


@pytest.mark.parametrize("order", ORDERS)
@given(words=st.lists(st.integers(0, 65535), min_size=2, max_size=2))
def test_any_two_registers_come_back_as_they_were(order: str, words: list[int]) -> None:
    for kind in ("int32", "uint32"):
        assert encode(decode(words, kind, order), kind, order) == words


@pytest.mark.parametrize("order", ORDERS)
@given(text=st.text(st.characters(max_codepoint=255, exclude_characters="\0"), max_size=9))
def test_string_comes_back(order: str, text: str) -> None:
    words = encode(text, "string9", order)
    assert len(words) == 5
    assert decode(words, "string9", order) == text


def test_string_bytes_lie_as_written() -> None:
    assert encode("AB", "string4") == [0x4142, 0]
    assert encode("AB", "string4", "BADC") == [0x4241, 0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bit", range(16))
def test_bit_is_that_of_the_word(order: str, bit: int) -> None:
    word = encode(1 << bit, "uint16", order)
    assert encode(True, "bit", order, bit) == word
    assert [decode(word, "bit", order, other) for other in range(16)] == [other == bit for other in range(16)]


@pytest.mark.parametrize(
    ("value", "kind"),
    [(65536, "uint16"), (-1, "uint16"), (2**63, "int64"), (0.5, "int16"), (1e39, "float32"), ("a", "int16")],
)
def test_value_that_does_not_fit_is_refused(value: int | float | str, kind: str) -> None:
    with pytest.raises(CodecError, match=kind):
        encode(value, kind)


@pytest.mark.parametrize(
    ("words", "kind", "order", "bit"),
    [
        ([1], "float32", "ABCD", 0),
        ([70000], "uint16", "ABCD", 0),
        ([1], "uint16", "ACBD", 0),
        ([1], "bit", "ABCD", 16),
        ([1], "int24", "ABCD", 0),
        ([1], "string0", "ABCD", 0),
    ],
)
def test_registers_that_make_no_value_are_refused(words: list[int], kind: str, order: str, bit: int) -> None:
    with pytest.raises(CodecError):
        decode(words, kind, order, bit)


def test_text_that_does_not_fit_is_refused() -> None:
    for text in ("abcde", "є"):
        with pytest.raises(CodecError):
            encode(text, "string4")


def test_types_are_known_by_name() -> None:
    assert all(is_type(kind) for kind in [*KINDS, "bool", "bit", "string1", "string250"])
    assert not any(is_type(kind) for kind in ["string", "string0", "string251", "String4", "float16", ""])


def test_pattern_is_read_in_the_type() -> None:
    assert pattern_value(0x8000, "int16") == -32768
    assert pattern_value(0x8000, "uint16") == 32768
    assert math.isnan(pattern_value(0x7FC00000, "float32"))
    with pytest.raises(CodecError, match="more bits"):
        pattern_value(0x10000, "int16")
    with pytest.raises(CodecError, match="pattern"):
        pattern_value(1, "bool")


@st.composite
def register_maps(draw: st.DrawFn) -> tuple[list[Tag], np.ndarray]:
    kinds = draw(st.lists(st.sampled_from([*KINDS, "bool", "bit", "string3"]), min_size=1, max_size=12))
    tags: list[Tag] = []
    address = start = draw(st.integers(0, 60000))
    for number, kind in enumerate(kinds):
        address += draw(st.integers(0, 3))
        order = draw(st.sampled_from(ORDERS))
        scale = draw(st.sampled_from([1.0, 0.1, -2.0]))
        offset = draw(st.sampled_from([0.0, 5.0]))
        bit = draw(st.integers(0, 15))
        tags.append(Tag(f"t{number}", "d", "holding", address, kind, order, bit, scale, offset))
        address += tags[-1].registers
    block = draw(st.lists(st.integers(0, 65535), min_size=address - start, max_size=address - start))
    start_tag = Tag("first", "d", "holding", start, "uint16")
    return [start_tag, *tags] if tags[0].address > start else tags, np.array(block, dtype=np.uint16)


@given(drawn=register_maps())
def test_block_agrees_with_single_values(drawn: tuple[list[Tag], np.ndarray]) -> None:
    tags, block = drawn
    start = tags[0].address
    decoder = BlockDecoder(tags, start)
    values = decoder.decode(block)
    inexact = decoder.read(block).inexact
    told = set() if inexact is None else set(inexact.tolist())
    for position, tag in enumerate(tags):
        raw = decode(block[tag.address - start :][: tag.registers].tolist(), tag.type, tag.order, tag.bit)
        assert (position in told) == (type(raw) is int and int(float(raw)) != raw)
    for tag, value in zip(tags, values, strict=True):
        words = block[tag.address - start :][: tag.registers].tolist()
        raw = decode(words, tag.type, tag.order, tag.bit)
        expected = math.nan if isinstance(raw, str) else float(raw) * tag.scale + tag.offset
        np.testing.assert_equal(value, expected)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(data=st.data())
def test_block_of_one_type_agrees_with_struct(kind: str, order: str, data: st.DataObject) -> None:
    """Any bit pattern, NaN payloads and all, against struct by way of the order's letters."""
    count = register_count(kind)
    patterns = data.draw(st.lists(st.binary(min_size=2 * count, max_size=2 * count), min_size=1, max_size=6))
    tags = [Tag(f"t{k}", "d", "input", k * count, kind, order) for k in range(len(patterns))]
    block = np.array([word for pattern in patterns for word in naive_wire(pattern, order)], dtype=np.uint16)
    wanted = [float(struct.unpack(">" + NUMBER_FORMATS[kind][0], pattern)[0]) for pattern in patterns]
    np.testing.assert_array_equal(BlockDecoder(tags, 0).raw(block), wanted)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bit", range(16))
@settings(max_examples=20)
@given(word=st.integers(0, 65535))
def test_block_of_bits_agrees_with_arithmetic(order: str, bit: int, word: int) -> None:
    tag = Tag("t", "d", "input", 0, "bit", order, bit)
    seen = word if order in {"ABCD", "CDAB"} else word >> 8 | (word & 0xFF) << 8
    assert BlockDecoder([tag], 0).raw(np.array([word], dtype=np.uint16)).tolist() == [float(seen >> bit & 1)]


@pytest.mark.parametrize(
    ("value", "is_exact"),
    [(2**53, True), (2**53 + 1, False), (-(2**53) - 1, False), (2**63 - 1, False), (-(2**63), True), (3 * 2**60, True)],
)
def test_rounded_integer_is_told(value: int, is_exact: bool) -> None:
    for order in ORDERS:
        raw = BlockDecoder([Tag("t", "d", "input", 0, "int64", order)], 0).read(
            np.array(encode(value, "int64", order), dtype=np.uint16)
        )
        assert raw.values[0] == float(value)
        assert (raw.inexact is None) == is_exact


def test_block_does_not_reach_before_its_start() -> None:
    with pytest.raises(CodecError, match="before the block"):
        BlockDecoder([Tag("t", "d", "holding", 3, "uint16")], 4)


def test_nonsense_from_the_wire_does_not_warn() -> None:
    tags = [Tag("signalling", "d", "input", 0, "float32"), Tag("huge", "d", "input", 2, "float64", scale=10.0)]
    values = BlockDecoder(tags, 0).decode(np.array([0x7F80, 1, 0x7FEF, 0xFFFF, 0xFFFF, 0xFFFF], dtype=np.uint16))
    assert math.isnan(values[0])
    assert math.isinf(values[1])
