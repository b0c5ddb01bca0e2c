"""What cannot be true of a chip family whose file is formally complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from tinysim.boards.families.schema import ALL_BITS, Bits, Block, ClockTree, Factor, Family


def contradictions(family: Family) -> list[str]:
    """Return everything that contradicts itself, or names what is not there."""
    found = []
    ordered = sorted(family.blocks.values(), key=lambda block: block.base)
    for low, high in pairwise(ordered):
        if low.base + low.size_bytes > high.base:
            found.append(f"blocks {low.name} and {high.name} overlap")
    for block in ordered:
        if not any(block.base in window for window in family.windows):
            found.append(f"block.{block.name}: {block.base:#010x} is in no window")
        found += _of_block(block, family.clock)
    for key, base in family.names.items():
        if type(base) is not int:
            found.append(f"map.{key}: is {base!r}, not an address")
    return [*found, *_of_clock(family)]


def _of_block(block: Block, clock: ClockTree) -> Iterator[str]:
    """Check one block."""
    where, offsets = f"block.{block.name}", set()
    if block.base % 4 or block.size_bytes <= 0:
        yield f"{where}: base or size_bytes out of range"
    for register in block.registers.values():
        if register.offset is not None:
            if register.offset % 4 or register.offset >= block.size_bytes:
                yield f"{where}.register.{register.name}: offset out of range"
            if register.offset in offsets:
                yield f"{where}.register.{register.name}: offset taken twice"
            offsets.add(register.offset)
        values = (register.reset, register.write_mask, register.reads_as or 0)
        if max(values) > ALL_BITS:
            yield f"{where}.register.{register.name}: more than 32 bits"
    for bits in _bits_of(block):
        if bits.block or bits.register not in block.registers:
            yield f"{where}: names {bits.block or bits.register!r}, which is no register of it"
    for name in _registers_of(block):
        if name not in block.registers:
            yield f"{where}: names {name!r}, which is no register of it"
    counter = block.counter
    if counter is not None and isinstance(counter.clock, str) and counter.clock not in clock.nodes:
        yield f"{where}.counter: clock {counter.clock!r} is no node"


def _bits_of(block: Block) -> Iterator[Bits]:
    """Every bit field that a block names."""
    for register in block.registers.values():
        for follow in register.follows:
            yield from (follow.target, *(term.bits for term in follow.terms))
        for copy in (*register.sets, *register.clears, *register.flips):
            yield from _present(copy.target, copy.source)
        yield from _present(register.decodes)
    for interrupt in block.interrupts:
        yield from (term.bits for term in interrupt.terms)
    if block.uart is not None:
        yield from (*block.uart.rx_ready, *block.uart.sent, *block.uart.rx_enable)
    if block.divider is not None:
        yield block.divider.dirty
    if (counter := block.counter) is not None:
        yield from _present(counter.enable, counter.clear, counter.overflow, counter.tick)
        yield from _factor_bits((counter.divide, counter.period))
        for compare in counter.compare:
            yield from _present(compare.flag, compare.enable)


def _registers_of(block: Block) -> Iterator[str]:
    """Every register that a block's roles name."""
    if block.uart is not None:
        yield from (block.uart.tx, block.uart.rx)
    if (counter := block.counter) is not None:
        yield from (*counter.value, *counter.high, *counter.capture, *counter.capture.values())
        yield from (compare.register for compare in counter.compare)
    if block.divider is not None:
        yield from (name for name in vars(block.divider).values() if isinstance(name, str))
    if block.spinlocks is not None:
        yield block.spinlocks.first


def _of_clock(family: Family) -> Iterator[str]:
    """Check the clock tree."""
    clock = family.clock
    for name in (clock.core, *(name for node in clock.nodes.values() for name in node.inputs)):
        if name and name not in clock.nodes:
            yield f"clock: {name!r} is no node"
    for node in clock.nodes.values():
        choices = len(node.hz) or len(node.inputs)
        if bool(node.hz) == bool(node.inputs):
            yield f"clock.node.{node.name}: needs either hz or from"
        elif (choices > 1) != (node.select is not None):
            yield f"clock.node.{node.name}: select goes with several choices"
        if _reaches_itself(clock, node.name):
            yield f"clock.node.{node.name}: comes from itself"
        for bits in (*_present(node.select), *_factor_bits((*node.multiply, *node.divide))):
            yield from _not_in(bits, family)
    if clock.wait_states is not None:
        yield from _not_in(clock.wait_states, family)


def _not_in(bits: Bits, family: Family) -> Iterator[str]:
    """Check that a field of the clock tree exists."""
    block = family.blocks.get(bits.block)
    if block is None or bits.register not in block.registers:
        yield f"clock: there is no register {bits.block}.{bits.register}"


def _reaches_itself(clock: ClockTree, name: str) -> bool:
    """Tell whether a node is among those that it comes from."""
    seen: set[str] = set()
    waiting = list(clock.nodes[name].inputs)
    while waiting:
        node = waiting.pop()
        if node == name:
            return True
        if node in clock.nodes and node not in seen:
            seen.add(node)
            waiting += clock.nodes[node].inputs
    return False


def _factor_bits(factors: Iterable[Factor]) -> Iterator[Bits]:
    for factor in factors:
        yield from _present(factor.field, factor.fraction)


def _present(*bits: Bits | None) -> Iterator[Bits]:
    return (one for one in bits if one is not None)
