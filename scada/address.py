"""Register addresses as documents write them.

The wire counts from 0. Modicon documents count from 1 and put the table in front: 40001 or 400001 is holding
register 0, 30001 input register 0, 10001 discrete input 0, 00001 coil 0.
"""

from __future__ import annotations

__all__ = ["TABLES", "modicon_address", "wire_address"]

TABLES = ("coil", "discrete", "holding", "input")
_DIGIT_OF = {"coil": "0", "discrete": "1", "input": "3", "holding": "4"}
_TABLE_OF = {digit: table for table, digit in _DIGIT_OF.items()}
_LAST = 65535


def wire_address(text: str) -> int:
    """Read a 0-based address.

    Raises
    ------
    ValueError
        No whole number within 0..65535; the text says how to mend it.
    """
    if not text.isdecimal():
        raise ValueError(f"address '{text}' is no whole number; write 0..{_LAST}")
    address = int(text)
    if address > _LAST:
        raise ValueError(
            f'address {text} is beyond {_LAST}; a Modicon number such as 400001 needs [tags] addressing = "modicon"'
        )
    return address


def modicon_address(text: str, table: str) -> int:
    """Read a Modicon number of five or six digits, or a bare document number below 10000, as a 0-based address.

    Parameters
    ----------
    text : str
        Such as ``40001``, ``400001`` or ``17``.
    table : str
        The table the row names; the first digit must agree with it.

    Raises
    ------
    ValueError
        No such number, or it names another table; the text says how to mend it.
    """
    if not text.isdecimal():
        raise ValueError(f"address '{text}' is no whole number; write a Modicon number such as 40001")
    bare = len(text) < 5
    number = int(text) if bare else int(text[1:])
    if not bare:
        named = _TABLE_OF.get(text[0])
        if named is None or len(text) > 6:
            raise ValueError(f"address {text} is no Modicon number; write 5 or 6 digits beginning with 0, 1, 3 or 4")
        if named != table:
            raise ValueError(f"address {text} is in table {named}, the row says {table}; make them agree")
    if not 1 <= number <= _LAST + 1:
        raise ValueError(f"address {text} is outside its table; Modicon numbers run from 1 to {_LAST + 1}")
    return number - 1
