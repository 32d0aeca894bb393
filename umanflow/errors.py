"""What a user can mend, said in one line.

::

    UserError
    └── ConfigError   a configuration file with a mistake: file, key, how to mend
"""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can mend: what, where, how."""


class ConfigError(UserError):
    """A configuration file with a mistake."""
