"""From an input file, with or without the historian, to everything that a balance says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

from hydro.engine import Engine
from models.balance import Balance, Source, balance_of
from models.balance_components import (
    Components,
    Intervention,
    components_of,
    condition_factor,
    intervention,
    unavoidable_background,
)
from models.balance_indicators import Indicators, Values, indicators_of, values_of
from models.dmabalance import DmaBalance, dma_balance
from models.uncertain import Lack, Result
from networks import Network, load
from networks.dma import Dma
from scada.tag import Tag
from umanflow.balance.archive import MeterArchive
from umanflow.balance.billing import read_billing, read_samples
from umanflow.balance.case import DAY_S, HOUR_S, YEAR_S, Case, Inputs, Period, breaks_of, prices_of, system_of
from umanflow.balance.districts import Measured, districts_of, sections_without_a_district
from umanflow.balance.errors import BalanceError
from umanflow.balance.reading import Document, read_input
from umanflow.balance.volumes import Sources, volumes_of
from umanflow.balance.zones import model_zones
from umanflow.config import Config
from umanflow.districts import find_districts
from umanflow.service import milliseconds
from umanflow.store import open_store
from umanflow.tagging import every_tag


@dataclass(frozen=True, slots=True)
class Study:
    """A balance and all that follows from it."""

    case: Case
    balance: Balance
    indicators: Indicators
    values: Values
    components: Components
    unavoidable_background: Result
    intervention: Intervention
    dmas: tuple[DmaBalance, ...]


def study_file(path: Path) -> Study:
    """Compute the balance of an input file.

    Raises
    ------
    BalanceError
        If it says what cannot be, or asks for what is not there; a line each.
    """
    document = read_input(path)
    content = document.content
    if content.period is None:
        raise BalanceError([f"{path}: period is missing; write [period] with from = 2025-01-01 and to = 2026-01-01"])
    start, end = (dt.datetime.combine(day, dt.time()) for day in (content.period.start, content.period.to))
    return _study(document, Period(start, end, (end - start).total_seconds()), None)


def study_period(config: Config, since: str | None, until: str | None, path: Path) -> Study:
    """Compute the balance of a period of the historian; `path` says what no meter knows.

    Raises
    ------
    BalanceError, UserError
        As above, or if there is no such period or network.
    """
    document = read_input(path)
    start_ms, end_ms = milliseconds(since, "--from"), milliseconds(until, "--to")
    if start_ms is None or end_ms is None or end_ms <= start_ms:
        raise BalanceError(["--from and --to: a balance needs a period; write --from 2026-01-01 --to 2026-01-08"])
    network = load(config.network_path, config.crs)
    table = every_tag(config)
    dmas = _districts(network, table.tags)
    unknown = sections_without_a_district(document.content, dmas)
    if unknown and dmas:
        names = ", ".join(dma.name for dma in dmas)
        raise BalanceError([f"{path}: dma '{n}': the network has no such district; it has {names}" for n in unknown])
    zone = ZoneInfo(config.timezone)
    start, end = (dt.datetime.fromtimestamp(ms / 1000.0, zone).replace(tzinfo=None) for ms in (start_ms, end_ms))
    zones = model_zones(network, dmas)
    store = open_store(config)
    try:
        archive = MeterArchive(store, table.tags, start_ms, end_ms, config.timezone, zones.tank_area)
        amr = document.content.amr
        samples = read_samples(path.parent / amr.file, amr.meter_limits_percent) if amr is not None else None
        measured = Measured(archive, network, dmas, zones, samples)
        period = Period(start, end, (end_ms - start_ms) / 1000.0, config.timezone)
        return _study(document, period, measured)
    finally:
        store.close()


def _districts(network: Network, tags: Sequence[Tag]) -> tuple[Dma, ...]:
    """Districts of the network's tables; without them those that the metered links of the tag table cut out."""
    if network.sensors is not None:
        return tuple(find_districts(network))
    with Engine(network) as engine:
        links = set(engine.topology.links)
    meters = sorted({tag.element for tag in tags if tag.quantity in ("flow", "volume")} & links)
    return tuple(find_districts(network, meters)) if meters else ()


def _study(document: Document, period: Period, measured: Measured | None) -> Study:
    case, balance = case_of(document, period, measured)
    duration, volume = case.period.duration, balance.volume
    factor = case.factor
    if isinstance(factor, Lack) and not isinstance(case.background, Lack):
        factor = condition_factor(case.background, case.system)
    return Study(
        case=case,
        balance=balance,
        indicators=indicators_of(volume("real_losses"), duration, case.system),
        values=values_of(volume("real_losses"), volume("apparent_losses"), volume("unbilled"), case.prices),
        components=components_of(volume("real_losses"), duration, case.system, case.breaks, factor),
        unavoidable_background=unavoidable_background(case.system),
        intervention=intervention(case.survey_cost, case.prices.variable_cost, case.rate_of_rise),
        dmas=tuple(dma_balance(dma, duration) for dma in case.dmas),
    )


def case_of(document: Document, period: Period, measured: Measured | None) -> tuple[Case, Balance]:
    """Everything that is known, and the table, which districts need.

    Raises
    ------
    BalanceError
        If a volume asks for what is not there.
    """
    content, inputs = document.content, Inputs()
    stated = period.duration
    if content.period is not None:
        stated = (content.period.to - content.period.start).total_seconds()
    billing = content.billing
    sources = Sources(
        period=period,
        stated_duration=stated,
        billing=None if billing is None else read_billing(document.path.parent / billing.file, billing.limits_percent),
        billing_source=Source.MEASURED if billing is None else Source(billing.source),
        archive=None if measured is None else measured.archive,
    )
    try:
        volumes = volumes_of(content, sources)
    except BalanceError as error:
        raise BalanceError([f"{document.path}: {line}" for line in error.lines]) from error
    balance, system = balance_of(volumes), system_of(content, inputs)
    background, survey = content.background, content.survey
    case = Case(
        name=content.name,
        note=content.note,
        is_synthetic=content.synthetic or (measured is not None and measured.network.is_synthetic),
        period=period,
        volumes=volumes,
        system=system,
        prices=prices_of(content, inputs),
        currency=content.prices.currency,
        income=content.network.income,
        breaks=breaks_of(content, inputs),
        factor=inputs.number("background.condition_factor", background.condition_factor),
        background=inputs.number("background.measured_m3h", background.measured_m3h, 1.0 / HOUR_S),
        survey_cost=inputs.number("survey.cost", survey.cost),
        rate_of_rise=inputs.number(
            "survey.rate_of_rise_m3d_a_year", survey.rate_of_rise_m3d_a_year, 1.0 / DAY_S / YEAR_S
        ),
        dmas=districts_of(content, balance, system, sources, inputs, measured),
        given=tuple(inputs.given),
        versions=_versions(document, measured),
    )
    return case, balance


def _versions(document: Document, measured: Measured | None) -> tuple[tuple[str, str], ...]:
    found = [("umanflow", version("umanflow")), (document.path.name, f"sha256 {document.sha256[:16]}")]
    if measured is not None:
        found.append((measured.network.name, f"sha256 {measured.network.sha256[:16]}"))
    return tuple(found)
