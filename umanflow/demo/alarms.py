"""Alarms of the synthetic Uman, each limit with its reason.

Limits come from the network (levels, controls, heights), from ДБН В.2.5-74:2013 (free heads) or are said to be assumed.
None may stand in a day without trouble: the tests let the city live and see that none comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from networks import Network
from scada.alarms import Alarm
from scada.tag import Tag

# free head at a house of one storey, and for each further one (ДБН В.2.5-74:2013); five storeys are the usual house of
# the city, higher ones have boosters of their own (assumed); more than 60 m bursts fittings
_LEAST_HEAD_M, _PER_STOREY_M, _MOST_HEAD_M, _STOREYS = 10.0, 4.0, 60.0, 5
_BOOSTER_SUCTION_M = 5.0  # what a booster must leave in the street it draws from (the same norm)
_DRY_RUNNING_M = 2.0  # over the pumps' axis: half a metre over the empty reservoir's outlet (assumed)
_FIRE_M3H = 36.0  # 10 L/s, one hydrant: what opens at once is a hydrant or a burst
_FREEBOARD_M = 0.1  # below the overflow, where HH is; H is 0.2 m lower, so that there is time to act (assumed)
_OUTLET_M = 0.5  # over the lowest level: below that the outlet draws air (assumed)
_BEYOND_PUMPS_M = 0.2  # below the level at which the last pump starts: all run and it falls still
_TOWER_FALL_M = 2.0  # in an hour: a third of a tower (assumed)
_SISTERS_M = 0.3  # two reservoirs on one pipe: apart further, a valve is shut or a gauge is wrong (assumed)
_PRV_M = 3.0  # off its setpoint (assumed)
_TOWER_OF = {"ps-1": "TOWER-C", "ps-2": "TOWER-W", "ps-3": "TOWER-C", "ps-4": "TOWER-B"}
_QUIET_S = 600.0  # two readings: what is gone with the next reading is nobody's work


def build_alarms(network: Network, tags: Sequence[Tag]) -> list[Alarm]:
    """Return the alarm table of a city whose tags are those of `umanflow.demo.city`."""
    tanks, controls, heights = _tanks(network), _controls(network), _heights(network)
    found: list[Alarm] = []
    for tag in tags:
        device, _, signal = tag.name.partition(".")
        if signal == "level" and tag.element in tanks:
            found += _level(tag, tanks[tag.element], controls)
        elif device.startswith("ps-"):
            found += _station(tag, device, signal, tanks, heights)
        elif device == "gate":
            found += _gate(tag, signal, controls, tanks, heights)
        elif device.startswith("dma-"):
            found += _block(tag, device, signal)
        elif device.startswith("log-") and signal == "pressure":
            found += _logger(tag)
        if signal == "fault":
            found.append(_fault(tag, f"{device}: прилад повідомляє про несправність", f"{device}: instrument fault"))
    return found + [_missing(tag) for tag in tags if tag.element and tag.quantity in {"pressure", "flow", "level"}]


def _tanks(network: Network) -> dict[str, tuple[float, float, float]]:
    """Height, lowest and highest level of each tank, m."""
    rows = [line.words for line in network.document.section("TANKS")]
    return {words[0]: (float(words[1]), float(words[3]), float(words[4])) for words in rows}


def _controls(network: Network) -> list[tuple[str, str, str, str, float]]:
    """Link, setting, tank, above or below, level of each control by level."""
    rows = [[word.upper() for word in line.words] for line in network.document.section("CONTROLS")]
    return [(w[1], w[2], w[5], w[6], float(w[7])) for w in rows if len(w) == 8 and w[3] == "IF"]


def _heights(network: Network) -> dict[str, float]:
    return {line.words[0]: float(line.words[1]) for line in network.document.section("JUNCTIONS")}


def _level(
    tag: Tag, tank: tuple[float, float, float], controls: Sequence[tuple[str, str, str, str, float]]
) -> Iterator[Alarm]:
    _, low, high = tank
    name = tag.element
    starts = [level for link, _, place, way, level in controls if place == name and way == "BELOW" and link[:2] == "PU"]
    is_tower = bool(starts)
    # a tower: the pumps cannot keep it; a reservoir: half of its three days are gone, then three quarters
    least = min(starts) - _BEYOND_PUMPS_M if is_tower else low + 0.5 * (high - low)
    empty = low + _OUTLET_M if is_tower else low + 0.25 * (high - low)
    full = high - _FREEBOARD_M
    base = Alarm(tag.name, "L", deadband=0.1, on_delay_s=60.0)
    yield replace(
        base, kind="HH", limit=round(full, 2), priority="high",
        text_uk=f"{name}: рівень аварійно високий", text_en=f"{name}: level very high",
        cause_uk="насоси або засувка на вході не зупинилися", cause_en="pumps or the inlet valve did not stop",
        consequence_uk="перелив, втрата води", consequence_en="overflow, water is lost",
        action_uk="зупинити подачу в резервуар", action_en="stop the inflow",
    )  # fmt: skip
    yield replace(
        base, kind="H", limit=round(full - 0.2, 2), priority="low", suppressed_by=(f"{tag.name}/HH",),
        text_uk=f"{name}: рівень високий", text_en=f"{name}: level high",
        cause_uk="автоматика не зменшила подачу", cause_en="the controls did not reduce the inflow",
        consequence_uk="невдовзі перелив", consequence_en="overflow soon",
        action_uk="зменшити подачу", action_en="reduce the inflow",
    )  # fmt: skip
    yield replace(
        base, limit=round(least, 2), suppressed_by=(f"{tag.name}/LL",), priority="medium" if is_tower else "high",
        text_uk=f"{name}: рівень низький", text_en=f"{name}: level low",
        cause_uk="велика витрата, порив, не працюють насоси" if is_tower else "немає подачі з магістралі",
        cause_en="high demand, a burst, pumps that do not run" if is_tower else "no inflow from the main",
        consequence_uk="тиск у зоні падає" if is_tower else "води лишилося на півтори доби",
        consequence_en="pressure in the zone falls" if is_tower else "water for a day and a half is left",
        action_uk="перевірити насоси, шукати порив" if is_tower else "з'ясувати подачу, обмежити полив",
        action_en="check the pumps, look for a burst" if is_tower else "ask about the supply, restrict irrigation",
    )  # fmt: skip
    yield replace(
        base, kind="LL", limit=round(empty, 2), priority="critical",
        text_uk=f"{name}: рівень аварійно низький", text_en=f"{name}: level very low",
        cause_uk="порив або зупинка подачі", cause_en="a burst, or the supply has stopped",
        consequence_uk="у мережу потрапляє повітря, зона без води",
        consequence_en="air is drawn in, no water in the zone",
        action_uk="перекрити пошкоджену ділянку, увімкнути резервні насоси",
        action_en="shut off the broken main, start the standby pumps",
    )  # fmt: skip
    if is_tower:
        yield replace(
            base, kind="fall", limit=_TOWER_FALL_M, window_s=3600.0, deadband=0.5, on_delay_s=0.0, priority="high",
            text_uk=f"{name}: рівень швидко падає", text_en=f"{name}: level falls fast",
            cause_uk="порив магістралі", cause_en="a main has burst",
            consequence_uk="вежа спорожніє за лічені години", consequence_en="the tower is empty within hours",
            action_uk="порівняти витрати зон, вислати бригаду", action_en="compare the zones' flows, send a crew",
        )  # fmt: skip
    if name == "RES-2":
        yield replace(
            base, kind="deviation", limit=_SISTERS_M, expected="tank-res-1.level", on_delay_s=_QUIET_S, priority="low",
            text_uk="RES-1 і RES-2: рівні розійшлися", text_en="RES-1 and RES-2: levels differ",
            cause_uk="закрита засувка або несправний рівнемір", cause_en="a closed valve, or a wrong gauge",
            consequence_uk="працює лише один резервуар", consequence_en="only one reservoir is in use",
            action_uk="звірити рівні на місці", action_en="read the levels on site",
        )  # fmt: skip


def _station(
    tag: Tag, device: str, signal: str, tanks: dict[str, tuple[float, float, float]], heights: dict[str, float]
) -> Iterator[Alarm]:
    mains = f"{device}.mains_failed/on"
    if signal == "mains_failed":
        yield Alarm(
            tag.name, "on", priority="critical", on_delay_s=5.0,
            text_uk=f"{device}: немає електроживлення", text_en=f"{device}: mains failed",
            cause_uk="відключення мережі", cause_en="power cut",
            consequence_uk="насоси стоять, вежа спорожнюється", consequence_en="pumps stand still, the tower empties",
            action_uk="зателефонувати енергетикам, запустити генератор", action_en="call the grid, start the generator",
        )  # fmt: skip
    elif signal == "door_open":
        yield Alarm(
            tag.name, "on", priority="low",
            text_uk=f"{device}: двері відчинені", text_en=f"{device}: door open",
            cause_uk="бригада або стороння особа", cause_en="a crew, or an intruder",
            consequence_uk="доступ до питної води", consequence_en="access to drinking water",
            action_uk="з'ясувати, хто на об'єкті", action_en="find out who is there",
        )  # fmt: skip
    elif signal.startswith("pump") and signal.endswith("_fault"):
        pump = signal.removesuffix("_fault")
        fault = _fault(tag, f"{device}: аварія {pump}", f"{device}: {pump} has tripped")
        yield replace(fault, priority="high", suppressed_by=(mains,))
    elif signal == "suction_pressure" and tag.element:
        limit = _DRY_RUNNING_M if device == "ps-1" else _BOOSTER_SUCTION_M
        yield Alarm(
            tag.name, "L", limit=limit, deadband=0.5, on_delay_s=30.0, priority="high",
            text_uk=f"{device}: низький тиск на вході", text_en=f"{device}: suction pressure low",
            cause_uk="порожній резервуар або закрита засувка", cause_en="an empty reservoir or a closed valve",
            consequence_uk="кавітація, зрив насосів", consequence_en="cavitation, pumps lose their prime",
            action_uk="зупинити насос, перевірити вхід", action_en="stop a pump, check the inlet",
        )  # fmt: skip
    elif signal == "discharge_pressure" and tag.element in heights:
        base, low, _ = tanks[_TOWER_OF[device]]
        # against the tower at its lowest level: less cannot hold any water in it
        yield Alarm(
            tag.name, "L", limit=round(base + low - heights[tag.element], 1), deadband=1.0, on_delay_s=60.0,
            priority="high", suppressed_by=(mains,),
            text_uk=f"{device}: низький тиск на виході", text_en=f"{device}: discharge pressure low",
            cause_uk="порив за станцією або насоси стоять", cause_en="a burst behind the station, or pumps stand still",
            consequence_uk=f"{_TOWER_OF[device]} не наповнюється",
            consequence_en=f"{_TOWER_OF[device]} cannot be filled",
            action_uk="перевірити насоси, шукати порив", action_en="check the pumps, look for a burst",
        )  # fmt: skip


def _gate(
    tag: Tag,
    signal: str,
    controls: Sequence[tuple[str, str, str, str, float]],
    tanks: dict[str, tuple[float, float, float]],
    heights: dict[str, float],
) -> Iterator[Alarm]:
    base = Alarm(
        tag.name, "L", priority="high",
        cause_uk="магістраль перекрито або пошкоджено", cause_en="the main is shut or broken",
        consequence_uk="резервуари спорожнюються, запас на три доби",
        consequence_en="the reservoirs empty, they last three days",
        action_uk="зателефонувати диспетчеру магістралі", action_en="call the main's dispatcher",
    )  # fmt: skip
    if signal == "flow":
        throttled = min(float(setting) for link, setting, *_ in controls if link == "FCV-GATE")  # L/s
        yield replace(
            base, limit=round(0.5 * 3.6 * throttled), deadband=20.0, on_delay_s=_QUIET_S,
            text_uk="Подача з магістралі мала", text_en="Little comes from the main",
        )  # fmt: skip
    elif signal == "pressure":
        foot, _, high = tanks["RES-1"]
        # the full reservoirs: with less nothing flows into them
        yield replace(
            base, limit=round(foot + high - heights[tag.element], 1), deadband=1.0, on_delay_s=60.0,
            text_uk="Тиск магістралі низький", text_en="Pressure of the main low",
        )  # fmt: skip


def _block(tag: Tag, device: str, signal: str) -> Iterator[Alarm]:
    if signal == "downstream_pressure":
        yield Alarm(
            tag.name, "deviation", name="prv", limit=_PRV_M, deadband=0.5, window_s=3600.0, on_delay_s=_QUIET_S,
            expected=f"{device}.pressure_setpoint",
            text_uk=f"{device}: тиск не тримається завдання", text_en=f"{device}: pressure off its setpoint",
            cause_uk="регулятор заклинив або тиск до нього замалий",
            cause_en="the PRV is stuck, or too little comes to it",
            consequence_uk="пориви або брак води в зоні", consequence_en="bursts or no water in the DMA",
            action_uk="оглянути регулятор", action_en="look at the PRV",
        )  # fmt: skip
    elif signal == "flow":
        yield Alarm(
            tag.name, "rise", limit=_FIRE_M3H, deadband=10.0, window_s=900.0, priority="high",
            text_uk=f"{device}: витрата різко зросла", text_en=f"{device}: flow has jumped",
            cause_uk="порив або відкритий гідрант", cause_en="a burst, or an open hydrant",
            consequence_uk="втрати води, тиск падає", consequence_en="water is lost, pressure falls",
            action_uk="запитати пожежників, вислати бригаду", action_en="ask the fire brigade, send a crew",
        )  # fmt: skip


def _logger(tag: Tag) -> Iterator[Alarm]:
    base = Alarm(
        tag.name, "L", limit=_LEAST_HEAD_M + _PER_STOREY_M * (_STOREYS - 1), deadband=1.0,
        text_uk=f"{tag.element}: тиск малий для п'яти поверхів", text_en=f"{tag.element}: too little for five storeys",
        cause_uk="порив, велика витрата, закрита засувка", cause_en="a burst, high demand, a closed valve",
        consequence_uk="верхні поверхи без води", consequence_en="no water on the upper floors",
        action_uk="перевірити зону та її регулятор", action_en="check the DMA and its PRV",
    )  # fmt: skip
    yield replace(base, suppressed_by=(f"{tag.name}/LL",))
    yield replace(
        base, kind="LL", limit=_LEAST_HEAD_M, priority="high",
        text_uk=f"{tag.element}: тиск нижчий за норму будь-якого будинку",
        text_en=f"{tag.element}: too little for any house",
        consequence_uk="зона без води, підсмоктування", consequence_en="no water in the DMA, dirt is drawn in",
    )  # fmt: skip
    yield replace(
        base, kind="H", limit=_MOST_HEAD_M, priority="low",
        text_uk=f"{tag.element}: тиск вищий за 60 м", text_en=f"{tag.element}: pressure above 60 m",
        cause_uk="регулятор заклинив відкритим", cause_en="the PRV is stuck open",
        consequence_uk="пориви, пошкодження арматури", consequence_en="bursts, broken fittings",
    )  # fmt: skip


def _fault(tag: Tag, text_uk: str, text_en: str) -> Alarm:
    return Alarm(
        tag.name, "on", on_delay_s=5.0, text_uk=text_uk, text_en=text_en,
        cause_uk="спрацював захист", cause_en="a protection has tripped",
        consequence_uk="обладнання не працює", consequence_en="the equipment does not work",
        action_uk="оглянути на місці", action_en="look at it on site",
    )  # fmt: skip


def _missing(tag: Tag) -> Alarm:
    return Alarm(
        tag.name, "bad", on_delay_s=_QUIET_S, priority="low",
        text_uk=f"{tag.name}: значення немає", text_en=f"{tag.name}: no value",
        cause_uk="несправний прилад або лінія", cause_en="a broken instrument or wire",
        consequence_uk="виявлення витоків працює без цього приладу", consequence_en="leak detection works without it",
        action_uk="замовити перевірку приладу", action_en="have the instrument checked",
    )  # fmt: skip
