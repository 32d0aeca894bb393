"""Options and times, as EPANET reads them, written as WNTR reads them."""

from __future__ import annotations

from networks.inp.clock import as_duration, as_time_of_day, seconds
from networks.inp.document import Line, is_word
from networks.inp.facts import Facts, Words

_PLAIN = {"HEADL": "HEADLOSS", "HEADERROR": "HEADERROR", "TRIAL": "TRIALS", "ACCU": "ACCURACY", "TOLER": "TOLERANCE",
          "FLOWCHANGE": "FLOWCHANGE", "DAMPLIMIT": "DAMPLIMIT", "CHECKFREQ": "CHECKFREQ",
          "MAXCHECK": "MAXCHECK"}  # fmt: skip
_STATISTICS = {"NONE": "NONE", "AVER": "AVERAGED", "MINI": "MINIMUM", "MAXI": "MAXIMUM", "RANG": "RANGE"}
_DAY = 86400
_CONSTANT = "~constant"


def option(facts: Facts, line: Line) -> Words:
    """One line of `[OPTIONS]`."""
    words = line.words
    word, rest = words[0], words[1:]
    if not rest:
        return ()  # EPANET passes over an option without a value
    for start, name in _PLAIN.items():
        if is_word(word, start):
            return (name, *rest[:1])
    for start, rewrite in _SPECIAL.items():
        if is_word(word, start):
            return rewrite(facts, line)
    return words


def _units(facts: Facts, _line: Line) -> Words:
    return ("UNITS", facts.flow_units)


def _pressure(facts: Facts, line: Line) -> Words:
    if len(line.words) > 2:
        return ("PRESSURE", "EXPONENT", line.words[2])
    return ()  # `Facts` turns the values themselves into psi or metres


def _limit(facts: Facts, line: Line) -> Words:
    """MINIMUM PRESSURE and REQUIRED PRESSURE go last: WNTR converts them by units that it must have read."""
    if len(line.words) > 2:
        name = "MINIMUM" if is_word(line.words[0], "MINI") else "REQUIRED"
        facts.add("OPTIONS", name, "PRESSURE", facts.as_pressure(line.words[2]))
    return ()


def _quality(facts: Facts, line: Line) -> Words:
    words = line.words[1:]
    if is_word(words[0], "TRACE") or len(words) < 2:
        return ("QUALITY", *words[:2])
    if "mg" in words[1].lower() or "ug" in words[1].lower():
        return ("QUALITY", *words[:2])
    if not (is_word(words[0], "NONE") or is_word(words[0], "AGE")):
        facts.note(f"line {line.number}: '{words[1]}' is no unit of concentration; mg/L is taken")
    return ("QUALITY", words[0])


def _pattern(facts: Facts, line: Line) -> Words:
    if line.words[1] not in facts.patterns:
        if line.words[1] != "1":  # which EPANET's own window writes whether or not there is one
            facts.note(f"line {line.number}: the default pattern {line.words[1]} does not exist; demands are constant")
            if "1" in facts.patterns:  # which WNTR would take for the default
                facts.add("PATTERNS", _CONSTANT, "1")
                return ("PATTERN", _CONSTANT)
        return ()
    return ("PATTERN", line.words[1])


def _demand(facts: Facts, line: Line) -> Words:
    words = line.words
    if len(words) < 3:
        return ()  # as does EPANET
    if is_word(words[1], "MODEL"):
        return ("DEMAND", "MODEL", words[2].upper())
    return ("DEMAND", "MULTIPLIER", words[2])


def _emitter(_facts: Facts, line: Line) -> Words:
    words = line.words
    return ("EMITTER", "EXPONENT", words[2]) if len(words) > 2 else ()


def _gravity(_facts: Facts, line: Line) -> Words:
    return ("SPECIFIC", "GRAVITY", line.words[2]) if len(line.words) > 2 else ()


def _backflow(facts: Facts, line: Line) -> Words:
    if not is_word(line.words[-1], "YES"):
        facts.note("BACKFLOW ALLOWED NO is EPANET 2.3's; the model lets emitters flow back")
    return ()


def _unbalanced(facts: Facts, line: Line) -> Words:
    words = line.words[1:]
    if is_word(words[0], "STOP"):
        return ("UNBALANCED", "STOP")
    return ("UNBALANCED", "CONTINUE", str(int(float(words[1])))) if len(words) > 1 else ("UNBALANCED", "CONTINUE")


