"""The registers of one peripheral: what is stored, what reads give, what writes do."""

from __future__ import annotations

from collections.abc import Iterable

from tinysim.boards.families.schema import ALL_BITS, Bits, Block, Copy, Term


class Registers:
    """State of a block's described registers, by name.

    ``stored`` is what was written or what a device put there; ``seen`` is what software reads.
    Bits that follow others follow what is stored, never what is derived.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.stored = {name: register.reset for name, register in block.registers.items()}
        #: Grows whenever a flag or a register changes that others may depend on.
        self.version = 0
        self._known: dict[str, int] = {}  # derived values, as of now
        self._derived = {
            register.name
            for register in block.registers.values()
            if register.follows or register.decodes or register.reads_as is not None
        }

    def field(self, bits: Bits) -> int:
        """Return stored bits, shifted down."""
        return (self.stored[bits.register] & bits.mask) >> bits.low

    def raise_bits(self, bits: Iterable[Bits]) -> None:
        """Set bits to 1."""
        self._change()
        for one in bits:
            self.stored[one.register] |= one.mask

    def drop_bits(self, bits: Iterable[Bits]) -> None:
        """Set bits to 0."""
        self._change()
        for one in bits:
            self.stored[one.register] &= ~one.mask

    def all_of(self, terms: Iterable[Term]) -> int:
        """Return the AND of terms."""
        value = ALL_BITS
        for term in terms:
            field = self.field(term.bits)
            value &= ~field if term.is_inverted else field
        return value

    def seen(self, name: str) -> int:
        """Return what software reads."""
        if name not in self._derived:
            return self.stored[name]
        if name not in self._known:
            self._known[name] = self._derive(name)
        return self._known[name]

    def _derive(self, name: str) -> int:
        """Compute what software reads."""
        register = self.block.registers[name]
        if register.reads_as is not None:
            return register.reads_as
        if register.decodes is not None:
            return 1 << self.field(register.decodes)
        value = self.stored[name]
        for follow in register.follows:
            target = follow.target
            value = value & ~target.mask | (self.all_of(follow.terms) << target.low) & target.mask
        return value

    def write(self, name: str, value: int, lanes: int) -> None:
        """Write the bits in ``lanes``, and do what the write does elsewhere in the block."""
        self._change()
        register = self.block.registers[name]
        old, mask = self.stored[name], register.write_mask & lanes
        cleared = register.clear_by_zero & lanes & ~value
        self.stored[name] = (old & ~mask | value & mask) & ~cleared
        for copy in register.clears:
            self.stored[copy.target.register] &= ~_placed(copy, value & lanes)
        for copy in register.sets:
            self.stored[copy.target.register] |= _placed(copy, value & lanes)
        for copy in register.flips:
            self.stored[copy.target.register] ^= _placed(copy, value & lanes)

    def _change(self) -> None:
        """Forget what was derived from the state that changes now."""
        self.version += 1
        self._known.clear()


def _placed(copy: Copy, value: int) -> int:
    """Return the bits of a written value at the places that they change."""
    if copy.source is None:
        return copy.target.mask
    return ((value & copy.source.mask) >> copy.source.low << copy.target.low) & copy.target.mask
