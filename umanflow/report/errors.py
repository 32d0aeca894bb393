"""What can go wrong with a report.

::

    ReportError     a file that cannot be read or written, or a setting that the data contradict
"""

from __future__ import annotations

from umanflow.errors import UserError


class ReportError(UserError):
    """A report cannot be made; the text is one line fit for an engineer.

    Attributes
    ----------
    what
        What is wrong.
    where
        File, and the place in it.
    mend
        What to do about it.
    """

    def __init__(self, what: str, where: str, mend: str) -> None:
        super().__init__(f"{where}: {what}; {mend}")
        self.what, self.where, self.mend = what, where, mend
