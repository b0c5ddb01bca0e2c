r"""Places in a run, where a window begins or ends: in the code, on the console, at a peripheral.

========================  ==========================================================
``name`` or ``0x...``     the instruction at a symbol or address is about to run
``uart:text``             the firmware has printed this (escapes: \n \r \t \xNN)
``write:0x...``           a peripheral's register at this address has been written
``field:GPIOB.ODR.7=1``   bits of a register of the board's chip family hold a value,
                          and did not before: a pin that goes high, for instance
========================  ==========================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinysim.errors import SimulationError
from tinysim.simulator.machine.memory import NOWHERE

if TYPE_CHECKING:
    from tinysim.simulator.images import Image
    from tinysim.simulator.machine import Machine

_FIELD = re.compile(r"(\w+)\.(\w+)\.(\d+)(?::(\d+))?=(\w+)")


@dataclass(frozen=True)
class Place:
    """Where to stop: at an instruction (``address``), or when ``is_there`` says so."""

    address: int = NOWHERE
    is_there: Callable[[], bool] = lambda: False


def watch(name: str, machine: Machine, printed: Callable[[], bytes]) -> Place:
    """Begin to watch for a place, from now on.

    Parameters
    ----------
    name
        As in the table above.
    machine
        What runs.
    printed
        Returns all that the firmware has printed.

    Raises
    ------
    SimulationError
        If there is no such place.
    """
    kind, colon, rest = name.partition(":")
    if colon and kind == "uart":
        text, seen = unescaped(rest), len(printed())
        return Place(is_there=lambda: text in printed()[seen:])
    if colon and kind == "write":
        return _written(rest, machine)
    if colon and kind == "field":
        return _field(rest, machine)
    return Place(address_of(name, machine.image))


def address_of(name: str, image: Image) -> int:
    """Return the address that a symbol or a number names."""
    if name in image.symbols:
        return image.symbols[name].address & ~1
    try:
        return int(name, 0) & ~1
    except ValueError as error:
        raise SimulationError(
            f"there is no symbol {name}",
            where="image",
            fix="give a symbol of the image, an address like 0x08001234, uart:text, "
            "write:0x48000018 or field:GPIOB.ODR.7=1",
        ) from error


def unescaped(text: str) -> bytes:
    """Return the bytes that a text with escapes means.

    Raises
    ------
    UnicodeError
        If an escape is wrong, or a character is no byte.
    """
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def _written(rest: str, machine: Machine) -> Place:
    try:
        address = int(rest, 0)
    except ValueError as error:
        raise SimulationError(
            f"write:{rest} names no address", where="window", fix="write it like write:0x48000018"
        ) from error
    machine.chip.write_counts.setdefault(address, 0)
    before = machine.chip.write_counts[address]
    return Place(is_there=lambda: machine.chip.write_counts[address] > before)


def _field(rest: str, machine: Machine) -> Place:
    """Watch bits for a value that they do not hold yet, or hold again."""
    found = _FIELD.fullmatch(rest)
    if found is None or machine.chip.bus is None:
        what = "this board's file names no chip family" if found else "is not understood"
        raise SimulationError(
            f"field:{rest}: {what}", where="window", fix="write it like field:GPIOB.ODR.7=1"
        )
    block, register, high, low = found[1], found[2], int(found[3]), int(found[4] or found[3])
    value, bus = int(found[5], 0), machine.chip.bus
    known = bus.family.blocks.get(block)
    if known is None or register not in known.registers:
        names = ", ".join(known.registers) if known is not None else ", ".join(bus.family.blocks)
        raise SimulationError(
            f"{bus.family.title} has no {block}.{register}",
            where="window",
            fix=f"choose one of {names}",
        )

    def holds() -> bool:
        return bus.field(block, register) >> low & (1 << high - low + 1) - 1 == value

    was = holds()

    def is_there() -> bool:
        nonlocal was
        was, before = holds(), was
        return was and not before

    return Place(is_there=is_there)
