"""What can stop detection.

::

    DetectionError
    ├── NotEnoughData   a record too short or too poor to learn from
    └── WrongRule       a rule or setting that cannot be understood
"""

from __future__ import annotations


class DetectionError(Exception):
    """Detection could not be done: what, where, how to mend."""


class NotEnoughData(DetectionError):
    """A record too short or too poor to learn from."""


class WrongRule(DetectionError):
    """A rule or setting that cannot be understood."""