def _passed_over(facts: Facts, line: Line) -> Words:
    facts.note(f"option {line.words[0].upper()} has no place in the model and no effect on the hydraulics")
    return ()


def _relative(facts: Facts, line: Line) -> Words:
    """Viscosity and diffusivity, relative to water's; EPANET takes small numbers as absolute, ft2/s or m2/s."""
    name, water, least = _FLUID[line.words[0][:4].upper()]
    value = float(line.words[1])
    if value > least:
        return (name, line.words[1])
    return (name, f"{value / (water * (_FOOT**2 if facts.is_metric else 1.0)):.12g}")


_FOOT = 0.3048
# EPANET's own for water, ft2/s, and the largest number that it takes as absolute
_FLUID = {"VISC": ("VISCOSITY", 1.1e-5, 1e-3), "DIFF": ("DIFFUSIVITY", 1.3e-8, 1e-4)}
_SPECIAL = {
    "VISC": _relative, "DIFF": _relative,
    "UNIT": _units, "PRESS": _pressure, "MINI": _limit, "REQU": _limit, "QUAL": _quality, "PATT": _pattern,
    "DEMA": _demand, "EMIT": _emitter, "UNBA": _unbalanced, "SEGM": _passed_over, "VERI": _passed_over,
    "RADI": _passed_over, "SPEC": _gravity, "BACKFLOW": _backflow,
}  # fmt: skip


def times(facts: Facts) -> list[Words]:
    """All of `[TIMES]` as EPANET takes it: defaults filled in, steps shortened to those that bound them.

    Raises
    ------
    ValueError
        If a line holds no time.
    """
    found = {"DURATION": 0, "HYDRAULIC": 3600, "PATTERN": 3600, "START": 0, "REPORT": 3600, "RSTART": 0, "CLOCK": 0,
             "QUALITY": 0, "RULE": 0}  # fmt: skip
    statistic = "NONE"
    for line in facts.document.section("TIMES"):
        words = line.words
        if is_word(words[0], "STAT"):
            statistic = next((full for key, full in _STATISTICS.items() if is_word(words[-1], key)), "NONE")
        elif len(words) > 1:
            try:
                found[_time_name(words)] = _last_time(words)
            except ValueError as error:
                raise ValueError(f"line {line.number} of [TIMES]: {error}") from error
    hydraulic = min(found["HYDRAULIC"], found["PATTERN"], found["REPORT"])
    rule = min(found["RULE"] or hydraulic // 10, hydraulic)
    report_start = 0 if found["RSTART"] > found["DURATION"] else found["RSTART"]
    return [
        ("DURATION", as_duration(found["DURATION"])),
        ("HYDRAULIC", "TIMESTEP", as_duration(hydraulic)),
        ("QUALITY", "TIMESTEP", as_duration(min(found["QUALITY"] or hydraulic // 10, hydraulic))),
        ("PATTERN", "TIMESTEP", as_duration(found["PATTERN"])),
        ("PATTERN", "START", as_duration(found["START"])),
        ("REPORT", "TIMESTEP", as_duration(found["REPORT"])),
        ("REPORT", "START", as_duration(report_start)),
        ("RULE", "TIMESTEP", as_duration(max(rule, 1))),
        ("START", "CLOCKTIME", *as_time_of_day(found["CLOCK"] % _DAY)),
        ("STATISTIC", statistic),
    ]


def _time_name(words: Words) -> str:
    second = words[1].upper() if len(words) > 2 else ""
    for start, name in (("DURA", "DURATION"), ("HYDR", "HYDRAULIC"), ("QUAL", "QUALITY"), ("RULE", "RULE")):
        if is_word(words[0], start):
            return name
    if is_word(words[0], "PATT"):
        return "START" if second.startswith("STAR") else "PATTERN"
    if is_word(words[0], "REPO"):
        return "RSTART" if second.startswith("STAR") else "REPORT"
    if is_word(words[0], "STAR"):
        return "CLOCK"
    raise ValueError(f"'{' '.join(words)}' is not known")


def _last_time(words: Words) -> int:
    """The last word is a time, or the unit of the one before it."""
    last = words[-1]
    if last[:1].isdigit() or last[:1] in ".-+":
        return seconds((last,))
    return seconds(words[-2:])
