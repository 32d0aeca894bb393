"""What a study says, section by section."""

from __future__ import annotations

from models.balance_indicators import band_awwa, band_eu, band_per_connection, band_world_bank
from models.uncertain import Lack, Result, Uncertain, divide
from umanflow.balance.case import DAY_S, KM, YEAR_S
from umanflow.balance.diagram import draw_boxes
from umanflow.balance.district_content import district_sections
from umanflow.balance.language import Language, written_decimals
from umanflow.balance.page import DASH, Cell, Cells, Page, Row, Section, Table, Tile
from umanflow.balance.plots import draw_components, draw_waterfall
from umanflow.balance.study import Study

_LEVELS = {
    "supplied": 0, "authorised": 0, "billed": 1, "billed_metered": 2, "billed_unmetered": 2, "unbilled": 1,
    "unbilled_metered": 2, "unbilled_unmetered": 2, "losses": 0, "apparent_losses": 1, "unauthorised": 2,
    "meter_under_registration": 2, "data_handling": 2, "real_losses": 1, "revenue": 0, "non_revenue": 0,
}  # fmt: skip
_MONTH_S = YEAR_S / 12.0
_MOST_DRIVERS = 10


def page_of(study: Study, language: Language) -> Page:
    """Write a study down."""
    case, word = study.case, language.word
    days = case.period.duration / DAY_S
    subtitle = word(
        "period", start=language.moment(case.period.start), end=language.moment(case.period.end),
        days=language.number(days, 0 if abs(days - round(days)) < 1e-9 else 2),
    )  # fmt: skip
    if case.period.clock:
        subtitle += f" · {word('clock', clock=case.period.clock)}"
    made = _Sections(study, language)
    sections = (
        made.findings(), made.boxes(), made.lines(), made.waterfall(), made.entries(), made.indicators(),
        made.values(), made.components(), made.intervention(), *district_sections(study, language), made.drivers(),
        made.given(), made.lacks(),
    )  # fmt: skip
    return Page(
        lang=language.lang,
        title=word("title", name=case.name),
        subtitle=subtitle,
        banner=word("synthetic") if case.is_synthetic else "",
        note=case.note,
        tiles=made.tiles(),
        sections=tuple(section for section in sections if section is not None),
        footer=word("footer", versions=", ".join(f"{name} {text}" for name, text in case.versions)),
    )


def findings_of(study: Study, language: Language) -> tuple[str, ...]:
    """Sentences on what does not fit."""
    word = language.word
    found = [word(key, where=word("whole_system")) for key in study.balance.findings]
    hidden = study.components.hidden
    if isinstance(hidden, Uncertain) and hidden.value < 0.0:
        found.append(word("negative_hidden"))
    return (*found, *(word(key, where=dma.of.name) for dma in study.dmas for key in dma.findings))


def drivers_of(study: Study) -> dict[str, float]:
    """Share of the variance of the real losses by input, or of the losses where these lack something."""
    for key in ("real_losses", "non_revenue"):
        volume = study.balance.volume(key)
        if isinstance(volume, Uncertain):
            return volume.shares
    return {}


def results_of(study: Study) -> dict[str, Result]:
    """Every result of the whole system by its key."""
    balance, indicators = study.balance, study.indicators
    found: dict[str, Result] = {key: line.volume for key, line in balance.lines.items()}
    found["revenue_ratio"] = divide(balance.volume("billed"), balance.volume("supplied"))
    found["nrw_ratio"] = divide(balance.volume("non_revenue"), balance.volume("supplied"))
    found["apparent_ratio"] = divide(balance.volume("apparent_losses"), balance.volume("billed"))
    for key in ("carl", "uarl", "ili", "per_connection", "per_connection_metre", "per_length", "density"):
        found[key] = getattr(indicators, key)
    names = ("real_losses", "apparent_losses", "unbilled", "non_revenue", "ratio")
    for key, name in zip(("value_real", "value_apparent", "value_unbilled", "value_nrw", "value_ratio"), names,
                         strict=True):  # fmt: skip
        found[key] = getattr(study.values, name)
    for key in ("unavoidable", "background", "reported", "unreported", "hidden", "factor", "factor_most"):
        found[key] = getattr(study.components, key)
    for key in ("interval", "share_a_year", "budget_a_year", "unreported_a_year"):
        found[key] = getattr(study.intervention, key)
    return found


