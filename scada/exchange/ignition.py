"""Ignition's tags: the CSV that version 7 exports, the JSON of version 8, and CSVs with their columns.

A tag's ``OPCItemPath`` is ``[device]designator``: a table (``C``, ``DI``, ``IR``, ``HR``), what the register holds
(nothing: int16, ``US``: uint16, ``I``: int32, ``UI``: uint32, ``I_64``, ``UI_64``, ``F``: float32, ``D``: float64,
``BCD``, ``BCD_32``, ``S``: string), and an address: ``HR40``, ``IRF12``, ``HR7.3`` for bit 3, ``HRS20:16`` for sixteen
characters; ``2.HR40`` is unit 2 behind a gateway. ``ns=1;s=`` may stand before it. Addresses count from 1 unless the
device connection says otherwise. Word order is a setting of the connection and never in the table.

(Inductive Automation, user manual, "Modbus Addressing" and "Importing and Exporting Tags".)
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence

from scada.codec import NUMBER_FORMATS
from scada.errors import TagError
from scada.exchange.found import DeviceFound, Imported, ImportOptions, plain_name
from scada.quantity import known_unit
from scada.tag import Tag

__all__ = ["format_ignition", "ignition_rows", "import_ignition", "take_item"]

_PATH = re.compile(
    r"(?:ns=\d+;s=)?\[(?P<device>[^\]]+)\](?:(?P<unit>\d{1,3})\.)?(?P<table>HR|IR|DI|C)"
    r"(?P<kind>UI_64|I_64|BCD_32|BCD|UI|US|I|F|D|S)?(?P<address>\d{1,6})(?:\.(?P<bit>\d{1,2}))?(?::(?P<length>\d{1,3}))?",
    re.IGNORECASE,
)
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_TABLES = {"C": "coil", "DI": "discrete", "IR": "input", "HR": "holding"}
_KINDS = {
    "": "int16", "US": "uint16", "I": "int32", "UI": "uint32", "I_64": "int64", "UI_64": "uint64", "F": "float32",
    "D": "float64",
}  # fmt: skip
_OPC = {"", "0", "opc", "atomictag", "opctag"}  # tag types that are read from a device
_FOLDERS = {"6", "folder", "provider", "udtinstance", "udttype"}
_NO_SCALE = {"", "0", "off", "none"}
_LINEAR = {"1", "linear"}
HEADER = (
    "Path", "Name", "TagType", "DataType", "OPCServer", "OPCItemPath", "ScaleMode", "RawLow", "RawHigh", "ScaledLow",
    "ScaledHigh", "EngUnit", "EngLow", "EngHigh", "Deadband", "ScanClass", "Tooltip", "Documentation",
)  # fmt: skip


def import_ignition(file: str, text: str, options: ImportOptions) -> Imported:
    """Read the tags of an Ignition 8 export (JSON); a CSV goes through :func:`scada.exchange.import_tags`."""
    found = Imported(file)
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        found.refuse(getattr(error, "lineno", 0), f"is no JSON: {error}", "export the tags again")
        return found
    ignition_rows(found, ((0, row) for row in _flat(document, "")), options)
    return found


def _flat(node: object, path: str) -> Iterator[dict[str, str]]:
    """Yield the keys of every tag below a node, in small letters, its folder as ``path``."""
    if isinstance(node, list):
        for entry in node:
            yield from _flat(entry, path)
    elif isinstance(node, dict):
        name = str(node.get("name", ""))
        if "tags" in node:
            yield from _flat(node["tags"], f"{path}{name}/" if name else path)
        if "opcItemPath" in node or "tags" not in node:
            row = {key.lower(): _text(value) for key, value in node.items()}
            source = row.pop("valuesource", "opc")
            yield {**row, "path": path, "tagtype": row.get("tagtype", "") if source == "opc" else source}


def _text(value: object) -> str:
    if isinstance(value, dict):  # a value bound to a parameter
        return str(value.get("binding", value.get("value", "")))
    return "" if value is None else str(value)


def ignition_rows(found: Imported, rows: Iterator[tuple[int, dict[str, str]]], options: ImportOptions) -> None:
    """Take rows of an Ignition table, keys in small letters."""
    if options.interval_s is None:
        found.warn(0, "names scan classes but no intervals", "60 s is taken; give --interval for another")
    if not options.is_zero_based:
        found.warn(
            0, "does not say where addresses begin", "1 is taken, Ignition's default; --zero-based counts from 0"
        )
    for line, row in rows:
        take_item(found, line, row, options)
    _tell_units(found)


def take_item(found: Imported, line: int, row: Mapping[str, str], options: ImportOptions) -> None:
    """Make a tag of one row, or say why not."""
    path = row.get("path", "").strip("/")
    name = plain_name("/".join(part for part in (path, row.get("name", "")) if part))
    kind_of_tag = row.get("tagtype", "").lower()
    if kind_of_tag in _FOLDERS:
        return
    if kind_of_tag not in _OPC:
        found.refuse(line, f"{name}: a tag of type {row['tagtype']} is not read from a device", "leave it there")
        return
    if not name:
        found.refuse(line, "a tag has no name", "name it")
        return
    match = _PATH.fullmatch(row.get("opcitempath", "").strip())
    if match is None:
        what = f"{name}: item path '{row.get('opcitempath', '')}' is no Modbus address"
        found.refuse(line, what, "write [device]HR1, [device]IRF12, [device]HR7.3, [device]HRS20:16 …")
        return
    device = plain_name(match["device"]) + (f"-{match['unit']}" if match["unit"] else "")
    made = _type(found, line, name, match, options)
    address = int(match["address"]) - (not options.is_zero_based)
    scaling = _scaling(found, line, name, row)
    numbers = _numbers(found, line, name, row)
    if made is None or scaling is None or numbers is None:
        return
    if not 0 <= address <= 65535:
        found.refuse(line, f"{name}: address {match['address']} is outside its table", "look at --zero-based")
        return
    if match["table"].upper() in {"HR", "IR"} and len(match["address"]) == 5 and match["address"][0] in "34":
        what = f"{name}: {match['table']}{match['address']} is read as register {match['address']} of its table"
        found.warn(line, what, f"if the manual's number is meant, write {int(match['address'][1:])}")
    kind, order = made
    texts = _texts(row)
    found.devices.setdefault(device, DeviceFound(device, "", int(match["unit"]) if match["unit"] else None))
    found.add(
        line,
        Tag(
            name,
            device,
            _TABLES[match["table"].upper()],
            address,
            kind,
            order,
            int(match["bit"] or 0),
            *scaling,
            unit=known_unit(row.get("engunit", "")),
            interval_s=options.interval_s or 60.0,
            text_uk=texts[0],
            text_en=texts[1],
            min=numbers[0],
            max=numbers[1],
            deadband=numbers[2],
        ),
    )


def _texts(row: Mapping[str, str]) -> tuple[str, str]:
    """Return the texts in Ukrainian and in English: Cyrillic letters tell."""
    uk, en = "", ""
    for text in (row.get("tooltip", ""), row.get("documentation", "")):
        if _CYRILLIC.search(text):
            uk = text
        elif text:
            en = text
    return uk, en


def _type(
    found: Imported, line: int, name: str, match: re.Match[str], options: ImportOptions
) -> tuple[str, str] | None:
    """Return type and order of an address."""
    kind = (match["kind"] or "").upper()
    single = _single(match, kind)
    if isinstance(single, str):
        return single, "ABCD"
    if single is not None:
        found.refuse(line, f"{name}: {single[0]}", single[1])
        return None
    if kind.startswith("BCD"):
        found.refuse(line, f"{name}: decimal digits in a register (BCD) have no counterpart here", "read it as uint16")
        return None
    own = _KINDS[kind]
    if NUMBER_FORMATS[own][1] == 1:
        return own, "ABCD"
    if options.order is None:
        what = f"{name}: {own} takes several registers and Ignition's tables do not say their order"
        found.refuse(line, what, "look at the device connection (swap words) and give --order ABCD or CDAB")
        return None
    return own, options.order


def _single(match: re.Match[str], kind: str) -> str | tuple[str, str] | None:
    """Return the type of a bit or a string, what is wrong with it and how to mend it, or None when it is a number."""
    if match["table"].upper() in {"C", "DI"}:
        is_plain = not (kind or match["bit"] or match["length"])
        return "bool" if is_plain else (f"a single bit holds no {kind or 'more'}", "write C or DI and a number")
    if kind == "S":
        length = int(match["length"] or 0)
        is_whole = 1 <= length <= 250 and not match["bit"]
        mend = "write a length of 1 to 250 after a colon"
        return f"string{length}" if is_whole else (f"a string of {length} characters", mend)
    if match["length"]:
        return "only strings have a length", "drop it, or write HRS"
    if match["bit"]:
        is_whole = kind in {"", "US"} and int(match["bit"]) <= 15
        return "bit" if is_whole else (f"bit {match['bit']} of {kind or 'a register'}", "write bit 0 to 15 of HR or IR")
    return None


def _scaling(found: Imported, line: int, name: str, row: Mapping[str, str]) -> tuple[float, float] | None:
    """Return scale and offset."""
    mode = row.get("scalemode", "").lower()
    if mode in _NO_SCALE:
        return 1.0, 0.0
    if mode not in _LINEAR:
        found.refuse(line, f"{name}: scale mode {row['scalemode']} is not linear", "scale it where it is used")
        return None
    defaults = {"rawlow": 0.0, "rawhigh": 10.0, "scaledlow": 0.0, "scaledhigh": 10.0}
    ends = {key: _number(row.get(key, ""), default) for key, default in defaults.items()}
    if any(math.isnan(end) for end in ends.values()) or ends["rawlow"] == ends["rawhigh"]:
        found.refuse(line, f"{name}: RawLow to ScaledHigh make no line", "mend them")
        return None
    scale = (ends["scaledhigh"] - ends["scaledlow"]) / (ends["rawhigh"] - ends["rawlow"])
    return scale, ends["scaledlow"] - scale * ends["rawlow"]


def _numbers(found: Imported, line: int, name: str, row: Mapping[str, str]) -> tuple[float, float, float] | None:
    """Return min, max and deadband."""
    deadband = _number(row.get("deadband", ""), 0.0)
    low, high = _number(row.get("englow", ""), -math.inf), _number(row.get("enghigh", ""), math.inf)
    if math.isnan(deadband) or math.isnan(low) or math.isnan(high):
        found.refuse(line, f"{name}: Deadband, EngLow or EngHigh is no number", "mend it")
        return None
    if row.get("deadbandmode", "").lower() in {"1", "percentage", "percent"}:
        deadband *= 0.01 * (high - low) if math.isfinite(high - low) else math.nan
        if math.isnan(deadband):
            found.warn(line, f"{name}: a deadband in percent of no range", "it is left out; give EngLow and EngHigh")
            deadband = 0.0
    return low, high, deadband


def _number(text: str, default: float) -> float:
    """Read a number in either spelling; NaN when it is none."""
    text = text.strip().replace("\u00a0", "").replace(",", ".")
    try:
        return float(text) if text else default
    except ValueError:
        return math.nan


def _tell_units(found: Imported) -> None:
    if found.tags:
        found.warn(0, "does not say what a tag measures", "fill in element and quantity where detection needs them")


def format_ignition(tags: Sequence[Tag], is_zero_based: bool = False) -> tuple[str, list[TagError]]:
    """Return the CSV of Ignition 7's tag import, and what it cannot hold.

    Parameters
    ----------
    tags : sequence of Tag
    is_zero_based : bool
        Whether the device connections count addresses from 0.
    """
    findings: list[TagError] = []
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    kinds = {own: theirs for theirs, own in _KINDS.items()}
    tables = {own: theirs for theirs, own in _TABLES.items()}
    orders: set[str] = set()
    for tag in tags:
        if tag.order in {"BADC", "DCBA"} and tag.type not in {"bit", "bool"}:
            findings.append(TagError("", 0, f"{tag.name}: Ignition swaps no bytes within a register", "leave it there"))
            continue
        letters, rest = tables[tag.table], ""
        if tag.is_text:
            letters, rest = letters + "S", f":{tag.type[6:]}"
        elif tag.type == "bit":
            rest = f".{tag.bit ^ 8 if tag.order in {'BADC', 'DCBA'} else tag.bit}"
        elif tag.type == "bool":
            if tag.table in {"holding", "input"}:
                letters += "US"
        else:
            letters += kinds[tag.type]
        if tag.registers > 1 and not tag.is_text:
            orders.add(f"{tag.device} {tag.order}")
        item = f"[{tag.device}]{letters}{tag.address + (not is_zero_based)}{rest}"
        writer.writerow(_row(tag, item))
        findings.extend(_lost(tag))
    if orders:
        what = f"order is a setting of each device connection: {', '.join(sorted(orders))}"
        findings.append(TagError("", 0, what, "set it there", "warning"))
    return out.getvalue(), findings


def _row(tag: Tag, item: str) -> list[str]:
    path, _, name = tag.name.rpartition("/")
    types = {"bool": "6", "bit": "6", "int16": "1", "uint16": "2", "int32": "2", "uint32": "3", "float32": "4"}
    data = "7" if tag.is_text else types.get(tag.type, "3" if "int" in tag.type else "5")
    is_scaled = tag.scale != 1.0 or tag.offset != 0.0
    line = ["1", "0", "1", repr(tag.offset), repr(tag.offset + tag.scale)] if is_scaled else ["0", "", "", "", ""]
    if is_scaled and data in {"1", "2", "3"}:
        data = "4"
    limits = [repr(end) if math.isfinite(end) else "" for end in (tag.min, tag.max)]
    deadband = repr(tag.deadband) if tag.deadband else ""
    scan = f"{tag.interval_s:g} s"
    texts = [tag.text_uk, tag.text_en]
    return [path, name, "0", data, "Ignition OPC-UA Server", item, *line, tag.unit, *limits, deadband, scan, *texts]


def _lost(tag: Tag) -> list[TagError]:
    lost = [
        word for word, there in (("bad_values", tag.bad_values), ("wrap", tag.wrap), ("element", tag.element)) if there
    ]
    if not lost:
        return []
    what = f"{tag.name}: Ignition has no {', '.join(lost)}"
    return [TagError("", 0, what, "keep this table as the master", "warning")]
