"""EPANET's error and warning codes in words a water engineer uses: usual cause and mend."""

from __future__ import annotations

# code: what it means, what usually mends it (errors.dat of EPANET 2.3, and the source that raises each)
ERRORS: dict[int, tuple[str, str]] = {
    101: ("the model needs more memory than there is", "look for enormous counts, steps or numbers"),
    102: ("the file holds no network", "add nodes and links"),
    110: ("EPANET cannot solve the hydraulics", "look for parts that no source can feed, zero diameters, odd curves"),
    120: ("EPANET cannot solve the water quality", "check [QUALITY] and [REACTIONS]"),
    200: ("EPANET refuses the file", "mend the errors of the other checks first"),
    201: ("a word is missing or not understood", "compare the row with EPANET's manual"),
    202: ("a number is not a number, or not allowed here", "lengths, diameters and roughness must be above zero"),
    203: ("it names a node that does not exist", "define the node, or mend the name"),
    204: ("it names a link that does not exist", "define the link, or mend the name"),
    205: ("it names a pattern that does not exist", "add the pattern, or mend the name"),
    206: ("it names a curve that does not exist", "add the curve, or mend the name"),
    207: ("a check valve or general-purpose valve cannot be controlled", "remove the control, or change the link"),
    208: ("the pressure limits of pressure-driven demand are out of order", "REQUIRED must exceed MINIMUM PRESSURE"),
    209: ("a value of a node is not allowed", "check the sign and size of the value"),
    211: ("a value of a link is not allowed", "check the sign and size of the value"),
    212: ("the node of the source trace does not exist", "name an existing node in QUALITY TRACE"),
    213: ("an option has a value that EPANET does not know", "compare with EPANET's manual"),
    214: ("the line is too long", "break the line at 1023 characters"),
    215: ("the name is used twice", "rename one of the two"),
    216: ("[ENERGY] names a pump that does not exist", "mend the name"),
    217: ("the energy data of a pump cannot be used", "check its efficiency curve and prices"),
    219: ("a valve of this type may not touch a tank or reservoir", "put a short pipe between them"),
    220: ("two valves may not touch each other this way", "put a short pipe between them"),
    221: ("a clause of a rule is out of place", "order the rule: IF, AND or OR, THEN, ELSE, PRIORITY"),
    222: ("the link begins and ends at the same node", "give it its true second node"),
    223: ("the network has fewer than two nodes", "add the missing nodes"),
    224: ("there is no reservoir and no tank", "add the source that feeds the network"),
    225: ("levels of a tank are out of order, or leave its volume curve", "order them: lowest, initial, highest"),
    226: ("a pump has no head curve and no power", "give it HEAD and a curve, or POWER"),
    227: ("the head curve of a pump cannot be used", "let the head fall as the flow grows"),
    230: ("the x of a curve does not grow", "sort the points by x"),
    231: ("a curve has no points", "add points, or remove the name"),
    232: ("a pattern has no multipliers", "add multipliers, or remove the name"),
    233: ("nodes are not connected to anything", "join them, or delete them"),
    234: ("the node is not connected to anything", "join it, or delete it"),
    240: ("a source of quality is undefined", "check [SOURCES]"),
    250: ("a name or number has a format EPANET does not read", "shorten it; remove odd characters"),
    252: ("the name is too long or has characters EPANET does not allow", "use at most 31 bytes, no blanks"),
    299: ("the heading is no section of EPANET; the rows under it are skipped", "write the section's name in full"),
    302: ("EPANET cannot open the file", "check the path and the rights"),
}

# the check that a run-time warning belongs to, its usual cause and mend, by the words that EPANET writes
WARNINGS: dict[str, tuple[str, str]] = {
    "not-balanced": (
        "EPANET does not find a balanced solution",
        "look for pumps and valves that fight each other, near-zero losses and sources of very different heads",
    ),
    "unstable": (
        "EPANET balances the network only by freezing the status of links",
        "separate the settings of pumps, check valves and controls that switch each other",
    ),
    "cut-off": ("no open way leads to it from a source", "open a closed link, or check why a valve or pump is shut"),
    "pump-range": (
        "the pump works beyond its curve",
        "check its curve and units, the level of its suction side and what stands closed",
    ),
    "valve-range": (
        "the valve cannot hold its setting",
        "lower the setting, or give more pressure or flow before the valve",
    ),
}