def bands_of(study: Study) -> dict[str, str]:
    """Bands of ILI and of losses per connection; empty where nobody said whose bands, or ILI is not known."""
    ili, income = study.indicators.ili, study.case.income
    if income is None:
        return {}
    found = {}
    if isinstance(ili, Uncertain) and not study.indicators.misleading:
        found = {
            "world_bank": band_world_bank(ili.value, income),
            "eu": band_eu(ili.value, income),
            "awwa": band_awwa(ili.value),
        }
    each, pressure = study.indicators.per_connection, study.case.system.pressure
    if isinstance(each, Uncertain) and isinstance(pressure, Uncertain):
        found["per_connection"] = band_per_connection(each.value, pressure.value, income)
    return found


class _Sections:
    def __init__(self, study: Study, language: Language) -> None:
        self._study, self._language, self._word = study, language, language.word
        self._cells = Cells(language)
        self._to_day = DAY_S / study.case.period.duration
        self._results = results_of(study)

    # head -------------------------------------------------------------------------------------------------------------

    def tiles(self) -> tuple[Tile, ...]:
        """The numbers that a director asks for."""
        results, currency = self._results, self._language.may(self._study.case.currency)
        percent, flow = self._word("%"), self._language.flow_unit
        factor = self._language.flow_factor
        shown = (
            ("revenue_ratio", 100.0, percent, 1),
            ("nrw_ratio", 100.0, percent, 1),
            ("carl", factor, self._word(flow), 1),
            ("per_connection", KM * DAY_S, self._word("L/conn/d"), 0),
            ("ili", 1.0, "", 1),
            ("value_nrw", 1.0, currency, 0),
        )
        return tuple(self._tile(key, results[key], scale, unit, most) for key, scale, unit, most in shown)

    def _tile(self, key: str, result: Result, factor: float, unit: str, most: int) -> Tile:
        label = self._word(key)
        if isinstance(result, Lack):
            return Tile(label, DASH, self._word("not_computed"))
        if key == "ili" and self._study.indicators.misleading:  # losses by connection stand beside it
            return Tile(label, DASH, self._word("misleads"))
        value, half = self._cells.pair(result, factor, most)
        detail = "" if half.text == DASH else f"± {half.text}"
        bands = bands_of(self._study)
        if key == "ili" and "world_bank" in bands:
            detail += f" · WB {bands['world_bank']}, EU {bands['eu']}"
        return Tile(label, f"{value.text} {unit}".strip(), detail.strip())

    def findings(self) -> Section | None:
        """What does not fit, where something does not."""
        points = findings_of(self._study, self._language)
        return Section("findings", self._word("section_findings"), points=points) if points else None

    # the balance ------------------------------------------------------------------------------------------------------

    def boxes(self) -> Section:
        """The box diagram."""
        figure = draw_boxes(self._study.balance, self._language)
        return Section(
            "balance", self._word("section_balance"), self._word("intro_balance"), figure, self._word("draw_box")
        )

    def waterfall(self) -> Section | None:
        """From input to real losses."""
        figure = draw_waterfall(self._study.balance, self._to_day, self._language)
        label = self._word("draw_waterfall")
        return Section("waterfall", self._word("section_waterfall"), label, figure, label) if figure else None

    def lines(self) -> Section:
        """The table."""
        heads = ("head_line", "head_volume", "head_limits", "head_limits_percent", "head_rate", "head_share",
                 "head_source")  # fmt: skip
        supplied = self._study.balance.volume("supplied")
        rows = []
        for key, line in self._study.balance.lines.items():
            volume, source = line.volume, str(line.source)
            if isinstance(volume, Lack) and line.source != "none":
                source = "not_computed"
            value, half = self._cells.pair(volume, most=0)
            cells = (
                Cell(self._word(key)), value, half, self._cells.percent_of(volume),
                self._cells.pair(volume, self._to_day, 1)[0],
                self._cells.pair(divide(volume, supplied), 100.0, 1)[0], Cell(self._word(source)),
            )  # fmt: skip
            rows.append(Row(cells, _LEVELS[key], _LEVELS[key] == 0))
        table = Table(tuple(map(self._word, heads)), (False, True, True, True, True, True, False), tuple(rows),
                      (True, False, False, False, False, False, False))  # fmt: skip
        return Section("lines", self._word("section_lines"), self._word("intro_lines"), table=table)

    def entries(self) -> Section:
        """Every volume that was given."""
        heads = ("head_line", "head_input", "head_volume", "head_limits_percent", "head_source", "head_remark")
        rows = []
        for line, entry in self._study.case.entries:
            remark = entry.note
            if entry.under is not None and entry.under_source is not None:
                under = f"{self._word('meter_under_registration')}: {self._cells.both(entry.under, 100.0, 1)} %"
                remark = f"{remark}; {under}" if remark else under
                remark += f", {self._word(entry.under_source)}"
            value = entry.sign * entry.volume
            cells = (
                Cell(self._word(line)), Cell(entry.name), self._cells.pair(value, most=0)[0],
                self._cells.percent_of(value), Cell(self._word(entry.source)), Cell(remark),
            )  # fmt: skip
            rows.append(Row(cells))
        table = Table(tuple(map(self._word, heads)), (False, False, True, True, False, False), tuple(rows),
                      (True, True, False, False, False, True))  # fmt: skip
        return Section("entries", self._word("section_entries"), table=table)

    # what follows -----------------------------------------------------------------------------------------------------

    def _quantities(self, key: str, rows: list[tuple[str, Result, float, str, str]], intro: str = "") -> Section:
        """A table of results: key, result, factor to its unit, unit, remark."""
        made = []
        for name, result, factor, unit, remark in rows:
            value, half = self._cells.pair(result, factor)
            if isinstance(result, Lack):
                remark = self._word("not_computed")
            elif name in ("uarl", "ili") and self._study.indicators.misleading:
                value = half = Cell(DASH)
            made.append(Row((Cell(self._word(name)), value, half, Cell(unit), Cell(remark))))
        heads = tuple(map(self._word, ("head_quantity", "head_value", "head_half", "head_unit", "head_remark")))
        table = Table(heads, (False, True, True, False, False), tuple(made), (True, False, False, False, True))
        return Section(key, self._word(f"section_{key}"), intro, table=table)

    def indicators(self) -> Section:
        """Ratios, rates, and ILI with its bands."""
        r, word = self._results, self._word
        percent, flow, factor = word("%"), word(self._language.flow_unit), self._language.flow_factor
        bands = bands_of(self._study)
        ili = word("remark_no_income") if self._study.case.income is None else ""
        if self._study.indicators.misleading:
            why = ", ".join(word(key) for key in self._study.indicators.misleading)
            ili = word("remark_misleading", why=why)
        elif "eu" in bands:
            ili = word("remark_bands", wb=bands["world_bank"], eu=bands["eu"], awwa=word(bands["awwa"]))
        each = []
        if "per_connection" in bands:
            each.append(word("remark_band_connection", band=bands["per_connection"]))
        if self._study.indicators.misleading and not self._study.indicators.is_rural:
            each.append(word("remark_preferred"))
        rural = word("remark_rural") if self._study.indicators.is_rural else ""
        return self._quantities("indicators", [
            ("revenue_ratio", r["revenue_ratio"], 100.0, percent, ""),
            ("nrw_ratio", r["nrw_ratio"], 100.0, percent, ""),
            ("apparent_ratio", r["apparent_ratio"], 100.0, percent, ""),
            ("carl", r["carl"], factor, flow, ""),
            ("uarl", r["uarl"], factor, flow, ili if self._study.indicators.misleading else word("remark_uarl")),
            ("ili", r["ili"], 1.0, "", ili),
            ("per_connection", r["per_connection"], KM * DAY_S, word("L/conn/d"), "; ".join(each)),
            ("per_connection_metre", r["per_connection_metre"], KM * DAY_S, word("L/conn/d/m"), ""),
            ("per_length", r["per_length"], KM * DAY_S, word("m3/km/d"), rural),
            ("density", r["density"], KM, word("1/km"), ""),
        ])  # fmt: skip

    def values(self) -> Section:
        """Money."""
        currency, r = self._language.may(self._study.case.currency), self._results
        keys = ("value_real", "value_apparent", "value_unbilled", "value_nrw")
        rows = [(key, r[key], 1.0, currency, "") for key in keys]
        return self._quantities("values", [*rows, ("value_ratio", r["value_ratio"], 100.0, self._word("%"), "")])

    def components(self) -> Section:
        """Component analysis."""
        r, word, unit = self._results, self._word, self._word("m3/d")
        rows = [
            ("unavoidable", r["unavoidable"], self._to_day, unit, word("remark_unavoidable")),
            ("background", r["background"], self._to_day, unit, word("remark_background")),
            ("reported", r["reported"], self._to_day, unit, word("remark_breaks")),
            ("unreported", r["unreported"], self._to_day, unit, word("remark_breaks")),
            ("hidden", r["hidden"], self._to_day, unit, ""),
            ("factor", r["factor"], 1.0, "", ""),
            ("factor_most", r["factor_most"], 1.0, "", word("remark_factor_most")),
        ]
        made = self._quantities("components", rows, word("intro_components"))
        figure = draw_components(self._study.components, self._to_day, self._language)
        return Section(made.key, made.title, made.intro, figure, word("draw_components") if figure else "", made.table)

    def intervention(self) -> Section:
        """Economic intervention."""
        r, word = self._results, self._word
        year = word("per_year", currency=self._language.may(self._study.case.currency))
        return self._quantities("intervention", [
            ("interval", r["interval"], 1.0 / _MONTH_S, word("months"), word("remark_interval")),
            ("share_a_year", r["share_a_year"], 100.0, word("%"), ""),
            ("budget_a_year", r["budget_a_year"], 1.0, year, ""),
            ("unreported_a_year", r["unreported_a_year"], DAY_S, word("m3/d"), ""),
        ], word("intro_intervention"))  # fmt: skip

    # what it rests on -------------------------------------------------------------------------------------------------

    def drivers(self) -> Section | None:
        """Which inputs the limits come from."""
        shares = list(drivers_of(self._study).items())[:_MOST_DRIVERS]
        if not shares:
            return None
        rows = tuple(Row((Cell(name), self._cells.number(100.0 * share, 1))) for name, share in shares)
        table = Table((self._word("head_input"), self._word("%")), (False, True), rows, (True, False))
        return Section("drivers", self._word("section_drivers"), self._word("intro_drivers"), table=table)

    def given(self) -> Section | None:
        """Every other input."""
        given = self._study.case.given
        if not given:
            return None
        rows = []
        for item in given:
            half = self._cells.number(item.half, written_decimals(item.half)) if item.half > 0.0 else Cell(DASH)
            value = self._cells.number(item.value, written_decimals(item.value))
            rows.append(Row((Cell(item.key), value, half, Cell(self._word(item.source)))))
        heads = tuple(map(self._word, ("head_input", "head_value", "head_half", "head_source")))
        table = Table(heads, (False, True, True, False), tuple(rows), (True, False, False, False))
        return Section("given", self._word("section_given"), table=table)

    def lacks(self) -> Section | None:
        """What was not computed."""
        by_names: dict[tuple[str, ...], list[str]] = {}
        for key, result in self._results.items():
            if isinstance(result, Lack):
                by_names.setdefault(result.names, []).append(self._word(key))
        points = [f"{', '.join(dict.fromkeys(keys))}: {', '.join(names)}" for names, keys in by_names.items()]
        districts: dict[tuple[str, ...], list[str]] = {}
        for dma in self._study.dmas:
            found = [result for result in (dma.real_losses, dma.indicators.per_connection, dma.night_losses)
                     if isinstance(result, Lack)]  # fmt: skip
            if names := tuple(dict.fromkeys(name for result in found for name in result.names)):
                districts.setdefault(names, []).append(dma.of.name)
        points += [f"{', '.join(dmas)}: {', '.join(names)}" for names, dmas in districts.items()]
        return Section("lacks", self._word("section_lacks"), points=tuple(points)) if points else None
