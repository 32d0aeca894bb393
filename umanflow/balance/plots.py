"""Figures of a balance: where the water goes, what real losses are, and how districts compare."""

from __future__ import annotations

from collections.abc import Sequence

from models.balance import Balance
from models.balance_components import Components
from models.dmabalance import DmaBalance
from models.uncertain import Lack, Result, Uncertain, divide
from umanflow.balance.drawing import INK, LINE, SOFT, Drawing, nice_step, wrapped
from umanflow.balance.language import Language
from umanflow.balance.page import Cells

_WIDTH, _LABEL, _VALUE, _BAR = 1080.0, 270.0, 170.0, 34.0
_DAY_S = 86_400.0
_STEPS = (
    ("supplied", "#5b93c7"), ("billed_metered", "#4fa772"), ("billed_unmetered", "#4fa772"),
    ("unbilled_metered", "#9dbf3f"), ("unbilled_unmetered", "#9dbf3f"), ("unauthorised", "#e0b02f"),
    ("meter_under_registration", "#e0b02f"), ("data_handling", "#e0b02f"), ("real_losses", "#cf5b3c"),
)  # fmt: skip


class _Bars:
    """Horizontal bars on one scale, with whiskers."""

    def __init__(self, rows: int, low: float, high: float, language: Language) -> None:
        self.drawing = Drawing(_WIDTH, rows * _BAR + 34.0)
        self._low, self._high = min(0.0, low), max(high, 1e-9)
        self._language, self._cells = language, Cells(language)
        step = nice_step(self._high - self._low)
        tick = -step * int(-self._low / step) if self._low < 0.0 else 0.0
        while tick <= self._high + 1e-9:
            x = self.x(tick)
            self.drawing.line(x, 4.0, x, rows * _BAR + 4.0, LINE)
            decimals = 0 if step >= 1.0 and step == int(step) else 1
            self.drawing.text(x, rows * _BAR + 22.0, language.number(tick, decimals), 11.0, "middle", fill=SOFT)
            tick += step

    def x(self, value: float) -> float:
        """Place of a value."""
        room = _WIDTH - _LABEL - _VALUE
        return _LABEL + room * (value - self._low) / (self._high - self._low)

    def row(self, number: int, label: str, result: Result, start: float, colour: str, half: float = 1.0) -> None:
        """A bar from `start` of a result's length; `half` is its share of the row's height."""
        y = number * _BAR + 4.0
        drawing = self.drawing
        drawing.lines(_LABEL - 10.0, y + _BAR / 2.0, wrapped(label, _LABEL - 14.0, 11.5)[:2], 11.5, "end")
        self.bar(y + 5.0, (_BAR - 10.0) * half, result, start, colour)

    def bar(self, y: float, height: float, result: Result, start: float, colour: str, size: float = 11.5) -> None:
        """The bar alone, with its value at the right margin of the picture."""
        drawing, right = self.drawing, _WIDTH - 4.0
        if isinstance(result, Lack):
            drawing.text(right, y + height / 2.0 + 4.0, self._language.word("not_computed"), size, "end", fill=SOFT)
            return
        ends = sorted((self.x(start), self.x(start + result.value)))
        drawing.box(ends[0], y, max(ends[1] - ends[0], 0.8), height, colour)
        if result.half > 0.0:
            a, b = self.x(start + result.low), self.x(start + result.high)
            middle = y + height / 2.0
            drawing.line(a, middle, b, middle, INK, 1.2)
            for x in (a, b):
                drawing.line(x, middle - 4.0, x, middle + 4.0, INK, 1.2)
        drawing.text(right, y + height / 2.0 + 4.0, self._cells.both(result, most=1), size, "end")


def draw_waterfall(balance: Balance, to_day: float, language: Language) -> str:
    """From the input down to real losses, m3/d; empty where the input is not known."""
    supplied = balance.volume("supplied")
    if isinstance(supplied, Lack):
        return ""
    shown = [(key, colour, _scaled(balance.volume(key), to_day)) for key, colour in _STEPS]
    place, starts, ends = to_day * supplied.value, [], [0.0]
    for key, _, result in shown:
        value = result.value if isinstance(result, Uncertain) else 0.0
        start = 0.0 if key in ("supplied", "real_losses") else place - value
        place = place if key == "supplied" else start
        starts.append(start)
        if isinstance(result, Uncertain):
            ends += [start + result.low, start + result.high]
    bars = _Bars(len(shown), min(ends), max(ends), language)
    for number, ((key, colour, result), start) in enumerate(zip(shown, starts, strict=True)):
        bars.row(number, language.word(key), result, start, colour)
    return bars.drawing.svg(language.word("draw_waterfall"))


def draw_components(components: Components, to_day: float, language: Language) -> str:
    """Background, reported, unreported and hidden losses, m3/d; empty where none is known."""
    keys = (("background", "#8d6fb0"), ("reported", "#5b93c7"), ("unreported", "#e0b02f"), ("hidden", "#cf5b3c"))
    shown = [(key, colour, _scaled(getattr(components, key), to_day)) for key, colour in keys]
    known = [result for _, _, result in shown if isinstance(result, Uncertain)]
    if not any(result.value for result in known):
        return ""
    bars = _Bars(len(shown), min(r.low for r in known), max(r.high for r in known), language)
    for number, (key, colour, result) in enumerate(shown):
        bars.row(number, language.word(key), result, 0.0, colour)
    return bars.drawing.svg(language.word("draw_components"))


def draw_districts(dmas: Sequence[DmaBalance], language: Language) -> str:
    """Real losses of districts by both accounts, L per connection and day; empty where none is known."""
    shown = [(dma.of.name, *_both(dma)) for dma in dmas]
    known = [result for _, *pair in shown for result in pair if isinstance(result, Uncertain)]
    if not known:
        return ""
    # a row for the legend below the last one
    bars = _Bars(len(shown) + 1, min(r.low for r in known), max(r.high for r in known), language)
    for number, (name, by_balance, by_night) in enumerate(shown):
        y = number * _BAR + 4.0
        bars.drawing.lines(_LABEL - 10.0, y + _BAR / 2.0, [name], 11.5, "end")
        bars.bar(y + 3.0, 12.0, by_balance, 0.0, "#cf5b3c", 10.0)
        bars.bar(y + 17.0, 12.0, by_night, 0.0, "#5b6fc7", 10.0)
    y = len(shown) * _BAR + 12.0
    for x, key, colour in ((_LABEL, "by_balance", "#cf5b3c"), (_LABEL + 200.0, "by_night", "#5b6fc7")):
        bars.drawing.box(x, y, 14.0, 12.0, colour)
        bars.drawing.text(x + 20.0, y + 10.5, language.word(key), 11.5)
    return bars.drawing.svg(language.word("draw_districts"))


def _both(dma: DmaBalance) -> tuple[Result, Result]:
    """Losses per connection by balance and by night, L a day."""
    by_night = divide(_scaled(dma.of.night.loss, 1.0), dma.of.system.connections)
    scale = 1e3 * _DAY_S
    return _scaled(divide(dma.indicators.carl, dma.of.system.connections), scale), _scaled(by_night, scale)


def _scaled(result: Result, factor: float) -> Result:
    return result if isinstance(result, Lack) else factor * result
