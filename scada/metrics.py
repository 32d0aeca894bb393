"""What the reader and the historian have counted, for Prometheus to fetch.

Nothing is counted twice: the figures are those of :class:`scada.status.ReaderStatus` and of the historian, read at the
moment somebody asks. prometheus-client makes the text and serves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    StateSetMetricFamily,
)

from scada.errors import PortInUse, ScadaError
from scada.historian.settings import HistorianStatus
from scada.reader import Reader
from scada.status import DeviceState, ReaderStatus, Times

__all__ = ["MetricsServer", "ReaderMetrics"]

_PREFIX = "umanflow"
_EADDRINUSE = {98, 48, 10048}  # Linux, macOS, Windows


class ReaderMetrics:
    """A collector of prometheus-client.

    Parameters
    ----------
    reader : Reader
    historian : callable, optional
        Returns how the historian is.
    """

    def __init__(self, reader: Reader, historian: Callable[[], HistorianStatus] | None = None) -> None:
        self._reader = reader
        self._historian = historian

    def collect(self) -> Iterable[Metric]:
        """Return every family of metrics."""
        devices = list(self._reader.status.values())
        yield from _counts(devices)
        yield from _times(devices)
        yield from _states(devices)
        yield _counter("reader_faults", "Errors nobody expected; the reading went on.", [((), self._reader.faults)])
        yield _counter("reader_unstored", "Times the historian took no samples.", [((), self._reader.sink_errors)])
        if self._historian is not None:
            yield from _store(self._historian())


def _counts(devices: list[ReaderStatus]) -> Iterable[Metric]:
    yield _counter("requests", "Requests tried.", [((s.device,), s.requests) for s in devices], "device")
    errors = [((s.device, kind), count) for s in devices for kind, count in dict(s.errors).items()]
    yield _counter("request_errors", "Requests that failed, by reason.", errors, "device", "kind")
    samples = [((s.device, quality), count) for s in devices for quality, count in _by_quality(s).items()]
    yield _counter("samples", "Samples due, by quality; lost ones were not answered.", samples, "device", "quality")
    revised = [((s.device,), s.samples_revised) for s in devices]
    yield _counter("samples_revised", "Uncertain samples that later ones showed to be good.", revised, "device")
    registers = [
        ((s.device, fate), count)
        for s in devices
        for fate, count in (("read", s.registers_read), ("bad", s.registers_bad), ("lost", s.registers_lost))
    ]
    yield _counter("registers", "Registers due, by what became of them.", registers, "device", "fate")
    missed = [((s.device,), s.slots_missed) for s in devices]
    yield _counter("slots_missed", "Slots that went by while the connection was busy.", missed, "device")


def _times(devices: list[ReaderStatus]) -> Iterable[Metric]:
    for name, text, times in (
        ("round_trip_seconds", "From a request to its answer.", [(s.device, s.round_trips) for s in devices]),
        ("cycle_lateness_seconds", "How late a slot was begun with.", [(s.device, s.lateness) for s in devices]),
    ):
        family = HistogramMetricFamily(f"{_PREFIX}_{name}", text, labels=["device"])
        for device, one in times:
            family.add_metric([device], _buckets(one), one.sum_s)
        yield family


def _states(devices: list[ReaderStatus]) -> Iterable[Metric]:
    state = StateSetMetricFamily(f"{_PREFIX}_device_state", "How a device stands.", labels=["device"])
    for s in devices:
        state.add_metric([s.device], {one.value: s.state is one for one in DeviceState})
    yield state
    good = [((s.device,), s.last_good_ms / 1000) for s in devices if s.last_good_ms is not None]
    yield _gauge("last_good_timestamp_seconds", "When a good sample came last, s since 1970.", good, "device")
    queued = [((s.device,), s.queued) for s in devices]
    yield _gauge("requests_queued", "Requests that are due and wait for the connection.", queued, "device")


def _store(status: HistorianStatus) -> Iterable[Metric]:
    counters = status.counters
    for name, text, value in (
        ("waiting_samples", "Samples in memory that are not on disk yet.", status.waiting),
        ("spool_samples", "Samples on disk that wait for the database.", status.spool_samples),
        ("spool_bytes", "Bytes on disk that wait for the database.", status.spool_bytes),
        ("away", "Whether the database did not take the last batch.", status.is_away),
        ("longest_delay_seconds", "Longest time until a sample was on disk.", counters.longest_delay_s),
    ):
        yield _gauge(f"historian_{name}", text, [((), float(value))])
    for name, text, count in (
        ("samples_stored", "Samples new in the database.", counters.stored),
        ("samples_dropped", "Samples lost since neither the database nor the disk took them.", counters.dropped),
        ("failures", "Transactions that did not go well.", counters.failures),
    ):
        yield _counter(f"historian_{name}", text, [((), count)])


def _by_quality(status: ReaderStatus) -> dict[str, int]:
    return {
        "good": status.samples_good,
        "uncertain": status.samples_uncertain,
        "stale": status.samples_stale,
        "bad": status.samples_bad - status.samples_uncertain - status.samples_stale,
        "lost": status.samples_lost,
    }


def _buckets(times: Times) -> list[tuple[str, float]]:
    bounds = [*map(str, times.bounds_s), "+Inf"]
    return list(zip(bounds, accumulate(times.counts), strict=True))


_Rows = Sequence[tuple[tuple[str, ...], float]]


def _counter(name: str, text: str, rows: _Rows, *labels: str) -> Metric:
    family = CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)
    for values, count in rows:
        family.add_metric(values, count)
    return family


def _gauge(name: str, text: str, rows: _Rows, *labels: str) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


class MetricsServer:
    """Serves the metrics, and those of the process, over HTTP from threads of its own.

    Parameters
    ----------
    metrics : ReaderMetrics
    host : str
    port : int
        0 for any that is free.

    Attributes
    ----------
    port : int

    Raises
    ------
    PortInUse
        Somebody else listens there.
    ScadaError
        There is no such address.
    """

    def __init__(self, metrics: ReaderMetrics, host: str, port: int) -> None:
        registry = CollectorRegistry()
        registry.register(metrics)
        ProcessCollector(registry=registry)
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            if error.errno in _EADDRINUSE:
                raise PortInUse(host, port) from error
            raise ScadaError(f"metrics cannot be served on {host}:{port}: {error.strerror or error}") from error
        self.port = self._server.server_port

    def close(self) -> None:
        """End serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
