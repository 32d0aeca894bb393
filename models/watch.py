"""The watched network: a calibrated model that turns measurements into residual frames and simulates leaks.

This is what the detector knows beforehand; it does not change while it watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.calibration import Calibration, Prior, calibrate
from hydro.derivatives import derivatives
from hydro.driven import Drive, DrivenModel
from hydro.errors import EpanetError
from hydro.phase import find_phase
from hydro.record import Record
from models.channels import Channels, choose
from models.doubt import jacobian
from models.doubt import learn as learn_model
from models.errors import NotEnoughData
from models.frame import PROBES, Frame, HourFrame, joined, steady_mean, typical_rows
from models.hours_frames import hourly
from models.noise import Noise, learn
from models.structure import Meters, guess_noise
from networks import Network, Topology

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_HOUR, _DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
_LEARNING, _MEMORY = pd.Timedelta(days=7), pd.Timedelta(days=25)
_RESPONSE_STATES = 24
_HISTORY_STATES = 168
_DOUBT_STATES, _DOUBT_ROWS, _DOUBT_PIPES = 48, 1600, 450
_DOUBTS = 8
_SECANT_SHARES = (0.025, 0.06, 0.15)
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """How the watch is kept.

    Attributes
    ----------
    step
        Interval over which measurements are averaged before they drive the model.
    block
        Length of the detector's frames; whole days cancel what repeats daily.
    learning
        Length of the quiet period at the beginning of the history.
    memory
        Time over which slow biases of demand and sensors forget.
    demand_noise
        Day-to-day standard deviation of one junction's demand, as a share, before any was seen.
    """

    step: pd.Timedelta = _HOUR
    block: pd.Timedelta = _DAY
    learning: pd.Timedelta = _LEARNING
    memory: pd.Timedelta = _MEMORY
    demand_noise: float = 0.15


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
    sizes
        float64 [n_sizes], those leaks' flows, m3/s.
    districts
        int64 [n_pipes], in which each pipe lies, -1 for none.
    largest_take
        Mean net inflow of the district that takes most, m3/s.
    noise
        Of one frame.

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
        try:
            self._prepare(learning)
        except BaseException:
            self.model.close()
            raise

    def _prepare(self, learning: Record) -> None:
        """Learn everything that does not change while it watches."""
        self.topology: Topology = self.model.topology
        self.pipes: Ints = self.topology.pipes
        self._offset = np.zeros(len(self.model.instruments))
        phase = find_phase(self.model, learning, self.settings.step)
        self.calibration: Calibration = self._calibrate(learning, phase)
        drive = self.model.drive(learning, self.settings.step, phase)
        measured = self._measured(learning, drive)
        meters = Meters.of(self.model, measured[:, len(self.model.sensor_nodes) :])
        self.channels: Channels = choose(
            self.model, drive, self._nominal(drive, phase), meters.through, self.settings.block >= _DAY
        )
        self._steady_zero: Floats = np.zeros(len(self.channels.steady))
        self._centre(drive, measured, phase)
        usable = np.flatnonzero(self.model.is_drivable(drive))
        rows = usable[np.unique(np.linspace(0, len(usable) - 1, _RESPONSE_STATES).astype(int))]
        self._typical: Drive = drive.rows(rows)
        self.responses = self.respond(self._typical, {})
        seen = np.isfinite(drive.inflow).sum(axis=0)
        self.mean_inflow: Floats = np.nansum(np.abs(drive.inflow), axis=0) / np.maximum(seen, 1)
        districts = [self.district_of(int(link)) for link in self.pipes]
        self.districts: Ints = np.array([-1 if d is None else d for d in districts], dtype=np.int64)
        # m3/s that pass the district in which each pipe lies; where nothing is measured, no size is excluded
        self.inflow_of_pipes: Floats = np.array([meters.through[d] if d is not None else 0.0 for d in districts])
        self.largest_take = max(float(self.mean_inflow.max()), 1e-3)
        self.inflow_of_pipes[self.inflow_of_pipes <= 0.0] = self.largest_take
        self.sizes: Floats = np.array(_SECANT_SHARES) * self.largest_take
        self.secants: Floats = np.stack([self._respond_at_size(q) for q in self.sizes.tolist()])
        self._doubt(drive, drive.demand)
        by_node = self._node_response * self.settings.demand_noise
        block, step, memory = self.settings.block, self.settings.step, self.settings.memory
        self.noise: Noise = guess_noise(self.model, self.channels, drive, by_node, meters, block, step, memory)

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
        self.calibration = calibrate(model, drive, self._measured(fine, drive), Prior(), lost, _HISTORY_STATES)
        model.scale(self.calibration.resistance, self.calibration.demand)
        n = len(self.calibration.offset)
        self._offset[:n] = self.calibration.offset
        self.responses = self.respond(self._typical, {})
        self.secants = np.stack([self._respond_at_size(q) for q in self.sizes.tolist()])
        leaking = model.drive(fine, step, phase)
        self._doubt(model.with_losses(leaking, lost), leaking.demand)

    def centre(self, usual: Floats) -> None:
        """Take what channels show on average, float64 [n_channels], out of the instruments' zeros."""
        picked = self.channels.picked
        self._offset[picked] += np.nan_to_num(usual[: len(picked)])

    def _calibrate(self, learning: Record, phase: int) -> Calibration:
        drive = self.model.drive(learning, self.settings.step, phase)
        found = calibrate(self.model, drive, self._measured(learning, drive), Prior())
        self.model.scale(found.resistance, found.demand)
        self._offset[: len(found.offset)] = found.offset
        return found

    def _centre(self, drive: Drive, measured: Floats, phase: int) -> None:
        """Take each channel's usual residual, as frames will see it, for its zero."""
        per_block = int(self.settings.block / self.settings.step)
        pressure, flow = self.model.expect(drive, self._watched(measured, per_block))
        expected = np.hstack([pressure, flow]) + self._offset
        nominal = self._nominal(drive, phase)
        residual = self.channels.residuals(measured, expected, drive, nominal)
        # share of the intervals in which each channel reports: loggers are slower than stations
        pace = np.isfinite(residual).mean(axis=0)
        n = len(self.channels.picked)
        self._pace = np.concatenate([pace, pace[n + self.channels.steady]])
        begins = range(0, len(residual) - per_block + 1, per_block)
        blocks = [self._mean(residual[at : at + per_block], nominal[at : at + per_block]) for at in begins]
        usual = np.nan_to_num(np.nanmean(np.stack(blocks), axis=0))
        self._offset[self.channels.picked] += usual[:n]
        self._steady_zero = usual[n + len(self.channels.balances) :]

    def _nominal(self, drive: Drive, phase: int) -> Floats:
        return self._by_district(self.model.nominal_demand(drive.times, self.settings.step, phase))

    def _by_district(self, nominal: Floats) -> Floats:
        return np.stack([nominal[:, d.junctions].sum(axis=1) for d in self.model.districts], axis=1)

    def _measured(self, record: Record, drive: Drive) -> Floats:
        pressure = record.pressure.reindex(index=drive.times, columns=list(self.model.pressure_sensors))
        flow = record.flow.reindex(index=drive.times, columns=list(self.model.flow_meters))
        told = np.where(self.model.is_adrift(drive), np.nan, pressure.to_numpy(dtype=float))
        return np.hstack([told, flow.to_numpy(dtype=float)])

    def _watched(self, measured: Floats, per_block: int) -> Bools:
        """Intervals to simulate: those in which most of the pressures that a block holds were read."""
        n = len(self.model.sensor_nodes)
        counts = np.isfinite(measured[:, :n]).sum(axis=1)
        watched = np.ones(len(measured), dtype=bool)
        for at in range(0, len(measured), per_block):
            part = counts[at : at + per_block]
            watched[at : at + per_block] = part >= 0.5 * part.max()
        return watched

    def _mean(self, residual: Floats, nominal: Floats) -> Floats:
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

    def frames(self, record: Record, *, with_parts: bool = False) -> Iterator[Frame]:
        """Turn a record into frames, in order; a block with less than half of its intervals is left out.

        Parameters
        ----------
        record
            Raw or resampled measurements.
        with_parts
            Blocks that are left out, or not over yet, come too, for their hours.
        """
        step, block = self.settings.step, self.settings.block
        fine = record.resampled(step)
        phase = find_phase(self.model, fine, step)
        per_block = int(block / step)
        drive = self.model.drive(fine, step, phase, per_block)
        measured = self._measured(fine, drive)
        watched = self._watched(measured, per_block)
        expected = np.hstack(self.model.expect(drive, watched))
        nominal = self._nominal(drive, phase)
        residual = self.channels.residuals(measured, expected + self._offset, drive, nominal)
        by_hour = hourly(self, record, drive.times, measured, residual)
        for at in range(0, len(drive.times), per_block):
            part, start = slice(at, at + per_block), drive.times[at]
            hours = by_hour.of(start, block)
            drivable = at + np.flatnonzero(np.isfinite(expected[part]).all(axis=1))
            is_over = at + per_block <= len(drive.times)
            if not is_over or len(drivable) < max(PROBES, watched[part].sum() // 2):
                if with_parts and len(hours):
                    nothing = np.full(len(self.channels.names), np.nan)
                    none = drive.rows(drivable[:0])
                    yield Frame(start, start + block, nothing, none, expected[:0], hours=hours, is_whole=False)
                continue
            probes = typical_rows(drive.demand[drivable].sum(axis=1), drivable)
            seen = np.isfinite(residual[part]).mean(axis=0)
            seen = np.concatenate([seen, seen[len(self.channels.picked) + self.channels.steady]])
            values = np.where(seen >= 0.5 * self._pace, self._mean(residual[part], nominal[part]), np.nan)
            yield Frame(start, start + block, values, drive.rows(probes), expected[probes], hours=hours)

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
            self._node_response = by_node
        return 0.5 * (by_node[self.topology.start[self.pipes]] + by_node[self.topology.end[self.pipes]])

    def sized(self, responses: Floats) -> Floats:
        """Responses by the leak's own size, float64 [1 + n_sizes, n_pipes, n_channels]: a small one's come first.

        What other leaks change of a small leak's response, float64 [n_pipes, n_channels], they change of a large one's.
        """
        return np.concatenate([responses[None], self.secants + (responses - self.responses)])

    def _respond_at_size(self, flow: float) -> Floats:
        """Effect of a sizeable leak in each pipe, per m3/s, by simulation.

        The leak comes on top of what flows in at a quiet time; what the driving takes off the other demands is small
        beside them and is taken off by the tangent.
        """
        model, n_picked = self.model, len(self.channels.picked)
        rows = typical_rows(self._typical.demand.sum(axis=1), np.arange(len(self._typical.times)))
        drive = self._typical.rows(rows)
        driving = self._driving(drive)
        taken = np.empty((len(self.pipes), len(model.instruments)))
        total = np.zeros_like(taken)
        for row in range(len(rows)):
            base = np.hstack(model.expect(drive.rows(np.array([row]))))
            for at in range(0, len(self.pipes), _CHUNK):
                # one pipe after another at the same moment: each solution begins near the last one
                links = self.pipes[at : at + _CHUNK].tolist()
                one = drive.rows(np.full(len(links), row))
                lost = np.vstack([self.lost(drive.rows(np.array([row])), {k: np.full(1, flow)}) for k in links])
                total[at : at + _CHUNK] += np.hstack(model.expect(replace(one, demand=one.demand + lost))) - base
                taken[at : at + _CHUNK] = (lost / flow) @ driving
        change = total / (len(rows) * flow) - taken
        secants = self.responses.copy()
        solved = np.asarray(np.isfinite(change).all(axis=1))
        secants[solved, :n_picked] = change[solved][:, self.channels.picked]
        return secants

    def _doubt(self, drive: Drive, customers: Floats) -> None:
        """Learn how far responses may be off: `doubt`, float64 [n_pipes, k, n_channels], directions per m3/s.

        Parameters
        ----------
        drive
            What the model was calibrated on, with known leaks in it.
        customers
            float64 [n, n_junctions], m3/s, demand without them.
        """
        model, n_picked = self.model, len(self.channels.picked)
        usable = np.flatnonzero(model.is_drivable(drive) & np.isfinite(customers).all(axis=1))
        n_states = int(np.clip(_DOUBT_ROWS // max(len(model.sensor_nodes), 1), 4, _DOUBT_STATES))
        rows = usable[np.unique(np.linspace(0, len(usable) - 1, n_states).astype(int))]
        learnt = learn_model(model, drive.rows(rows), customers[rows], self.calibration.after, Prior())
        flow = float(self.sizes[1])
        row = typical_rows(self._typical.demand.sum(axis=1), np.arange(len(self._typical.times)))[1]
        one = self._typical.rows(np.array([row]))
        model.forget()
        base = jacobian(model, one, 0, one.demand[0])
        tried = np.unique(np.linspace(0, len(self.pipes) - 1, _DOUBT_PIPES).astype(int))
        found = np.zeros((len(tried), _DOUBTS, len(self.channels.names)))
        for k, link in enumerate(self.pipes[tried].tolist()):
            leaking = self.with_leaks(one, {link: np.full(1, flow)})
            try:
                change = (jacobian(model, leaking, 0, one.demand[0]) - base) / flow
            except EpanetError:
                model.forget()
                continue
            size, direction = np.linalg.eigh(learnt.covariance(change[self.channels.picked]))
            kept = np.argsort(-size)[:_DOUBTS]
            found[k, : len(kept), :n_picked] = np.sqrt(np.maximum(size[kept], 0.0))[:, None] * direction[:, kept].T
        # a pipe that was not tried errs like the one that was and looks most like it
        unit = self.secants[1][:, :n_picked] / self._sizes_of(self.secants[1])[:, None]
        like = tried[np.argmax(unit @ unit[tried].T, axis=1)]
        like[tried] = tried
        share = self._sizes_of(self.secants[1]) / self._sizes_of(self.secants[1][like])
        self.doubt: Floats = found[np.searchsorted(tried, like)] * share[:, None, None]

    def _sizes_of(self, responses: Floats) -> Floats:
        sizes: Floats = np.maximum(np.linalg.norm(responses[..., : len(self.channels.picked)], axis=-1), 1e-15)
        return sizes

    def doubt_of(self, used: Floats) -> Floats:
        """Directions in which responses float64 [n_pipes, n_channels] may be off, float64 [n_pipes, k, n_channels].

        What was made at one size is scaled to the size of those used.
        """
        return self._scaled(self.doubt, self.secants[1], used)

    def doubt_at(self, pipe: int, used: Floats) -> Floats:
        """The same for one pipe's response, float64 [k, n_channels]."""
        return self._scaled(self.doubt[pipe], self.secants[1][pipe], used)

    def _scaled(self, doubt: Floats, made: Floats, used: Floats) -> Floats:
        share = np.minimum(self._sizes_of(used) / self._sizes_of(made), 30.0)
        scaled: Floats = doubt * share[..., None, None]
        return scaled

    def _driving(self, drive: Drive) -> Floats:
        """What the driving takes off per m3/s of leak at each junction, float64 [n_junctions, n_instruments]."""
        model = self.model
        junctions = model.engine.junctions
        total = np.zeros((len(junctions), len(model.instruments)))
        model.forget()
        for row in range(len(drive.times)):
            model.impose(drive, row)
            model.solve()
            by_demand = derivatives(model.engine, model.sensor_nodes, model.meter_links).by_demand
            total += by_demand[junctions] - model.leak_response(by_demand, drive.demand[row])
        return total / len(drive.times)

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
            order = np.array([(k, p) for p in range(PROBES) for k in running])
            drive = joined([frames[k].drive.rows(np.array([p])) for k, p in order.tolist()])
            flows = {link: flow[order[:, 0]] for link, flow in leaks.items()}
            change = np.hstack(self.model.expect(self.with_leaks(drive, flows)))
            change -= np.stack([frames[k].base[p] for k, p in order.tolist()])
            by_frame = change.reshape(PROBES, len(running), -1)
            seen = np.asarray(np.isfinite(by_frame).all(axis=2))
            mean = np.where(seen[:, :, None], by_frame, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)[:, None]
            effect[running, :n_picked] = mean[:, self.channels.picked]
        for column, number in enumerate(self.channels.districts, start=n_picked):
            for link, flow in leaks.items():
                effect[:, column] += flow * self._share(link, number)
        return effect

    def _share(self, link: int, district: int) -> float:
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
