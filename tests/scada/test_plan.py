"""The request plan: nothing split, nothing too long, and as few requests as possible."""

import asyncio
import random
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.clock import LockstepClock
from scada.device import DeviceSettings
from scada.errors import PlanError
from scada.plan import plan
from scada.reader import Reader
from scada.sample import Sample
from scada.tag import Tag
from scada.unit import Unit
from tests.scada.wire import Asked, own_addresses, refusal, serving

KINDS = {1: "uint16", 2: "float32", 4: "float64", 5: "string10"}
TABLES = ("input", "holding", "coil")


@st.composite
def register_maps(draw: st.DrawFn) -> list[Tag]:
    """Tags of several tables and intervals, side by side, with gaps, one inside the other, bits of one register."""
    tags: list[Tag] = []
    for number in range(draw(st.integers(1, 11))):
        table = draw(st.sampled_from(TABLES))
        length = 1 if table == "coil" else draw(st.sampled_from(sorted(KINDS)))
        kind = "bool" if table == "coil" else KINDS[length]
        tag = Tag(
            f"t{number}", "d", table, draw(st.integers(0, 30)), kind, interval_s=draw(st.sampled_from([1.0, 60.0]))
        )
        tags.append(tag)
        if length == 1 and table != "coil" and draw(st.booleans()):
            tags.append(replace(tag, name=f"{tag.name}b", type="bit", bit=draw(st.integers(0, 15))))
    return draw(st.permutations(tags))


def fewest(tags: list[Tag], registers: int, bits: int, gap: int, refused: frozenset[int] = frozenset()) -> int:
    """Try every legal request and every choice of them: the size of the smallest choice that covers all tags.

    A legal request runs from the beginning of a tag to the end of one, is no longer than the table's limit, touches no
    refused address, and passes over no more than `gap` addresses in a row of which no tag lies wholly inside it.
    """
    total = 0
    for table in {tag.table for tag in tags}:
        for interval in {tag.interval_ms for tag in tags}:
            group = [tag for tag in tags if tag.table == table and tag.interval_ms == interval]
            total += _fewest(group, bits if table == "coil" else registers, gap, refused) if group else 0
    return total


def _fewest(tags: list[Tag], limit: int, gap: int, refused: frozenset[int]) -> int:
    spans = [(tag.address, tag.address + tag.registers) for tag in tags]
    covers = set()
    for start in {first for first, _ in spans}:
        for end in {last for _, last in spans}:
            inside = [first >= start and last <= end for first, last in spans]
            if end <= start or end - start > limit or refused & set(range(start, end)):
                continue
            wanted = {a for span, yes in zip(spans, inside, strict=True) if yes for a in range(*span)}
            run = longest = 0
            for address in range(start, end):
                run = 0 if address in wanted else run + 1
                longest = max(longest, run)
            if longest <= gap:
                covers.add(frozenset(k for k, yes in enumerate(inside) if yes))

    @cache
    def best(missing: frozenset[int]) -> int:
        if not missing:
            return 0
        one = min(missing)
        return 1 + min(best(missing - cover) for cover in covers if one in cover)

    return best(frozenset(range(len(tags))))


@settings(max_examples=150)
@given(
    tags=register_maps(),
    limit=st.integers(5, 20),
    bits=st.integers(1, 12),
    gap=st.integers(0, 6),
    holes=st.frozensets(st.integers(0, 34), max_size=4),
)
def test_plan_is_whole_legal_and_shortest(
    tags: list[Tag], limit: int, bits: int, gap: int, holes: frozenset[int]
) -> None:
    wanted = {address for tag in tags for address in range(tag.address, tag.address + tag.registers)}
    refused = holes - wanted
    requests = plan(tags, limit, bits, gap, dict.fromkeys(TABLES, refused))
    assert sorted(tag.name for request in requests for tag in request.tags) == sorted(tag.name for tag in tags)
    for request in requests:
        assert 1 <= request.count <= (bits if request.table == "coil" else limit)
        assert not refused & set(range(request.start, request.start + request.count))
        assert len({(tag.table, tag.interval_ms) for tag in request.tags}) == 1
        for tag in request.tags:
            assert request.start <= tag.address
            assert tag.address + tag.registers <= request.start + request.count
    assert len(requests) == fewest(tags, limit, bits, gap, refused)


