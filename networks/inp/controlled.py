"""An INP with other controls: some links freed of those they have, new lines put in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from networks.inp.document import Document, Line, is_word

_LINE_OF_PUMP = 3  # words before the first keyword of [PUMPS]
_LEVEL = 2  # word of [TANKS]


def controlled(
    data: bytes,
    freed: Collection[str],
    lines: Sequence[str],
    levels: Mapping[str, str] | None = None,
    times: Sequence[str] = (),
) -> bytes:
    """Rewrite an INP.

    Parameters
    ----------
    freed
        Links whose simple controls, rules (those that name one of them) and speed patterns go.
    lines
        For `[CONTROLS]`.
    levels
        Initial levels of tanks, in the file's unit.
    times
        For `[TIMES]`; what stands there already is overruled.
    """
    document, wanted = Document.of(data), set(freed)
    levels = levels or {}
    ruled = _rules_of(document, wanted)
    kept = []
    for line in document.lines:
        if line.section == "END" or line.number in ruled:
            continue
        is_heading = bool(line.words) and line.words[0][:1] == "["
        if not is_heading and line.words:
            if line.section == "CONTROLS" and len(line.words) > 1 and line.words[1] in wanted:
                continue
            if line.section == "PUMPS" and line.words[0] in wanted:
                kept.append(_without_pattern(line))
                continue
            if line.section == "TANKS" and line.words[0] in levels and len(line.words) > _LEVEL:
                words = list(line.words)
                words[_LEVEL] = levels[line.words[0]]
                kept.append(" ".join(words))
                continue
        kept.append(line.text)
    if times:
        kept += ["[TIMES]", *times]
    if lines:
        kept += ["[CONTROLS]", *lines]
    return "\n".join([*kept, "[END]", ""]).encode(document.encoding)


def _rules_of(document: Document, wanted: set[str]) -> set[int]:
    """Numbers of the lines of every rule that names one of some links."""
    dropped: set[int] = set()
    rule: list[Line] = []

    def close() -> None:
        if any(len(line.words) > 2 and line.words[2] in wanted for line in rule):
            dropped.update(line.number for line in rule)

    for line in document.section("RULES"):
        if is_word(line.words[0], "RULE"):
            close()
            rule = []
        rule.append(line)
    close()
    return dropped


def _without_pattern(line: Line) -> str:
    words = list(line.words)
    for k in range(_LINE_OF_PUMP, len(words) - 1):
        if is_word(words[k], "PATT"):
            return " ".join(words[:k] + words[k + 2 :])
    return line.text
