"""The clocks that firmware programs: the family's clock tree, evaluated from its registers."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from tinysim.boards.families.schema import Bits, ClockNode, Factor, Family
from tinysim.simulator.registers import Registers


def factor(description: Factor, registers: Registers) -> Fraction:
    """Return a factor's present value, with fields in the block ``registers``."""
    value = Fraction(0)
    if description.field is not None:
        field = registers.field(description.field)
        if field == 0 and description.zero_is is not None:
            field = description.zero_is
        table = description.table
        value = Fraction(table[field] if field < len(table) else 0) if table else Fraction(field)
    if description.fraction is not None:
        bits = description.fraction
        value += Fraction(registers.field(bits), 1 << (bits.high - bits.low + 1))
    return value * description.times + description.add


class Clocks:
    """Frequencies in Hz, as the registers stand.

    Parameters
    ----------
    family
        Whose clock tree it is.
    blocks
        The registers of every block.
    hse_hz
        The board's crystal; None takes the family's usual one.
    """

    def __init__(
        self, family: Family, blocks: Mapping[str, Registers], hse_hz: int | None = None
    ) -> None:
        self._tree = family.clock
        self._blocks = blocks
        self._hse_hz = hse_hz or family.clock.hse_hz
        self._known: dict[str, Fraction | None] = {}
        #: Blocks whose registers the tree depends on.
        self.blocks = frozenset(
            bits.block for node in self._tree.nodes.values() for bits in _fields(node)
        )

    def forget(self) -> None:
        """Compute everything anew: a register of ``blocks`` was written."""
        self._known.clear()

    def core_hz(self) -> int | None:
        """Return the core clock, or None while its source is unknown."""
        hz = self.exact(self._tree.core)
        return None if hz is None else round(hz)

    def exact(self, name: str) -> Fraction | None:
        """Return the frequency of a node, or None if its source is unknown or it is off."""
        if name not in self._known:
            self._known[name] = self._computed(self._tree.nodes[name]) if name else None
        return self._known[name]

    def all(self) -> dict[str, Fraction | None]:
        """Return every frequency by its node's name."""
        return {name: self.exact(name) for name in self._tree.nodes}

    def wait_states(self) -> int | None:
        """Return the flash wait states that are set, or None where there is no such register."""
        bits = self._tree.wait_states
        return None if bits is None else self._field(bits)

    def _computed(self, node: ClockNode) -> Fraction | None:
        """Evaluate one node."""
        choices = node.hz or node.inputs
        chosen = self._field(node.select) if node.select is not None else 0
        if chosen >= len(choices):
            return None
        if node.inputs:
            hz = self.exact(node.inputs[chosen])
        else:
            fixed = self._hse_hz if node.hz[chosen] == "hse" else int(node.hz[chosen])
            hz = None if fixed is None else Fraction(fixed)
        for times in node.multiply:
            hz = None if hz is None else hz * self._factor(times)
        for over in node.divide:
            divisor = self._factor(over)
            hz = None if hz is None or divisor == 0 else hz / divisor
        return hz or None

    def _field(self, bits: Bits) -> int:
        return self._blocks[bits.block].field(bits)

    def _factor(self, description: Factor) -> Fraction:
        bits = description.field or description.fraction
        return factor(description, self._blocks[bits.block]) if bits else Fraction(description.add)


def _fields(node: ClockNode) -> list[Bits]:
    """Return the register fields that a node reads."""
    factors = (*node.multiply, *node.divide)
    found = [node.select, *(one.field for one in factors), *(one.fraction for one in factors)]
    return [bits for bits in found if bits is not None]
