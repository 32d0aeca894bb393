"""Metrics as Prometheus fetches them, and what the log says: over real sockets, in both formats."""

import asyncio
import logging
import math
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as open_parser

from scada import events
from scada.clock import LockstepClock
from scada.errors import PortInUse, ScadaError
from scada.events import DeviceLog
from scada.historian import open_historian
from scada.metrics import MetricsServer, ReaderMetrics
from scada.reader import DeviceSettings, Reader
from scada.sample import Sample
from scada.status import ROUND_TRIPS_S, Times
from scada.tag import Tag
from tests.scada.wire import Asked, own_addresses, refusal, serving

OPEN = "application/openmetrics-text; version=1.0.0"


async def fetch(port: int, accept: str = "") -> tuple[str, str]:
    def get() -> tuple[str, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.read().decode(), reply.headers["Content-Type"]

    return await asyncio.to_thread(get)


def figures(families: object) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families  # type: ignore[attr-defined]
        for sample in family.samples
    }


def test_metrics_are_what_was_read(tmp_path: Path) -> None:
    async def manners(asked: Asked) -> bytes | None:
        if asked.unit == 2:
            return None
        return refusal(asked, 2) if asked.start <= 5 < asked.start + asked.count else await own_addresses(asked)

    async def run() -> tuple[dict, dict, Reader, str]:
        async with serving(manners) as server:
            tags = [Tag(f"a.{n}", "a", "input", n, "uint16", max=3.0) for n in range(8)]
            tags.append(Tag("b.0", "b", "holding", 0, "uint16"))
            devices = [DeviceSettings(name, server.url, unit, timeout_s=0.1) for unit, name in enumerate("ab", 1)]
            store = open_historian(f"sqlite:///{tmp_path / 'h.db'}")
            reader = Reader(devices, tags, LockstepClock(0), store.append)
            served = MetricsServer(ReaderMetrics(reader, lambda: store.status), "127.0.0.1", 0)
            await reader.run(until_ms=4 * 60_000)
            store.flush()
            plain, kind = await fetch(served.port)
            opened, open_kind = await fetch(served.port, OPEN)
            with pytest.raises(PortInUse):
                MetricsServer(ReaderMetrics(reader), "127.0.0.1", served.port)
            served.close()
            store.close()
            assert kind.startswith("text/plain")
            assert open_kind.startswith("application/openmetrics-text")
            old = figures(text_parser.text_string_to_metric_families(plain))
            return old, figures(open_parser.text_string_to_metric_families(opened)), reader, opened

    old, new, reader, text = asyncio.run(run())
    a, b = reader.status["a"], reader.status["b"]
    assert text.endswith("# EOF\n")
    for found in (old, new):

        def value(name: str, found: dict = found, **labels: str) -> float:
            return float(found[f"umanflow_{name}", tuple(sorted(labels.items()))])

        assert value("requests_total", device="a") == a.requests > 4
        assert value("request_errors_total", device="a", kind="illegal-address") == a.errors["illegal-address"] > 0
        assert value("request_errors_total", device="b", kind="timeout") == b.errors["timeout"] > 0
        # of eight tags four are above their maximum, one of these is refused
        for quality, count in (("good", 16), ("uncertain", 12), ("bad", 4), ("stale", 0), ("lost", 0)):
            assert value("samples_total", device="a", quality=quality) == count
        assert value("samples_total", device="b", quality="lost") == 4
        answered = a.requests - a.errors.total()
        assert value("round_trip_seconds_count", device="a") == answered
        assert value("round_trip_seconds_bucket", device="a", le="+Inf") == answered
        assert 0 < value("round_trip_seconds_sum", device="a") < 10
        assert value("cycle_lateness_seconds_count", device="b") == 4
        assert value("device_state", device="a", umanflow_device_state="connected") == 1
        assert value("device_state", device="b", umanflow_device_state="parked") == 1
        assert value("device_state", device="b", umanflow_device_state="connected") == 0
        assert value("last_good_timestamp_seconds", device="a") == 180
        assert ("umanflow_last_good_timestamp_seconds", (("device", "b"),)) not in found
        assert value("requests_queued", device="a") == 0
        assert value("historian_samples_stored_total") == 36
        assert value("historian_waiting_samples") == value("historian_spool_bytes") == 0
        assert value("reader_faults_total") == 0
    assert {key for key in old if key[0].startswith("umanflow")} == {
        key for key in new if key[0].startswith("umanflow")
    }


