"""Districts in a document: their balances, their nights, and both side by side."""

from __future__ import annotations

from models.balance import Source
from models.balance_indicators import Indicators
from models.dmabalance import DmaBalance
from models.uncertain import Lack
from umanflow.balance.case import DAY_S, KM
from umanflow.balance.language import Language
from umanflow.balance.page import DASH, Cell, Cells, Row, Section, Table
from umanflow.balance.plots import draw_districts
from umanflow.balance.study import Study

_PRESSURE = {
    Source.COMPUTED: "pressure_modelled",
    Source.MEASURED: "pressure_measured",
    Source.STATED: "pressure_stated",
    Source.ASSUMED: "pressure_stated",
}


def district_sections(study: Study, language: Language) -> tuple[Section, ...]:
    """Two tables and a figure; nothing where there is no district."""
    if not study.dmas:
        return ()
    word, figure = language.word, draw_districts(study.dmas, language)
    return (
        Section(
            "districts", word("section_districts"), word("intro_districts"), figure,
            word("draw_districts") if figure else "", _balances(study, language),
        ),
        Section("nights", word("section_nights"), word("intro_nights"), table=_nights(study, language)),
    )  # fmt: skip


def _balances(study: Study, language: Language) -> Table:
    word, cells = language.word, Cells(language)
    to_day = DAY_S / study.case.period.duration
    unit = f",\n{word('m3/d')}"
    heads = (
        word("head_district"), word("inflow") + unit, word("head_coverage") + ",\n%", word("billed_short") + unit,
        word("revenue") + ",\n%", word("real_short") + unit, word("real_short") + f",\n{word('connection_short')}",
        word("ili_short"), word("head_source"),
    )  # fmt: skip
    rows = []
    for dma in study.dmas:
        of = dma.of
        rows.append(Row((
            Cell(of.name), cells.one(of.inflow, to_day, 1),
            cells.number(None if of.coverage is None else 100.0 * of.coverage, 1),
            cells.one(of.billed, to_day, 1), cells.one(dma.revenue_ratio, 100.0, 1),
            cells.one(dma.real_losses, to_day, 1), cells.one(dma.indicators.per_connection, KM * DAY_S, 0),
            _ili(dma.indicators, cells, language),
            Cell("; ".join((
                f"{word('inflow')}: {word(of.inflow_source)}", f"{word('billed_short')}: {word(of.billed_source)}",
                *(_note(key, value, language) for key, value in of.notes),
            ))),
        )))  # fmt: skip
    return Table(heads, (False, True, True, True, True, True, True, True, False), tuple(rows),
                 (False, False, False, False, False, False, False, False, True))  # fmt: skip


def _ili(indicators: Indicators, cells: Cells, language: Language) -> Cell:
    """ILI where it can be relied on; else that it misleads."""
    if isinstance(indicators.ili, Lack):
        return Cell(DASH)
    return Cell(language.word("misleads")) if indicators.misleading else cells.one(indicators.ili, 1.0, 1)


def _note(key: str, value: str, language: Language) -> str:
    if key == "read_from":
        return ", ".join(language.word(f"read_from_{part}") for part in value.split(", "))
    return language.word(key, value=value) if value else language.word(key)


def _nights(study: Study, language: Language) -> Table:
    word, cells = language.word, Cells(language)
    to_day, factor = DAY_S / study.case.period.duration, language.flow_factor
    flow, per_day = f",\n{word(language.flow_unit)}", f",\n{word('m3/d')}"
    heads = (
        word("head_district"), word("nights"), word("minimum") + flow, word("use") + flow, word("n1"),
        word("factor_short") + f",\n{word('h/d')}", word("real_by_night") + per_day, word("gap") + per_day,
        word("head_source"),
    )  # fmt: skip
    rows = tuple(_night(dma, to_day, factor, cells, language) for dma in study.dmas)
    return Table(heads, (False, True, True, True, True, True, True, True, False), rows,
                 (False, False, False, False, False, False, False, False, True))  # fmt: skip


def _night(dma: DmaBalance, to_day: float, factor: float, cells: Cells, language: Language) -> Row:
    night, word = dma.of.night, language.word
    sources = [f"{word('use')}: {word(night.use_source)}", f"{word('n1')}: {word(night.n1_source)}"]
    if night.factor_source in _PRESSURE:
        sources.append(word(_PRESSURE[night.factor_source]))
    return Row((
        Cell(dma.of.name), cells.number(None if night.nights is None else float(night.nights)),
        cells.one(night.flow, factor, 2), cells.one(night.use, factor, 2), cells.one(night.n1, 1.0, 2),
        cells.one(night.factor, 1.0, 1), cells.one(dma.night_losses, to_day, 1), cells.one(dma.gap, to_day, 1),
        Cell("; ".join(sources)),
    ))  # fmt: skip
