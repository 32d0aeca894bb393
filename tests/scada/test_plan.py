"""The request plan: nothing split, nothing too long, and as few requests as possible."""

import itertools
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.errors import PlanError
from scada.plan import plan
from scada.tag import Tag

KINDS = {1: "uint16", 2: "float32", 4: "float64", 5: "string10"}


@st.composite
def register_maps(draw: st.DrawFn) -> list[Tag]:
    tags: list[Tag] = []
    address = 0
    for number in range(draw(st.integers(1, 14))):
        address += draw(st.integers(0, 5))
        length = draw(st.sampled_from(sorted(KINDS)))
        tags.append(Tag(f"t{number}", "d", "input", address, KINDS[length]))
        address += length
    return draw(st.permutations(tags))


def fewest(tags: list[Tag], limit: int, gap: int) -> int:
    """Try every way to cut the sorted tags into blocks."""
    spans = sorted((tag.address, tag.address + tag.registers) for tag in tags)

    def is_block(first: int, last: int) -> bool:
        part = spans[first:last]
        gaps = [after[0] - before[1] for before, after in itertools.pairwise(part)]
        return part[-1][1] - part[0][0] <= limit and all(hole <= gap for hole in gaps)

    @cache
    def best(first: int) -> int:
        if first == len(spans):
            return 0
        return 1 + min(best(last) for last in range(first + 1, len(spans) + 1) if is_block(first, last))

    return best(0)


@given(tags=register_maps(), limit=st.integers(5, 20), gap=st.integers(0, 4))
def test_plan_is_whole_and_shortest(tags: list[Tag], limit: int, gap: int) -> None:
    requests = plan(tags, max_registers=limit, max_gap=gap)
    assert sorted(tag.name for request in requests for tag in request.tags) == sorted(tag.name for tag in tags)
    for request in requests:
        assert 1 <= request.count <= limit
        for tag in request.tags:
            assert request.start <= tag.address
            assert tag.address + tag.registers <= request.start + request.count
    assert len(requests) == fewest(tags, limit, gap)


def test_device_table_and_interval_are_kept_apart() -> None:
    tags = [
        Tag("a", "d1", "input", 0, "uint16"),
        Tag("b", "d1", "input", 1, "uint16", interval_s=1.0),
        Tag("c", "d1", "holding", 1, "uint16"),
        Tag("d", "d2", "input", 1, "uint16"),
        Tag("e", "d1", "input", 2, "uint16"),
    ]
    requests = plan(tags)
    assert [[tag.name for tag in request.tags] for request in requests] == [["c"], ["b"], ["a", "e"], ["d"]]
    assert requests[2].count == 3


def test_bits_have_their_own_limit() -> None:
    tags = [Tag(f"b{i}", "d", "coil", i, "bool") for i in range(2500)]
    assert [request.count for request in plan(tags, max_registers=10)] == [2000, 500]


def test_bits_of_one_register_travel_once() -> None:
    tags = [Tag(f"b{i}", "d", "holding", 7, "bit", bit=i) for i in range(16)]
    (request,) = plan(tags)
    assert (request.start, request.count, len(request.tags)) == (7, 1, 16)


def test_tag_longer_than_the_device_allows_is_refused() -> None:
    with pytest.raises(PlanError, match="takes 4 registers"):
        plan([Tag("a", "d", "input", 0, "float64")], max_registers=3)
