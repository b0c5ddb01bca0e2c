"""Reading TOML tables strictly: what is missing, unknown or not in the notation is collected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, overload

from tinysim.boards.families.schema import Bits, Copy, Factor, Follow, Term

Problems = list[str]

_BITS = re.compile(r"(?:(\w+)\.)??(?:([A-Za-z_]\w*)\.)?(\d+)(?::(\d+))?")
_NOTHING = Bits("", 0, 0)
_REQUIRED = object()


class Table:
    """A TOML table whose keys are taken one by one; ``close`` tells of those left over."""

    def __init__(self, table: Any, where: str, problems: Problems) -> None:
        self.where, self.problems = where, problems
        if not isinstance(table, Mapping):
            self.problem(f"is {table!r}, not a table")
            table = {}
        self._left = dict(table)

    def problem(self, text: str) -> None:
        """Note what is wrong."""
        self.problems.append(f"{self.where}: {text}" if self.where else text)

    def close(self) -> None:
        """Tell of the keys that nobody asked for."""
        for key in self._left:
            self.problem(f"unknown key {key!r}")

    def take(self, key: str, default: Any = _REQUIRED) -> Any:
        """Take a value of any kind."""
        if key in self._left:
            return self._left.pop(key)
        if default is _REQUIRED:
            self.problem(f"missing {key!r}")
            return None
        return default

    @overload
    def number(self, key: str) -> int: ...

    @overload
    def number(self, key: str, default: int) -> int: ...

    @overload
    def number(self, key: str, default: None) -> int | None: ...

    def number(self, key: str, default: Any = _REQUIRED) -> int | None:
        """Take a whole number."""
        value = self.take(key, default)
        if value is None or value is default or (type(value) is int and value >= 0):
            return 0 if value is None and default is _REQUIRED else value
        self.problem(f"{key} is {value!r}, not a number from 0")
        return 0

    def text(self, key: str) -> str:
        """Take a text that must not be empty."""
        value = self.take(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            self.problem(f"{key} is {value!r}, not a text")
        return str(value)

    def listed(self, key: str) -> tuple[Any, ...]:
        """Take a list; a single value is a list of one, a missing one is empty."""
        value = self.take(key, ())
        return tuple(value) if isinstance(value, list | tuple) else (value,)

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts."""
        return tuple(str(value) for value in self.listed(key))

    def tables(self, key: str) -> dict[str, Any]:
        """Take a table of anything by name."""
        value = self.take(key, {})
        if isinstance(value, Mapping):
            return dict(value)
        self.problem(f"{key} is {value!r}, not a table")
        return {}

    def table(self, key: str, default: Mapping[str, Any] | None) -> Table | None:
        """Take a table whose keys are known."""
        value = self.take(key, default)
        where = f"{self.where}.{key}" if self.where else key
        return None if value is None else Table(value, where, self.problems)

    def rows(self, key: str) -> list[Table]:
        """Take a list of tables."""
        return [Table(row, f"{self.where}.{key}", self.problems) for row in self.listed(key)]

    def bits(self, key: str) -> Bits | None:
        """Take ``REG.7:4``, or None if it is not there."""
        value = self.take(key, None)
        return None if value is None else self.parse_bits(str(value), "")

    def needed_bits(self, key: str) -> Bits:
        """Take ``REG.7:4``, which must be there."""
        return self.parse_bits(self.text(key), "")

    def bit_list(self, key: str) -> tuple[Bits, ...]:
        """Take a list of bits."""
        return tuple(self.parse_bits(text, "") for text in self.texts(key))

    def factor(self, key: str) -> Factor | None:
        """Take a factor: a number, bits, or a table."""
        value = self.take(key, None)
        return None if value is None else self._factor(value, key)

    def factors(self, key: str) -> tuple[Factor, ...]:
        """Take a list of factors."""
        return tuple(self._factor(value, key) for value in self.listed(key))

    def follows(self, key: str, own: str) -> tuple[Follow, ...]:
        """Take ``["a=b", "c:d=REG.e:f&!REG.g:h"]``."""
        rows = []
        for text in self.texts(key):
            target, _, terms = text.partition("=")
            rows.append(Follow(self.parse_bits(target, own), self.terms(terms, own)))
        return tuple(rows)

    def copies(self, key: str, own: str) -> tuple[Copy, ...]:
        """Take ``["REG.a=b"]``, bits elsewhere and bits of what is written, or ``REG.a=any``."""
        rows = []
        for text in self.texts(key):
            target, _, source = text.partition("=")
            bits = None if source == "any" else self.parse_bits(source, own)
            rows.append(Copy(self.parse_bits(target, own), bits))
        return tuple(rows)

    def terms(self, text: str, own: str) -> tuple[Term, ...]:
        """Read ``REG.5&!REG.6``."""
        return tuple(
            Term(self.parse_bits(part.removeprefix("!"), own), part.startswith("!"))
            for part in text.split("&")
        )

    def parse_bits(self, text: str, own: str) -> Bits:
        """Read ``BLOCK.REG.7:4``, ``REG.7`` or, of the register ``own``, ``7``."""
        match = _BITS.fullmatch(text.strip())
        if match is None:
            self.problem(f"{text!r} is not bits like REG.7:4")
            return _NOTHING
        block, register, high, low = match.groups()
        bits = Bits(register or own, int(high), int(low or high), block or "")
        if not bits.register:
            self.problem(f"{text!r} names no register")
        if not 31 >= bits.high >= bits.low:
            self.problem(f"{text!r} are no bits of a 32-bit register")
            return _NOTHING
        return bits

    def _factor(self, value: Any, key: str) -> Factor:
        if type(value) is int:
            return Factor(add=value)
        if isinstance(value, str):
            return Factor(field=self.parse_bits(value, ""))
        row = Table(value, f"{self.where}.{key}", self.problems)
        factor = Factor(
            field=row.bits("field"),
            add=row.number("add", 0),
            times=row.number("times", 1),
            table=row.listed("table"),
            fraction=row.bits("fraction"),
            zero_is=row.number("zero_is", None),
        )
        row.close()
        return factor
