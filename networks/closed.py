"""Links that are shut for good, read from the INP without opening it in EPANET."""

from __future__ import annotations

from networks.inp.document import Document, is_word
from networks.inp.facts import in_range
from networks.network import Network

_STATUS_OF_PIPE = 7  # word of [PIPES]; it may stand one earlier, where the minor loss is left out


def closed_links(network: Network) -> frozenset[str]:
    """Pipes and valves that begin closed and that no control or rule ever moves.

    Pumps are none: one that stands still can be started.
    """
    if network.is_changed:
        return frozenset(_of_model(network))
    return frozenset(_of_document(network.document))


def _of_document(document: Document) -> set[str]:
    pipes = [line.words for line in document.section("PIPES")]
    closed = {words[0] for words in pipes if any(is_word(word, "CLOSED") for word in words[6 : _STATUS_OF_PIPE + 1])}
    names = [words[0] for words in pipes] + [line.words[0] for line in document.section("VALVES")]
    for line in document.section("STATUS"):
        *ends, status = line.words
        meant = in_range(ends[0], ends[-1], names) if len(ends) > 1 else [name for name in names if name in ends]
        closed = closed | set(meant) if is_word(status, "CLOSED") else closed - set(meant)
    moved = {line.words[1] for line in document.section("CONTROLS") if len(line.words) > 1}
    moved |= {word for line in document.section("RULES") for word in line.words[1:3]}
    return closed - moved


def _of_model(network: Network) -> set[str]:
    model = network.model
    moved = {link.name for _, control in model.controls() for link in control.requires() if hasattr(link, "start_node")}
    links = [link for kind in (model.pipes, model.valves) for _, link in kind()]
    return {link.name for link in links if link.initial_status.name == "Closed"} - moved