def test_unit_plans_by_its_own_limits() -> None:
    rng = random.Random(5)
    tags = [Tag(f"t{k}", "d", "input", 7 * k + rng.randrange(4), "float32", "CDAB") for k in range(8)]
    tags += [Tag(f"b{k}", "d", "coil", 3 * k, "bool") for k in range(8)]
    for registers, bits, gap in [(125, 2000, 16), (9, 4, 2), (20, 10, 5), (125, 2000, 0), (2, 1, 16)]:
        mine = DeviceSettings("d", "tcp://x", max_registers=registers, max_bits=bits, max_gap=gap)
        blocks = [block for entry in Unit(mine, tags, rng).rounds for block in entry.blocks]
        assert len(blocks) == fewest(tags, registers, bits, gap)


@settings(max_examples=12)
@given(
    addresses=st.lists(st.integers(0, 40), min_size=2, max_size=9, unique=True),
    refused=st.frozensets(st.integers(0, 40), max_size=5),
)
def test_reader_ends_at_the_fewest_requests_around_what_a_device_refuses(
    addresses: list[int], refused: frozenset[int]
) -> None:
    """Found out on the wire: every other tag has its value in every slot, and in the end no request is too many."""
    tags = [Tag(f"d.{address}", "d", "input", address, "uint16") for address in addresses]
    slots = 9

    async def picky(asked: Asked) -> bytes | None:
        touched = set(range(asked.start, asked.start + asked.count))
        return refusal(asked, 2) if touched & refused else await own_addresses(asked)

    async def run() -> tuple[list[Sample], int]:
        async with serving(picky) as server:
            samples: list[Sample] = []
            reader = Reader([DeviceSettings("d", server.url)], tags, LockstepClock(0), samples.extend)
            await reader.run(until_ms=(slots - 1) * 60_000)
            before = len(server.asked)
            await reader.run(until_ms=slots * 60_000)
            assert reader.faults == 0
            return samples, len(server.asked) - before

    samples, asked = asyncio.run(run())
    assert len({(sample.tag, sample.time_ms) for sample in samples}) == len(samples) == slots * len(tags)
    for sample in samples:
        address = int(sample.tag.partition(".")[2])
        assert sample.reason == ("illegal-address" if address in refused else "")
        assert address in refused or sample.value == address
    rest = [tag for tag in tags if tag.address not in refused]
    assert asked == fewest(rest, 125, 2000, 16, refused)


def test_device_that_answers_less_at_once_than_configured_is_read_whole() -> None:
    async def narrow(asked: Asked) -> bytes | None:
        return refusal(asked, 3) if asked.count > 20 else await own_addresses(asked)

    async def run() -> tuple[list[Sample], list[int]]:
        async with serving(narrow) as server:
            tags = [Tag(f"d.{address}", "d", "input", address, "uint16") for address in range(60)]
            tags.append(Tag("d.name", "d", "input", 60, "string20"))
            samples: list[Sample] = []
            reader = Reader([DeviceSettings("d", server.url)], tags, LockstepClock(0), samples.extend)
            await reader.run(until_ms=3 * 60_000)
            before = len(server.asked)
            await reader.run(until_ms=4 * 60_000)
            return samples, [asked.count for asked in server.asked[before:]]

    samples, counts = asyncio.run(run())
    assert len(samples) == 4 * 61
    assert not [sample for sample in samples if sample.reason and sample.tag != "d.name"]
    assert max(counts) <= 20
    assert len(counts) <= 5


def test_what_lies_between_tags_is_tried_again_after_an_hour() -> None:
    is_booting = True

    async def starting(asked: Asked) -> bytes | None:
        return refusal(asked, 2) if is_booting and asked.count > 4 else await own_addresses(asked)

    async def run() -> list[int]:
        nonlocal is_booting
        async with serving(starting) as server:
            tags = [Tag(f"d.{address}", "d", "input", address, "uint16") for address in (0, 1, 8, 9)]
            reader = Reader([DeviceSettings("d", server.url)], tags, LockstepClock(0), list[Sample]().extend)
            await reader.run(until_ms=5 * 60_000)
            is_booting = False
            counts = []
            for end in (6, 60, 62, 63):
                before = len(server.asked)
                await reader.run(until_ms=end * 60_000)
                counts.append(len(server.asked) - before)
            return counts

    assert asyncio.run(run()) == [2, 2 * 54, 2, 1]


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
    with pytest.raises(PlanError, match="refuses"):
        plan([Tag("a", "d", "input", 0, "float64")], refused={"input": {3}})
