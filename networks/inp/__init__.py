"""INP files as text: encodings, sections, EPANET's many spellings, and the one that WNTR reads."""

from networks.inp.decode import decode
from networks.inp.document import Document, Line
from networks.inp.rewrite import Rewritten, rewrite

__all__ = ["Document", "Line", "Rewritten", "decode", "rewrite"]
