"""The boxes of the IWA water balance."""

from __future__ import annotations

from models.balance import Balance
from models.uncertain import Lack, divide
from umanflow.balance.drawing import Drawing, wrapped
from umanflow.balance.language import Language
from umanflow.balance.page import Cells

_WIDTH, _ROW, _GAP = 1080.0, 58.0, 3.0
_COLUMNS = (170.0, 190.0, 220.0, 300.0, 188.0)
# column, first row, rows, key, colour; the lowest row, real losses, is two high
_BOXES = (
    (0, 0, 9, "supplied", "#dbe9f6"),
    (1, 0, 4, "authorised", "#d8efe0"), (1, 4, 5, "losses", "#fbe3d6"),
    (2, 0, 2, "billed", "#d8efe0"), (2, 2, 2, "unbilled", "#e9f3d3"), (2, 4, 3, "apparent_losses", "#fdf0cf"),
    (2, 7, 2, "real_losses", "#f7cfc4"),
    (3, 0, 1, "billed_metered", "#d8efe0"), (3, 1, 1, "billed_unmetered", "#d8efe0"),
    (3, 2, 1, "unbilled_metered", "#e9f3d3"), (3, 3, 1, "unbilled_unmetered", "#e9f3d3"),
    (3, 4, 1, "unauthorised", "#fdf0cf"), (3, 5, 1, "meter_under_registration", "#fdf0cf"),
    (3, 6, 1, "data_handling", "#fdf0cf"), (3, 7, 2, "real_losses", "#f7cfc4"),
    (4, 0, 2, "revenue", "#bfe3cc"), (4, 2, 7, "non_revenue", "#f3d9c9"),
)  # fmt: skip


def draw_boxes(balance: Balance, language: Language) -> str:
    """Boxes with volumes, their limits, and their share of the input."""
    drawing = Drawing(_WIDTH, 9 * _ROW)
    left = [sum(_COLUMNS[:k]) + k * _GAP for k in range(len(_COLUMNS))]
    for column, row, rows, key, colour in _BOXES:
        x, y = left[column], row * _ROW
        width, height = _COLUMNS[column], rows * _ROW - _GAP
        drawing.box(x, y, width, height, colour, "#9aa6ae")
        label = wrapped(language.word(key), width - 12.0, 12.0)
        figures = _figures(balance, key, language)
        if rows == 1 and len(label) + len(figures) > 3:
            figures = [" · ".join(figures)]
        middle, whole = y + height / 2.0, 1.2 * (12.0 * len(label) + 11.0 * len(figures))
        top = middle - whole / 2.0
        drawing.lines(x + width / 2.0, top + 0.6 * 12.0 * len(label), label, 12.0, bold=True)
        drawing.lines(x + width / 2.0, top + 1.2 * 12.0 * len(label) + 0.6 * 11.0 * len(figures), figures, 11.0)
    return drawing.svg(language.word("draw_box"))


def _figures(balance: Balance, key: str, language: Language) -> list[str]:
    """Volume with limits, and share of the input."""
    volume, cells = balance.volume(key), Cells(language)
    if isinstance(volume, Lack):
        return [language.word("not_computed")]
    share = divide(volume, balance.volume("supplied"))
    text = f"{cells.both(volume, most=0)} {language.word('m3')}"
    if isinstance(share, Lack) or key == "supplied":
        return [text]
    return [text, f"{language.number(100.0 * share.value, 1)} {language.word('%')}"]
