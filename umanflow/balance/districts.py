"""What is known of each district: by the file, by the network's tables, and by the historian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.balance import Balance, Source
from models.balance_indicators import System
from models.dmabalance import DmaInput, Night
from models.nightflow import NightUse, n1_of_pressures, night_day_factor, night_lines, typical_night
from models.uncertain import Lack, Result, Uncertain, add, divide, exact, lacking, multiply, stated, subtract
from networks import Network
from networks.dma import Dma
from umanflow.balance.archive import MeterArchive, Readings
from umanflow.balance.billing import Samples
from umanflow.balance.case import HOUR_S, KM, Inputs
from umanflow.balance.schema import DistrictsSection, DmaSection, InputFile, NightSection, Number, StepTest
from umanflow.balance.volumes import Sources, note_of, stated_volume
from umanflow.balance.zones import Zones

Floats = NDArray[np.float64]
_HOMES = "residential"
_L = 1e-3


@dataclass(frozen=True, slots=True)
class Measured:
    """What a network and its historian bring: absent where the file stands alone."""

    archive: MeterArchive
    network: Network
    dmas: tuple[Dma, ...]
    zones: Zones
    samples: Samples | None = None


def unbilled_share(balance: Balance) -> Result:
    """What is drawn but not billed, and what meters miss, as a share of what is billed: that of the whole system."""
    return divide(add(balance.volume("unbilled"), balance.volume("apparent_losses")), balance.volume("billed"))


def districts_of(
    content: InputFile, balance: Balance, system: System, sources: Sources, inputs: Inputs, measured: Measured | None
) -> tuple[DmaInput, ...]:
    """Every district of the file and of the network, in this order."""
    stated_ones = {section.name: section for section in content.dma}
    known = {dma.name: dma for dma in measured.dmas} if measured is not None else {}
    names = list(dict.fromkeys((*stated_ones, *known)))
    share = unbilled_share(balance)
    return tuple(
        _District(content, stated_ones.get(name, DmaSection(name=name)), known.get(name), sources, inputs, measured)
        .input(share, system)
        for name in names
    )  # fmt: skip


class _District:
    """Gathers one district's numbers."""

    def __init__(
        self,
        content: InputFile,
        section: DmaSection,
        dma: Dma | None,
        sources: Sources,
        inputs: Inputs,
        measured: Measured | None,
    ) -> None:
        self._section, self._dma, self._sources, self._inputs = section, dma, sources, inputs
        self._measured = measured if dma is not None else None
        self._common: DistrictsSection | None = content.districts
        self._key = f"dma.{section.name}"
        self._night = section.night or NightSection()
        self._usual = self._common.night if self._common is not None else NightSection()
        self._notes: list[tuple[str, str]] = []

    def input(self, share: Result, system: System) -> DmaInput:
        """All of it."""
        night_pressure = self._pressures()
        place = self._system(system, night_pressure)
        inflow, inflow_source, coverage = self._inflow()
        billed, billed_source = self._billed(place.connections)
        if ("norm", "") in self._notes:
            share = exact(0.0)  # a norm is what is drawn, whoever pays for it
        return DmaInput(
            name=self._section.name,
            inflow=inflow,
            billed=billed,
            unbilled_share=share,
            system=place,
            night=self._nights(place.connections, night_pressure),
            inflow_source=inflow_source,
            billed_source=billed_source,
            coverage=coverage,
            notes=tuple(self._notes),
        )

    # what it is made of -----------------------------------------------------------------------------------------------

    def _system(self, system: System, pressure: tuple[Floats, Source] | None) -> System:
        s, dma, number = self._section, self._dma, self._inputs.number
        mains: Result = exact(dma.length) if dma is not None else Lack((f"{self._key}.mains_km",))
        count: Result = Lack((f"{self._key}.connections",))
        if dma is not None and dma.connections:
            count = exact(float(dma.connections))
        mean: Result = Lack((f"{self._key}.pressure_m",) if dma is None else ("districts.pressure_limits_m",))
        if pressure is not None and self._common is not None:
            mean = stated(f"{self._key}.pressure", float(np.nanmean(pressure[0])), self._common.pressure_limits_m)
        none_private = isinstance(system.private, Uncertain) and system.private.value == 0.0
        private: Result = exact(0.0) if none_private else Lack((f"{self._key}.private_km",))
        return System(
            mains=mains if s.mains_km is None else number(f"{self._key}.mains_km", s.mains_km, KM),
            connections=count if s.connections is None else number(f"{self._key}.connections", s.connections),
            private=private if s.private_km is None else number(f"{self._key}.private_km", s.private_km, KM),
            pressure=mean if s.pressure_m is None else number(f"{self._key}.pressure_m", s.pressure_m),
            pressurised=system.pressurised,
        )

    # volumes ----------------------------------------------------------------------------------------------------------

    def _inflow(self) -> tuple[Result, Source, float | None]:
        amount = self._section.inflow
        if amount is not None:
            self._note("scaled", note_of(amount, self._sources))
            return stated_volume(f"{self._key}.inflow", amount, self._sources), Source(amount.source), None
        if self._measured is None or self._dma is None:
            return Lack((f"{self._key}.inflow",)), Source.NONE, None
        if self._common is None:
            return Lack(("districts.meter_limits_percent",)), Source.NONE, None
        if not self._dma.is_isolated:
            self._note("not_isolated", ", ".join(self._dma.leaks) or "-")
        whole, coverage, kinds = exact(0.0), 1.0, []
        for inlet, sign in self._inlets():
            try:
                found = self._measured.archive.volume(inlet, self._common.meter_limits_percent / 100.0)
            except LookupError:
                return Lack((f"meter {inlet}",)), Source.NONE, 0.0
            coverage = min(coverage, found.coverage)
            if found.volume is None:
                return Lack((f"meter {inlet}: {100.0 * found.coverage:.0f} % < 50 %",)), Source.NONE, coverage
            kinds.append("total" if found.is_total else "flow")
            whole = whole + sign * found.volume
        self._note("read_from", ", ".join(dict.fromkeys(kinds)))
        return subtract(whole, self._stored()), Source.MEASURED, coverage

    def _stored(self) -> Result:
        """What the district's tanks stored."""
        assert self._measured is not None
        assert self._common is not None
        limits, whole = self._common.level_limits_m, exact(0.0)
        for tank in self._tanks():
            if limits is None:
                return Lack(("districts.level_limits_m",))
            try:
                found = self._measured.archive.stored(tank, limits)
            except LookupError:
                return Lack((f"level of {tank}",))
            if found.volume is None:
                return Lack((f"level of {tank} at the period's ends",))
            whole = whole + found.volume
        return whole

    def _tanks(self) -> list[str]:
        assert self._dma is not None
        assert self._measured is not None
        inside = set(self._dma.nodes.tolist())
        return [tank for tank, place in self._measured.zones.tank_place.items() if place in inside]

    def _inlets(self) -> list[tuple[str, float]]:
        """Meters with the sign of what comes in."""
        assert self._dma is not None
        assert self._measured is not None
        inside = set(self._dma.nodes.tolist())
        ends = self._measured.zones.ends
        return [(inlet, 1.0 if ends[inlet][1] in inside else -1.0) for inlet in self._dma.inlets]

    def _billed(self, connections: Result) -> tuple[Result, Source]:
        amount, billing = self._section.billed, self._sources.billing
        if amount is not None:
            self._note("scaled", note_of(amount, self._sources))
            return stated_volume(f"{self._key}.billed", amount, self._sources), Source(amount.source)
        how = self._common.consumption if self._common is not None else None
        if self._section.norm_l_person_d is not None or how == "norm":
            return self._by_norm(connections), Source.ASSUMED
        if billing is None:
            return Lack((f"{self._key}.billed",)), Source.NONE
        categories: tuple[str, ...] = billing.categories
        homes: Result = exact(0.0)
        if how == "amr":
            categories = tuple(category for category in categories if category != _HOMES)
            homes = self._by_samples(connections)
        others = billing.volume(*self._sources.days, self._section.name, categories)
        return add(homes, others), self._sources.billing_source

    def _by_norm(self, connections: Result) -> Result:
        norm = self._section.norm_l_person_d
        key = f"{self._key}.norm_l_person_d"
        if norm is None and self._common is not None:
            norm, key = self._common.norm_l_person_d, "districts.norm_l_person_d"
        each = self._inputs.number(key, norm, _L / 86_400.0)
        self._note("norm", "")
        return multiply(multiply(self._people(connections), each), self._sources.period.duration)

    def _by_samples(self, connections: Result) -> Result:
        measured = self._measured
        if measured is None or measured.samples is None or measured.network.nodes is None:
            return Lack(("amr",))
        table = measured.network.nodes
        nodes = [str(name) for name in table.loc[table["dma"] == self._section.name, "node"]]
        each = measured.samples.per_connection(nodes, self._section.name)
        self._note("amr", str(sum(node in measured.samples.mean for node in nodes)))
        return multiply(multiply(each, connections), self._sources.period.duration / 86_400.0)

    # nights -----------------------------------------------------------------------------------------------------------

    def _said(self, name: str) -> tuple[str, Number | None]:
        """A number of the night with its key: the district's own before that of all."""
        own = getattr(self._night, name)
        return (f"{self._key}.night.{name}", own) if own is not None else (
            f"districts.night.{name}", getattr(self._usual, name)
        )  # fmt: skip

    def _number(self, name: str, factor: float = 1.0) -> Uncertain | None:
        key, number = self._said(name)
        return None if number is None else self._inputs.known(key, number, factor)

    def _people(self, connections: Result) -> Result:
        people = self._number("people")
        if people is not None:
            return people
        each = self._number("people_per_connection")
        return multiply(connections, each if each is not None else Lack((f"{self._key}.night.people_per_connection",)))

    def _nights(self, connections: Result, pressure: tuple[Floats, Source] | None) -> Night:
        flow, nights, hour = self._night_flow()
        use, use_source = self._use(connections)
        n1, n1_source = self._n1(use)
        factor: Result = Lack((f"{self._key}.night.pressures_m",))
        source = Source.NONE
        if pressure is not None:
            at_night = self._night.night_pressure_m or float(pressure[0][hour])
            source = pressure[1]
            factor = n1 if isinstance(n1, Lack) else night_day_factor(pressure[0], at_night, n1)
        return Night(flow, use, factor, n1, use_source, source, n1_source, nights)

    def _night_flow(self) -> tuple[Result, int | None, int]:
        """Minimum night flow, how many nights it rests on, and the hour in which it is."""
        stated_flow = self._number("flow_m3h", 1.0 / HOUR_S)
        if stated_flow is not None:
            return stated_flow, None, 3
        if self._measured is None:
            return Lack((f"{self._key}.night.flow_m3h",)), None, 3
        if self._common is None:
            return Lack(("districts.meter_limits_percent",)), None, 3
        if self._tanks():  # it fills at night, which is no leakage
            return Lack((f"{self._key}.night.flow_m3h",)), None, 3
        archive, quarters = self._measured.archive, []
        for inlet, sign in self._inlets():
            found = archive.quarters(archive.readings(inlet, "flow"))
            quarters.append(sign * found)
        if not quarters or any(len(found) == 0 for found in quarters):
            return Lack((f"flow of {self._section.name}",)), 0, 3
        days = min(len(found) for found in quarters)
        lines = night_lines(np.sum([found[:days] for found in quarters], axis=0))
        name = self._dma.inlets[0] if self._dma is not None else self._section.name
        typical = typical_night(lines, self._common.meter_limits_percent / 100.0, name)
        if typical is None:
            return Lack((f"nights of {self._section.name}",)), 0, 3
        return typical, lines.valid, int(np.median(lines.place[lines.place >= 0])) // 4

    def _use(self, connections: Result) -> tuple[Result, Source]:
        said = [self._said(name)[1] for name in (
            "people", "people_per_connection", "active_percent", "each_l_h", "properties_per_connection",
            "per_property_l_h", "others", "per_other_l_h", "large_m3h",
        )]  # fmt: skip
        words = [Source(number.source) for number in said if number is not None]
        if not words:
            return Lack((f"{self._key}.night use",)), Source.NONE
        by_person = self._said("each_l_h")[1] is not None or self._said("active_percent")[1] is not None
        people = self._people(connections) if by_person else None
        homes = self._number("properties_per_connection")
        properties = multiply(connections, homes) if homes is not None else None
        lack = lacking(people, properties)
        if lack is not None:
            return lack, Source.NONE
        try:
            use = NightUse(
                people=people if isinstance(people, Uncertain) else None,
                active=self._number("active_percent", 0.01),
                each=self._number("each_l_h", _L / HOUR_S),
                properties=properties if isinstance(properties, Uncertain) else None,
                per_property=self._number("per_property_l_h", _L / HOUR_S),
                others=self._number("others"),
                per_other=self._number("per_other_l_h", _L / HOUR_S),
                large=self._number("large_m3h", 1.0 / HOUR_S),
            )
        except ValueError as error:
            return Lack((f"{self._key}.night: {error}",)), Source.NONE
        return use.flow, max(words, key=list(Source).index)

    def _n1(self, use: Result) -> tuple[Result, Source]:
        """The exponent: the district's own before that of all."""
        own = self._night
        if own.n1_test is not None:
            return self._n1_of_steps(own.n1_test, use), Source(own.n1_test.source)
        key, number = (f"{self._key}.night.n1", own.n1) if own.n1_favad_limits is not None else self._said("n1")
        limits = self._night.n1_favad_limits
        limits = self._usual.n1_favad_limits if limits is None else limits
        if number is not None:
            return self._inputs.known(key, number), Source(number.source)
        if limits is not None and self._measured is not None and self._section.name in self._measured.zones.n1:
            value = self._measured.zones.n1[self._section.name]
            return stated("districts.night.n1_favad", value, limits), Source.COMPUTED
        return Lack((key,)), Source.NONE

    def _n1_of_steps(self, test: StepTest, use: Result) -> Result:
        key = f"{self._key}.night.n1_test"
        if isinstance(use, Lack):
            return use
        leakage = np.array(test.flows_m3h) / HOUR_S - use.value
        if (leakage <= 0.0).any():
            return Lack((f"{key}.flows_m3h > {self._key}.night use",))
        value = n1_of_pressures(np.array(test.pressures_m), leakage)
        return stated(key, value, test.half_of(value))

    def _pressures(self) -> tuple[Floats, Source] | None:
        """Pressure at the average zone point by hour of the day, and where it is from."""
        if self._night.pressures_m is not None:
            return np.array(self._night.pressures_m), Source(self._night.pressures_source)
        if self._measured is None or self._dma is None:
            return None
        wanted = self._night.pressure or self._usual.pressure
        logged = self._logged() if wanted != "modelled" else None
        if logged is not None:
            return logged, Source.MEASURED
        if wanted == "measured":
            self._note("no_loggers", "")
            return None
        modelled = self._measured.zones.pressure.get(self._section.name)
        return None if modelled is None or not np.isfinite(modelled).all() else (modelled, Source.COMPUTED)

    def _logged(self) -> Floats | None:
        """Mean of the district's loggers by hour; None where an hour was never read."""
        assert self._measured is not None
        assert self._dma is not None
        archive, table = self._measured.archive, self._measured.network.nodes
        names = self._measured.zones.homes
        if table is not None:
            own = {str(name) for name in table.loc[table["dma"] == self._section.name, "node"]}
            names = tuple(name for name in names if name in own)
        found: list[Readings] = [r for n in names if (r := archive.readings(n, "pressure")) is not None]
        hours = [row for r in found if np.isfinite(row := archive.hours_of_day(r)).all()]
        if not hours:
            return None
        self._note("loggers", str(len(hours)))
        mean: Floats = np.mean(hours, axis=0)
        return mean if (mean > 0.0).all() else None

    def _note(self, key: str, value: str) -> None:
        if (value or key in ("norm", "no_loggers")) and (key, value) not in self._notes:
            self._notes.append((key, value))


def sections_without_a_district(content: InputFile, dmas: Sequence[Dma]) -> list[str]:
    """Districts of the file that the network has not."""
    names = {dma.name for dma in dmas}
    return [section.name for section in content.dma if section.name not in names]
