"""What a network is: catalogue, INP reading, districts, distances along pipes."""

from networks.catalogue import Entry, catalogue, find
from networks.errors import NetworkError, UnknownElement, UnknownNetwork, UnreadableNetwork
from networks.leakage import Leakage
from networks.network import Network, load
from networks.topology import Topology

__all__ = [
    "Entry",
    "Leakage",
    "Network",
    "NetworkError",
    "Topology",
    "UnknownElement",
    "UnknownNetwork",
    "UnreadableNetwork",
    "catalogue",
    "find",
    "load",
]
