"""What can stop detection.

::

    DetectionError
    └── NotEnoughData   a record too short or too poor to learn from
"""

from __future__ import annotations


class DetectionError(Exception):
    """Detection could not be done: what, where, how to mend."""


class NotEnoughData(DetectionError):
    """A record too short or too poor to learn from."""
