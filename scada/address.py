"""Register addresses as documents write them.

The wire counts from 0. Modicon documents count from 1 and put the table in front: 40001 or 400001 is holding
register 0, 30001 input register 0, 10001 discrete input 0, 00001 coil 0. Other documents count from 1 and leave the
table out: there 12003 is register 12002, whatever the table. A file states once which of the three it uses.
"""

from __future__ import annotations

__all__ = ["ADDRESSINGS", "TABLES", "document_address", "modicon_address", "read_address", "read_table", "wire_address"]

TABLES = ("coil", "discrete", "holding", "input")
_DIGIT_OF = {"coil": "0", "discrete": "1", "input": "3", "holding": "4"}
ADDRESSINGS = ("wire", "document", "modicon")
_TABLE_OF = {digit: table for table, digit in _DIGIT_OF.items()}
_LAST = 65535
_TABLE_WORDS = {
    "coil": ("1", "01", "fc1", "fc01", "coils", "0x"),
    "discrete": ("2", "02", "fc2", "fc02", "discrete input", "discrete inputs", "discrete_input", "1x"),
    "holding": ("3", "03", "fc3", "fc03", "holding register", "holding registers", "holding_register", "4x"),
    "input": ("4", "04", "fc4", "fc04", "input register", "input registers", "input_register", "3x"),
}
_TABLE_CALLED = {word: table for table, words in _TABLE_WORDS.items() for word in (table, *words)}


def read_table(text: str) -> str:
    """Return the table that a word or a function code (1 coil, 2 discrete, 3 holding, 4 input) names, else the text."""
    return _TABLE_CALLED.get(text.casefold(), text)


def read_address(text: str, table: str, addressing: str) -> int:
    """Read an address in the style its file uses.

    Parameters
    ----------
    text : str
    table : str
        The table the row names.
    addressing : {'wire', 'document', 'modicon'}

    Raises
    ------
    ValueError
        No address of that style; the text says how to mend it.
    """
    if addressing == "modicon":
        return modicon_address(text, table)
    return document_address(text) if addressing == "document" else wire_address(text)


def document_address(text: str) -> int:
    """Read a number that counts from 1 within its table as a 0-based address.

    Raises
    ------
    ValueError
        No whole number within 1..65536; the text says how to mend it.
    """
    number = int(text) if _is_number(text) else 0
    if not 1 <= number <= _LAST + 1:
        raise ValueError(f"address '{text}' is no document number; write 1..{_LAST + 1}")
    return number - 1


def _is_number(text: str) -> bool:
    # isdecimal alone takes digits of any script, and int() refuses texts of thousands of them
    return text.isascii() and text.isdecimal() and len(text) <= 9


def wire_address(text: str) -> int:
    """Read a 0-based address.

    Raises
    ------
    ValueError
        No whole number within 0..65535; the text says how to mend it.
    """
    if not _is_number(text):
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
    if not _is_number(text):
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