def test_metrics_are_served_where_they_are_told_and_nowhere_else() -> None:
    reader = Reader([], [], LockstepClock(0), list[Sample]().extend)
    served = MetricsServer(ReaderMetrics(reader), "127.0.0.1", 0)
    try:
        with socket.socket() as other:
            other.settimeout(1.0)
            assert other.connect_ex(("127.0.0.2", served.port)) != 0
    finally:
        served.close()
    with pytest.raises(ScadaError, match=r"metrics cannot be served on 192\.0\.2\.1"):
        MetricsServer(ReaderMetrics(reader), "192.0.2.1", 9464)


def test_percentiles_are_those_of_the_last_thousand() -> None:
    times = Times(ROUND_TRIPS_S)
    assert all(math.isnan(value) for value in times.percentiles_ms(50, 99))
    for k in range(2500):
        times.add(k / 1000)
    assert times.percentiles_ms(0, 50, 100) == pytest.approx([1500, 1999.5, 2499])
    assert sum(times.counts) == 2500
    assert times.counts[0] == 2, "0 and 1 ms; a bound belongs to its class"
    assert times.sum_s == pytest.approx(sum(range(2500)) / 1000)


class Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def told() -> Callable[[], list[tuple[str, str, str]]]:
    logger, listener = logging.getLogger("scada.events"), Listener()
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.DEBUG)
    yield lambda: [(r.device, r.event, r.kind) for r in listener.records]  # type: ignore[attr-defined]
    logger.removeHandler(listener)
    logger.setLevel(level)


def test_dead_device_is_told_of_once_and_when_it_is_back(told: Callable[[], list[tuple[str, str, str]]]) -> None:
    is_dead = True

    async def manners(asked: Asked) -> bytes | None:
        if asked.unit == 1:
            return None if is_dead else await own_addresses(asked)
        return refusal(asked, 2) if asked.start <= 1 < asked.start + asked.count else registers_with_standing(asked)

    def registers_with_standing(asked: Asked) -> bytes:
        from tests.scada.wire import registers

        return registers(asked, [7] * asked.count)

    async def run() -> None:
        nonlocal is_dead
        async with serving(manners) as server:
            tags = [Tag(f"b.{n}", "b", "input", n, "uint16") for n in range(3)]
            tags += [Tag("a.0", "a", "input", 0, "uint16"), Tag("b.heartbeat", "b", "input", 9, "uint16")]
            devices = [
                DeviceSettings(name, server.url, unit, timeout_s=0.02, reconnect_holdoff_s=0.0)
                for unit, name in enumerate("ab", 1)
            ]
            reader = Reader(devices, tags, LockstepClock(0), list[Sample]().extend)
            await reader.run(until_ms=20 * 60_000)
            assert reader.status["a"].errors["timeout"] == 20
            is_dead = False
            await reader.run(until_ms=22 * 60_000)

    asyncio.run(run())
    assert sorted(told()) == [
        ("a", "answers", ""),
        ("a", "failed", "timeout"),
        ("b", "heartbeat-stands", "heartbeat"),
        ("b", "tag-refused", "illegal-address"),
    ]


def test_what_goes_on_is_told_seldom_with_how_often(
    told: Callable[[], list[tuple[str, str, str]]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = 1000.0
    monkeypatch.setattr(events.time, "monotonic", lambda: now_s)
    log = DeviceLog("d", 3)
    with caplog.at_level(logging.INFO, "scada.events"):
        for second in range(1500):
            now_s = 1000.0 + second
            log.failed("timeout", "no reply in time")
        log.failed("refused", "nobody listens there")
        log.answered()
        for _ in range(5):  # comes and goes: neither is told again so soon
            log.failed("timeout", "no reply in time")
            log.answered()
    assert [(r.event, r.kind, r.repeated, r.unit) for r in caplog.records] == [  # type: ignore[attr-defined]
        ("failed", "timeout", 0, 3),
        ("failed", "timeout", 599, 3),
        ("failed", "timeout", 599, 3),
        ("failed", "refused", 0, 3),
        ("answers", "", 0, 3),
    ]
    assert caplog.records[1].getMessage() == "d: no reply in time (599 times more since it was told last)"
    assert caplog.records[-1].getMessage() == "d: answers again after 1499 s"
    assert {kind for _, kind, _ in told()} <= set(events.EVENTS)
