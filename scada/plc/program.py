"""What runs inside a PLC: ramps and interlocks of a pump and of a pressure-reducing valve.

Programs know commands and measurements, and no hydraulics; whoever owns the process calls them once a step and does
with pump and valve as they say.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

__all__ = ["PumpLimits", "PumpProgram", "ValveLimits", "ValveProgram", "moved"]

_HOUR_MS = 3_600_000
_INTEGRAL = 0.05  # Hz/s for each metre of pressure that is missing


@dataclass(frozen=True, slots=True)
class PumpLimits:
    """Settings of a pump's program.

    Attributes
    ----------
    ramp : float
        Change of speed, Hz/s.
    lowest, highest : float
        Speeds between which a running pump is kept, Hz.
    least_suction : float
        Suction pressure below which it trips, m.
    suction_delay_s : float
        How long the suction pressure may be too low, s.
    starts_per_hour : int
        Starts that the motor stands.
    """

    ramp: float = 1.0
    lowest: float = 20.0
    highest: float = 50.0
    least_suction: float = 1.0
    suction_delay_s: float = 10.0
    starts_per_hour: int = 6


def moved(value: float, target: float, most: float) -> float:
    """Return `value` moved towards `target` by `most` at most."""
    return value + max(-most, min(most, target - value))


class PumpProgram:
    """One pump: start, stop, speed with a ramp; trips on low suction and counts starts and hours.

    Parameters
    ----------
    limits : PumpLimits

    Attributes
    ----------
    is_wanted : bool
        Whether it is told to run.
    reference : float
        Speed it is told, Hz.
    setpoint : float
        Pressure to hold by its speed, m; NaN for none.
    speed : float
        Speed now, Hz; 0 when it stands.
    is_tripped : bool
        Stopped by an interlock until it is reset.
    run_s : float
        Time it has run, s.
    """

    def __init__(self, limits: PumpLimits | None = None) -> None:
        self.limits = limits or PumpLimits()
        self.is_wanted = self.is_tripped = False
        self.reference = self.limits.highest
        self.setpoint = math.nan
        self.speed = self.run_s = 0.0
        self._low_s = 0.0
        self._starts: deque[int] = deque()

    def is_inhibited(self, t_ms: int) -> bool:
        """Whether a start would be refused: tripped, or started too often within the last hour."""
        while self._starts and self._starts[0] <= t_ms - _HOUR_MS:
            self._starts.popleft()
        return self.is_tripped or len(self._starts) >= self.limits.starts_per_hour

    def start(self, t_ms: int) -> bool:
        """Start, if nothing forbids it; tell whether it runs."""
        if not self.is_wanted and not self.is_inhibited(t_ms):
            self.is_wanted = True
            self._starts.append(t_ms)
        return self.is_wanted

    def stop(self) -> None:
        """Stop along the ramp."""
        self.is_wanted = False

    def refer(self, speed: float) -> None:
        """Take a speed, Hz; held within the limits. Pressure is no longer held."""
        self.reference = min(max(speed, self.limits.lowest), self.limits.highest)
        self.setpoint = math.nan

    def reset(self) -> None:
        """Acknowledge a trip; while its cause lasts it trips again, and it starts on a new command only."""
        self.is_tripped = False
        self._low_s = 0.0

    def follow(self, speed: float) -> None:
        """Take over a pump that somebody else runs, without a bump."""
        self.speed = speed
        self.is_wanted = speed > 0.0
        self.setpoint = math.nan
        if speed > 0.0:
            self.reference = min(max(speed, self.limits.lowest), self.limits.highest)

    def guard(self, seconds: float, suction: float) -> bool:
        """Watch the suction pressure, m (NaN where it is not measured); tell whether the pump tripped just now."""
        is_low = self.speed > 0.0 and suction < self.limits.least_suction
        self._low_s = self._low_s + seconds if is_low else 0.0
        if self._low_s < self.limits.suction_delay_s or self.is_tripped:
            return False
        self.is_tripped, self.is_wanted, self.speed = True, False, 0.0  # at once, without the ramp
        return True

    def move(self, seconds: float, discharge: float) -> float:
        """Move on along the ramp; return the new speed, Hz.

        Parameters
        ----------
        seconds : float
            Since the last call.
        discharge : float
            Discharge pressure, m, for holding a setpoint.
        """
        limits = self.limits
        if self.is_wanted and not math.isnan(self.setpoint) and not math.isnan(discharge):
            wanted = self.reference + _INTEGRAL * (self.setpoint - discharge) * seconds
            self.reference = min(max(wanted, limits.lowest), limits.highest)
        if self.is_wanted:
            self.speed = moved(max(self.speed, 0.0), self.reference, limits.ramp * seconds)
        else:
            slower = moved(self.speed, 0.0, limits.ramp * seconds)
            self.speed = slower if slower >= limits.lowest else 0.0
        return self.speed

    @property
    def is_moving(self) -> bool:
        """Whether the speed is on its way."""
        if self.is_wanted:
            return self.speed != self.reference or not math.isnan(self.setpoint)
        return self.speed > 0.0

    def count(self, seconds: float, is_running: bool) -> None:
        """Count running time."""
        self.run_s += seconds if is_running else 0.0


@dataclass(frozen=True, slots=True)
class ValveLimits:
    """Settings of a valve's program.

    Attributes
    ----------
    ramp : float
        Change of the setpoint that acts, m/s: a fast valve makes surges.
    lowest, highest : float
        Setpoints it takes, m.
    """

    ramp: float = 0.05
    lowest: float = 0.0
    highest: float = 120.0


class ValveProgram:
    """A pressure-reducing valve whose setpoint moves slowly.

    Parameters
    ----------
    setpoint : float
        That acts at first, m.
    limits : ValveLimits

    Attributes
    ----------
    target : float
        Setpoint it is told, m.
    acting : float
        Setpoint that acts now, m.
    """

    def __init__(self, setpoint: float, limits: ValveLimits | None = None) -> None:
        self.limits = limits or ValveLimits()
        self.target = self.acting = setpoint

    def refer(self, setpoint: float) -> None:
        """Take a setpoint, m; held within the limits."""
        self.target = min(max(setpoint, self.limits.lowest), self.limits.highest)

    def move(self, seconds: float) -> float:
        """Move on along the ramp; return the setpoint that acts, m."""
        self.acting = moved(self.acting, self.target, self.limits.ramp * seconds)
        return self.acting

    @property
    def is_moving(self) -> bool:
        """Whether the setpoint is on its way."""
        return self.acting != self.target
