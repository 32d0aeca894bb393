"""Text registers and clocks of devices, over real sockets."""

import asyncio
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.clock import LockstepClock
from scada.codec import encode
from scada.reader import DeviceSettings, Reader
from scada.sample import Quality, Sample
from scada.tag import Tag
from scada.textregisters import read_text_bytes, text_of
from tests.scada.wire import Asked, registers, serving

MINUTE_MS = 60_000
DAY_MS = 86_400_000


def read(tags: Sequence[Tag], rounds: Sequence[dict[int, int]], start_ms: int = 0) -> list[list[Sample]]:
    """Read once a minute; each round shows its registers, the others zero."""

    async def run() -> list[Sample]:
        shown: dict[int, int] = {}
        slots = iter(rounds)

        async def manners(asked: Asked) -> bytes | None:
            return registers(asked, [shown.get(asked.start + k, 0) for k in range(asked.count)])

        async def before_wake(t_ms: int) -> None:
            shown.clear()
            shown.update(next(slots, {}))

        async with serving(manners) as server:
            samples: list[Sample] = []
            clock = LockstepClock(start_ms, before_wake)
            reader = Reader([DeviceSettings("d", server.url)], tags, clock, samples.extend)
            await reader.run(until_ms=start_ms + len(rounds) * MINUTE_MS)
            status = reader.status["d"]
            assert status.samples_good + status.samples_bad == len(samples)
            assert status.samples_good == sum(sample.quality is Quality.GOOD for sample in samples)
            return samples

    samples = asyncio.run(run())
    return [samples[k : k + len(tags)] for k in range(0, len(samples), len(tags))]


def text_words(text: str, kind: str = "string12", order: str = "ABCD") -> dict[int, int]:
    return dict(enumerate(encode(text, kind, order)))


@pytest.mark.parametrize("order", ["ABCD", "BADC"])
def test_text_reaches_the_user_with_its_sample(order: str) -> None:
    tags = [Tag("name", "d", "holding", 0, "string12", order), Tag("n", "d", "holding", 6, "uint16")]
    rounds = [text_words("FW 2.13", order=order), text_words("FW 2.14 ", order=order), dict.fromkeys(range(6), 65535)]
    told = read(tags, rounds)
    names = [samples[0] for samples in told]
    assert [text_of(sample) for sample in names] == ["FW 2.13", "FW 2.14", None]
    assert names[0].value == zlib.crc32(b"FW 2.13") != names[1].value
    assert [sample.quality for sample in names] == [Quality.GOOD, Quality.GOOD, Quality.BAD]
    assert names[2].reason == "sentinel"
    assert {samples[1].quality for samples in told} == {Quality.GOOD}


def test_text_that_cannot_be_read_is_uncertain_and_empty_is_a_text() -> None:
    tags = [Tag("name", "d", "holding", 0, "string12")]
    ((odd,), (empty,)) = read(tags, [text_words("a\x07b"), {}])
    assert (odd.quality, text_of(odd)) == (Quality.UNCERTAIN, "a\ufffdb")
    assert (empty.quality, text_of(empty)) == (Quality.GOOD, "")


def test_ukrainian_text_is_read() -> None:
    assert read_text_bytes("Умань\0rest".encode()) == ("Умань", True)
    assert read_text_bytes(b"caf\xe9") == ("café", True)


@given(data=st.binary(max_size=40))
def test_any_bytes_make_a_printable_line(data: bytes) -> None:
    text, _ = read_text_bytes(data)
    assert text.isprintable()


def clocked(times_s: Sequence[float], unit: str = "s") -> list[Sample]:
    """Read a level with a clock beside it; the round of slot k shows the k-th time."""
    start_ms = 100 * DAY_MS
    tags = [
        Tag("clock", "d", "input", 0, "uint32", quantity="time", unit=unit),
        Tag("level", "d", "input", 2, "uint16", quantity="level", unit="m", max=5000.0),
    ]
    rounds = [{0: int(time) >> 16 & 0xFFFF, 1: int(time) & 0xFFFF, 2: 100 + slot} for slot, time in enumerate(times_s)]
    told = read(tags, rounds, start_ms)
    for slot, (clock, _) in enumerate(told):
        assert clock.time_ms == start_ms + slot * MINUTE_MS
    return [level for _, level in told]


def test_samples_carry_the_devices_time() -> None:
    start = 100 * 86400
    levels = clocked([start - 37, start + 23, start + 83])
    assert [level.time_ms // 1000 - start for level in levels] == [-37, 23, 83]
    assert {level.quality for level in levels} == {Quality.GOOD}
    assert [level.arrival_ms // 1000 - start for level in levels] == [0, 60, 120]


def test_clock_that_stands_still_makes_what_it_dates_stale() -> None:
    start = 100 * 86400
    levels = clocked([start - 10, start - 10, start + 110])
    assert [level.quality for level in levels] == [Quality.GOOD, Quality.STALE, Quality.GOOD]
    assert levels[1].reason == "stale"
    assert levels[1].time_ms == (start + 60) * 1000, "it stands for its slot, or it would replace the first"


@pytest.mark.parametrize("wrong_s", [0, 100 * 86400 + 600, 92 * 86400, 99 * 86400])
def test_clock_that_cannot_be_right_leaves_our_time(wrong_s: int) -> None:
    start = 100 * 86400
    levels = clocked([start - 5, wrong_s])
    assert (levels[1].quality, levels[1].reason) == (Quality.UNCERTAIN, "clock")
    assert levels[1].time_ms == (start + 60) * 1000
