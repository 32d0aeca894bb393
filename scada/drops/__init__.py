"""Readings that come as files or stand in another system's database: loggers, exports of other SCADA systems.

A :class:`~scada.drops.profile.Profile` says how a file is written; whatever it leaves open is recognised from the file,
and what cannot be told is an error with a mend, never a guess. Reading gives columns for the historian, and a finding
for everything that was not taken.
"""
