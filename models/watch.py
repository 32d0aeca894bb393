"""The watched network: a calibrated model that turns measurements into residual frames and simulates leaks.

This is what the detector knows beforehand; it does not change while it watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.calibration import Calibration, Prior, calibrate
from hydro.derivatives import derivatives
from hydro.drive import Drive
from hydro.driven import DrivenModel
from hydro.phase import find_phase
from hydro.record import Record
from models.channels import Channels, choose
from models.doubt import Doubts, doubts_of
from models.errors import NotEnoughData
from models.frame import PROBES, Frame, HourFrame, moments, steady_mean
from models.framing import framed
from models.health_bridge import Bridge
from models.health_clock import Clocks
from models.noise import Noise, learn
from models.settings import Settings
from models.sized import of_fed_pipes, respond_at_size, summed
from models.structure import Meters, guess_noise
from networks import Network, Topology

__all__ = ["Settings", "Watch"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DAY = pd.Timedelta(days=1)
_RESPONSE_STATES = 24
_HISTORY_STATES = 168
_ABSURD = 1000.0  # m, m3/s
_SECANT_SHARES = (0.025, 0.06, 0.15)


class Watch:
    """A network under watch.

    Parameters
    ----------
    network
        What `hydro.Engine` accepts.
    quiet
        Record that begins with the learning period.
    settings
        How the watch is kept.

    Attributes
    ----------
    pipes
        int64 [n_pipes], links that can leak.
    responses
        float64 [n_pipes, n_channels], response of each channel to a small leak in the middle of each pipe.
    secants
        float64 [n_sizes, n_pipes, n_channels], the same for leaks of some sizes: where little flows usually, head loss
        grows far faster than with the first drop.
    doubts
        How far responses may be off.
    sizes
        float64 [n_sizes], those leaks' flows, m3/s.
    districts
        int64 [n_pipes], in which each pipe lies, -1 for none.
    largest_take
        Mean net inflow of the district that takes most, m3/s.
    noise
        Of one frame.
    pace
        float64 [n_channels], share of a block's intervals in which each usually reports.

    Raises
    ------
    NotEnoughData
        If the record is shorter than the learning period.
    """

    def __init__(self, network: Network | Path | str, quiet: Record, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        learning = quiet.between(quiet.start, quiet.start + self.settings.learning).resampled(self.settings.step)
        if learning.end - learning.start < self.settings.learning - 2 * self.settings.step:
            raise NotEnoughData(
                f"the record has {(learning.end - learning.start) / pd.Timedelta('1D'):.1f} days; the detector learns "
                f"from {self.settings.learning / pd.Timedelta('1D'):.0f}: give a longer record or a --history"
            )
        self.model = DrivenModel(network, quiet)
        self.per_block = int(self.settings.block / self.settings.step)
        self.bridge = Bridge(self.model, self.settings.step, self.per_block)
        self.clocks: dict[pd.Timestamp, Clocks] = {}
        self.silences: dict[str, pd.DatetimeIndex] = {}  # intervals in which a meter was not read
        try:
            self._prepare(learning)
        except BaseException:
            self.model.close()
            raise

    def _prepare(self, learning: Record) -> None:
        """Learn everything that does not change while it watches."""
        self.topology: Topology = self.model.topology
        self.pipes: Ints = self.topology.pipes
        self._calibrate(learning)
        self.settle(learning, {})

    def settle(self, learning: Record, leaks: Mapping[int, float]) -> None:
        """Learn zeros, what is usual, responses and noise from the learning period, as calibrated.

        Parameters
        ----------
        learning
            Of the settings' step.
        leaks
            What ran all through it: link -> m3/s; it is not usual.
        """
        phase = find_phase(self.model, learning, self.settings.step)
        drive = self.model.drive(learning, self.settings.step, phase)
        running = self.with_leaks(drive, {k: np.full(len(drive.times), q) for k, q in leaks.items()})
        lost = [sum(q * self.share(k, d) for k, q in leaks.items()) for d in range(len(self.model.districts))]
        usual = replace(drive, inflow=drive.inflow - np.array(lost))
        measured = self.measured(learning, drive)
        self.meters = meters = Meters.of(self.model, measured[:, len(self.model.sensor_nodes) :])
        self.channels: Channels = choose(
            self.model, usual, self.nominal(drive, phase), meters.through, self.settings.block >= _DAY
        )
        self._steady_zero: Floats = np.zeros(len(self.channels.steady))
        self._centre(replace(running, inflow=usual.inflow), measured, phase)
        usable = np.flatnonzero(self.model.is_drivable(drive))
        rows = usable[np.unique(np.linspace(0, len(usable) - 1, _RESPONSE_STATES).astype(int))]
        self.typical: Drive = drive.rows(rows)
        self.responses = self.respond(self.typical, {})
        seen = np.isfinite(drive.inflow).sum(axis=0)
        self.mean_inflow: Floats = np.nansum(np.abs(drive.inflow), axis=0) / np.maximum(seen, 1)
        districts = [self.district_of(int(link)) for link in self.pipes]
        self.districts: Ints = np.array([-1 if d is None else d for d in districts], dtype=np.int64)
        # m3/s that pass the district in which each pipe lies; where nothing is measured, no size is excluded
        self.inflow_of_pipes: Floats = np.array([meters.through[d] if d is not None else 0.0 for d in districts])
        # a district whose inflow is not measured takes what the model says
        nominal = self.nominal(drive, phase).mean(axis=0)
        taken = [float(nominal[k]) for k, d in enumerate(self.model.districts) if not d.is_closed]
        self.largest_take = max(float(self.mean_inflow.max()), *taken, 1e-3)
        self.inflow_of_pipes[self.inflow_of_pipes <= 0.0] = self.largest_take
        self.sizes: Floats = np.array(_SECANT_SHARES) * self.largest_take
        self.secants: Floats = np.stack([respond_at_size(self, self.typical, q) for q in self.sizes.tolist()])
        self.doubts: Doubts = doubts_of(self, self.typical, running, drive.demand)
        by_node = self.node_response * self.settings.demand_noise
        block, step, memory = self.settings.block, self.settings.step, self.settings.memory
        self.noise: Noise = guess_noise(self.model, self.channels, usual, by_node, meters, block, step, memory)

    def close(self) -> None:
        """Free the model."""
        self.model.close()

    def district_of(self, link: int) -> int | None:
        """Number of the district in which a link lies, by its junctions; None where it has none."""
        n_junctions = len(self.model.engine.junctions)
        for node in (self.topology.start[link], self.topology.end[link]):
            if node < n_junctions:
                for number, district in enumerate(self.model.districts):
                    if node in district.junctions:
                        return number
        return None

    def mean_flow(self, meter: str) -> float:
        """Mean flow at a meter while it was learnt from, m3/s."""
        return float(self.meters.mean[self.model.flow_meters.index(meter)])

    def blind(self, frame: Frame | HourFrame) -> Bools:
        """Pipes in districts most of whose pressure sensors are missing in a frame, bool [n_pipes].

        The balance still says that water is missing, but nothing says where.
        """
        blind = np.zeros(len(self.pipes), dtype=bool)
        seen = np.isfinite(frame.values[: self.channels.n_pressures])
        for number, district in enumerate(self.model.districts):
            inside = np.isin(self.model.sensor_nodes, self.model.engine.junctions[district.junctions])
            if inside.any() and seen[inside].mean() < 0.5:
                blind |= self.districts == number
        return blind

    def relearn(self, history: Record, running: Callable[[pd.DatetimeIndex], Mapping[int, Floats]]) -> None:
        """Calibrate again, on a whole history with the leaks that are known to have run in it.

        Many days and what leaks did to the pressures tell far more of the model than one quiet week.

        Parameters
        ----------
        running
            Leaks at given times: link -> float64 [n], m3/s.
        """
        step, model = self.settings.step, self.model
        fine = history.resampled(step)
        phase = find_phase(self.model, fine, step)
        model.scale(np.ones(len(self.topology.pipes)), np.ones(len(model.engine.junctions)))
        drive = model.drive(fine, step, phase)
        lost = self.lost(drive, running(drive.times))
        self.adopt(calibrate(model, drive, self.measured(fine, drive), Prior(), lost, _HISTORY_STATES))
        self.responses = self.respond(self.typical, {})
        self.secants = np.stack([respond_at_size(self, self.typical, q) for q in self.sizes.tolist()])
        leaking = model.drive(fine, step, phase)
        self.doubts = doubts_of(self, self.typical, model.with_losses(leaking, lost), leaking.demand)

    def centre(self, usual: Floats) -> None:
        """Take what channels show on average, float64 [n_channels], out of the instruments' zeros."""
        picked = self.channels.picked
        self._offset[picked] += np.nan_to_num(usual[: len(picked)])

    def adopt(self, found: Calibration) -> None:
        """Take a calibration over; instruments' zeros are the calibration's until `settle` or `centre`."""
        self.calibration = found
        self.model.scale(found.resistance, found.demand)
        self._offset = np.zeros(len(self.model.instruments))
        self._offset[: len(found.offset)] = found.offset

    def _calibrate(self, learning: Record) -> None:
        drive = self.model.drive(learning, self.settings.step, find_phase(self.model, learning, self.settings.step))
        self.adopt(calibrate(self.model, drive, self.measured(learning, drive), Prior()))

    def _centre(self, drive: Drive, measured: Floats, phase: int) -> None:
        """Take each channel's usual residual, as frames will see it, for its zero."""
        per_block = int(self.settings.block / self.settings.step)
        pressure, flow = self.model.expect(drive, self.watched(measured, per_block))
        expected = np.hstack([pressure, flow]) + self._offset
        nominal = self.nominal(drive, phase)
        residual = self.channels.residuals(measured, expected, drive, nominal)
        # share of the intervals in which each channel reports: loggers are slower than stations
        pace = np.isfinite(residual).mean(axis=0)
        n = len(self.channels.picked)
        self.pace = np.concatenate([pace, pace[n + self.channels.steady]])
        begins = range(0, len(residual) - per_block + 1, per_block)
        blocks = [self.mean(residual[at : at + per_block], nominal[at : at + per_block]) for at in begins]
        usual = np.nan_to_num(np.nanmean(np.stack(blocks), axis=0))
        self._offset[self.channels.picked] += usual[:n]
        self._steady_zero = usual[n + len(self.channels.balances) :]

    @property
    def zeros(self) -> Floats:
        """What each instrument reads beyond what is true, float64 [n_instruments], m and m3/s."""
        return self._offset

    def nominal(self, drive: Drive, phase: int) -> Floats:
        """The model's own demand of each district, float64 [n, n_districts], m3/s."""
        return self._by_district(self.model.nominal_demand(drive.times, self.settings.step, phase))

    def _by_district(self, nominal: Floats) -> Floats:
        return np.stack([nominal[:, d.junctions].sum(axis=1) for d in self.model.districts], axis=1)

    def measured(self, record: Record, drive: Drive) -> Floats:
        """What the instruments say in a drive's intervals, float64 [n, n_instruments], m and m3/s."""
        pressure = record.pressure.reindex(index=drive.times, columns=list(self.model.pressure_sensors))
        flow = record.flow.reindex(index=drive.times, columns=list(self.model.flow_meters))
        told = np.where(self.model.is_adrift(drive), np.nan, pressure.to_numpy(dtype=float))
        return np.hstack([told, flow.to_numpy(dtype=float)])

    def watched(self, measured: Floats, per_block: int) -> Bools:
        """Intervals to simulate: those in which most of the pressures that a block holds were read."""
        n = len(self.model.sensor_nodes)
        counts = np.isfinite(measured[:, :n]).sum(axis=1)
        watched = np.ones(len(measured), dtype=bool)
        for at in range(0, len(measured), per_block):
            part = counts[at : at + per_block]
            watched[at : at + per_block] = part >= 0.5 * part.max()
        return watched

    def mean(self, residual: Floats, nominal: Floats) -> Floats:
        """Mean of each channel over a block; balances are not clipped: what a district stores it gives back."""
        n = len(self.channels.picked)
        means = self.channels.means(residual[:, n:], nominal)
        means[len(self.channels.balances) :] -= self._steady_zero
        return np.concatenate([steady_mean(residual[:, :n]), means])

    # noise --------------------------------------------------------------------------------------------------------

    def sharpen(self, frames: list[Frame]) -> None:
        """Learn the noise of frames from a history."""
        self.noise = learn(self.noise, np.stack([f.values for f in frames]))

    # frames -------------------------------------------------------------------------------------------------------

    def frames(self, record: Record, *, with_parts: bool = False, hours: Record | None = None) -> Iterator[Frame]:
        """Turn a record into frames, in order; a block with less than half of its intervals is left out.

        Parameters
        ----------
        record
            Raw or resampled measurements.
        with_parts
            Blocks that are left out, or not over yet, come too, for their hours.
        hours
            The same record as it was known by the hour; hours are seen as the days are where it is not given.
        """
        return framed(self, record, with_parts, hours)

    # leaks --------------------------------------------------------------------------------------------------------

    def respond(self, drive: Drive, leaks: Mapping[int, Floats]) -> Floats:
        """Response of every channel to a small further leak in each pipe, averaged over a drive.

        Parameters
        ----------
        leaks
            Leaks that already run: link -> float64 [n], m3/s.

        Returns
        -------
        float64 [n_pipes, n_channels]
        """
        leaking = self.with_leaks(drive, leaks)
        total = np.zeros((len(self.model.engine.junctions), len(self.model.instruments)))
        self.model.forget()
        for row in range(len(drive.times)):
            self.model.impose(leaking, row)
            self.model.solve()
            s = derivatives(self.model.engine, self.model.sensor_nodes, self.model.meter_links)
            total += self.model.leak_response(s.by_demand, leaking.demand[row])
        by_node = self.channels.responses(self.model, total / len(drive.times))
        if not leaks:
            self.node_response = by_node
        return of_fed_pipes(0.5 * (by_node[self.topology.start[self.pipes]] + by_node[self.topology.end[self.pipes]]))

    def sized(self, responses: Floats) -> Floats:
        """Responses by the leak's own size, float64 [1 + n_sizes, n_pipes, n_channels]: a small one's come first.

        What other leaks change of a small leak's response, float64 [n_pipes, n_channels], they change of a large one's.
        """
        return np.concatenate([responses[None], self.secants + (responses - self.responses)])

    def effect(self, frames: list[Frame], leaks: Mapping[int, Floats]) -> Floats:
        """Effect of leaks on the channels of each frame, by simulation.

        Parameters
        ----------
        leaks
            Link -> float64 [n_frames], m3/s.

        Returns
        -------
        float64 [n_frames, n_channels]
        """
        effect = np.zeros((len(frames), len(self.channels.names)))
        n_picked = len(self.channels.picked)
        if not leaks:
            return effect
        running = [k for k in range(len(frames)) if any(flow[k] > 0.0 for flow in leaks.values())]
        if running:
            # moments alike in demand follow each other, so that each solution begins near the last one
            order = [(k, p) for p in range(PROBES) for k in running]
            flows = {link: flow[np.tile(running, PROBES)] for link, flow in leaks.items()}
            change = np.hstack(self.model.expect(self.with_leaks(moments(frames, order), flows)))
            change -= np.stack([frames[k].base[p] for k, p in order])
            # more leaks than flows in, behind a valve that lets none back: heads without meaning
            change[(np.abs(change) > _ABSURD).any(axis=1)] = np.nan
            by_frame = change.reshape(PROBES, len(running), -1)
            seen = np.asarray(np.isfinite(by_frame).all(axis=2))
            mean = np.where(seen[:, :, None], by_frame, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)[:, None]
            effect[running, :n_picked] = mean[:, self.channels.picked]
            lost = np.array(running)[~seen.any(axis=0)]
            effect[lost, :n_picked] = summed(self, {k: flow[lost] for k, flow in leaks.items()})[:, :n_picked]
        for column, number in enumerate(self.channels.districts, start=n_picked):
            for link, flow in leaks.items():
                effect[:, column] += flow * self.share(link, number)
        return effect

    def share(self, link: int, district: int) -> float:
        """Share of a link's two ends that lies in a district."""
        inside = self.model.engine.junctions[self.model.districts[district].junctions]
        return float(np.isin([self.topology.start[link], self.topology.end[link]], inside).mean())

    def with_leaks(self, drive: Drive, leaks: Mapping[int, Floats]) -> Drive:
        """Drive with part of the inflow leaving at leaks: half at each end of the pipe, the other demands less."""
        if not leaks:
            return drive
        return self.model.with_losses(drive, self.lost(drive, leaks))

    def lost(self, drive: Drive, leaks: Mapping[int, Floats]) -> Floats:
        """Leaks as demands: half at each end of the pipe, float64 [n, n_junctions], m3/s."""
        lost = np.zeros_like(drive.demand)
        for link, flow in leaks.items():
            ends = [int(n) for n in (self.topology.start[link], self.topology.end[link]) if n < lost.shape[1]]
            for node in ends:
                lost[:, node] += flow / len(ends)
        return lost
