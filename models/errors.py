"""What can stop detection.

::

    DetectionError
    ├── NotEnoughData   a record too short or too poor to learn from
    ├── WrongRule       a rule or setting that cannot be understood
    └── ScoringError    a scorer was used wrongly
        ├── WrongSetting    a setting outside of what it means
        ├── WrongFrame      a frame that is not [n_times, n_channels] of numbers
        └── StaleState      a state that was scored with before
"""

from __future__ import annotations


class DetectionError(Exception):
    """Detection could not be done: what, where, how to mend."""


class NotEnoughData(DetectionError):
    """A record too short or too poor to learn from."""


class ScoringError(DetectionError):
    """A scorer was used wrongly."""


class WrongSetting(ScoringError):
    """A setting outside of what it means.

    Attributes
    ----------
    scorer, setting
        Names of the class and of its field.
    value
        What was given.
    """

    def __init__(self, scorer: str, setting: str, value: object, wanted: str) -> None:
        super().__init__(f"{scorer}: {setting} is {value!r}; give {wanted}")
        self.scorer, self.setting, self.value = scorer, setting, value


class WrongFrame(ScoringError):
    """A frame that is not [n_times, n_channels] of numbers."""


class StaleState(ScoringError):
    """A state that was scored with before: its arrays have moved on.

    Attributes
    ----------
    step, now
        Row at which the state stands, and row at which its arrays are.
    """

    def __init__(self, step: int, now: int) -> None:
        super().__init__(
            f"this state is of row {step}, its arrays are at row {now}: go on with the state that score() returned, "
            "or keep a state.copy() to go back to"
        )
        self.step, self.now = step, now


class WrongRule(DetectionError):
    """A rule or setting that cannot be understood."""
