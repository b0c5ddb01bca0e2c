"""What a chip family's file describes: blocks, registers, roles and clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

ALL_BITS = 0xFFFF_FFFF


@dataclass(frozen=True)
class Bits:
    """Bits ``high`` down to ``low`` of a register; ``block`` is empty for the register's own."""

    register: str
    high: int
    low: int
    block: str = ""

    @cached_property
    def mask(self) -> int:
        """The bits in their place."""
        return ((2 << self.high) - 1) & ~((1 << self.low) - 1)


@dataclass(frozen=True)
class Term:
    """Bits, or their complement."""

    bits: Bits
    is_inverted: bool = False


@dataclass(frozen=True)
class Follow:
    """Bits of a register that read as the AND of others."""

    target: Bits
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Copy:
    """Bits elsewhere in the block that a write sets, clears or flips: where ``source`` holds 1.

    ``source`` is None where every write counts, whatever its value.
    """

    target: Bits
    source: Bits | None


@dataclass(frozen=True)
class Register:
    """One 32-bit register.

    ``offset`` is None for state that software cannot address. ``write_mask`` says which bits a
    write stores, ``clear_by_zero`` which bits only writing 0 changes; ``reads_as`` is a constant
    that reads give; ``follows`` are bits that hardware derives; ``decodes`` are bits whose value
    N makes the register read as 1 << N.
    """

    name: str
    offset: int | None = None
    reset: int = 0
    write_mask: int = ALL_BITS
    clear_by_zero: int = 0
    reads_as: int | None = None
    follows: tuple[Follow, ...] = ()
    decodes: Bits | None = None
    sets: tuple[Copy, ...] = ()
    clears: tuple[Copy, ...] = ()
    flips: tuple[Copy, ...] = ()


@dataclass(frozen=True)
class Factor:
    """A number taken from a register: ``(table[field] or field) * times + add + fraction``.

    Without a field it is ``add``. ``fraction`` counts in units of 2 ** -its width; ``zero_is``
    stands for a field that holds 0.
    """

    field: Bits | None = None
    add: int = 0
    times: int = 1
    table: tuple[int, ...] = ()
    fraction: Bits | None = None
    zero_is: int | None = None


@dataclass(frozen=True)
class UartRole:
    """The registers of a UART that a host can talk through.

    ``rx_ready`` are set while a received character waits, ``sent`` when one has been sent,
    ``rx_enable`` are needed for reception. ``tx`` and ``rx`` may be one register.
    """

    tx: str
    rx: str
    rx_ready: tuple[Bits, ...]
    sent: tuple[Bits, ...] = ()
    rx_enable: tuple[Bits, ...] = ()


@dataclass(frozen=True)
class Compare:
    """A flag that is set when the counter reaches a register; ``enable`` arms it once."""

    register: str
    flag: Bits
    enable: Bits | None = None


@dataclass(frozen=True)
class CounterRole:
    """A register that counts up in simulated time, and its flags.

    ``clock`` is a node of the clock tree or a frequency in Hz; the counter counts it divided by
    ``divide`` and wraps after ``period`` ticks. ``high`` holds what is above 32 bits. Writing 1
    to ``clear`` restarts it; writing 1 to a register of ``capture`` copies it to another.
    ``overflow`` is set when it wraps, ``tick`` whenever it counts.
    """

    clock: str | int
    value: tuple[str, ...] = ()
    high: tuple[str, ...] = ()
    divide: Factor = Factor(add=1)
    period: Factor = Factor(add=1 << 32)
    enable: Bits | None = None
    clear: Bits | None = None
    overflow: Bits | None = None
    tick: Bits | None = None
    capture: Mapping[str, str] = field(default_factory=dict)
    compare: tuple[Compare, ...] = ()


@dataclass(frozen=True)
class DividerRole:
    """A divider beside the core: operands in, quotient and remainder out.

    ``dirty`` is set by an operand and cleared by reading the quotient.
    """

    unsigned_dividend: str
    unsigned_divisor: str
    signed_dividend: str
    signed_divisor: str
    quotient: str
    remainder: str
    dirty: Bits


@dataclass(frozen=True)
class SpinlocksRole:
    """``count`` registers from ``first`` on that a read claims and a write releases."""

    first: str
    count: int


@dataclass(frozen=True)
class Interrupt:
    """A line that is active while all its terms are 1."""

    irq: int
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Block:
    """One peripheral: where it is, its registers, and what it does besides storing."""

    name: str
    base: int
    size_bytes: int
    source: str
    registers: Mapping[str, Register]
    interrupts: tuple[Interrupt, ...] = ()
    uart: UartRole | None = None
    counter: CounterRole | None = None
    divider: DividerRole | None = None
    spinlocks: SpinlocksRole | None = None


@dataclass(frozen=True)
class ClockNode:
    """A clock: ``hz`` (or ``hz[select]``), or one of the nodes ``inputs``, times and divided.

    ``hz`` of ``("hse",)`` is the board's crystal.
    """

    name: str
    hz: tuple[int | str, ...] = ()
    inputs: tuple[str, ...] = ()
    select: Bits | None = None
    multiply: tuple[Factor, ...] = ()
    divide: tuple[Factor, ...] = ()


@dataclass(frozen=True)
class ClockTree:
    """How the core clock comes about; ``hse_hz`` is the usual crystal, in Hz."""

    core: str
    nodes: Mapping[str, ClockNode]
    source: str
    wait_states: Bits | None = None
    hse_hz: int | None = None


@dataclass(frozen=True)
class Span:
    """A range of addresses."""

    base: int
    size_bytes: int
    source: str = ""

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and self.base <= address < self.base + self.size_bytes


@dataclass(frozen=True)
class Family:
    """Chips that share their peripherals.

    ``windows`` are the address ranges that peripherals live in, ``names`` what is where outside
    the blocks (base address by name), ``atomic`` the range whose registers have aliases at
    +0x1000 (flip), +0x2000 (set) and +0x3000 (clear), ``loader`` the RAM in which the boot ROM
    runs what stands at the start of the flash.
    """

    name: str
    title: str
    source: str
    blocks: Mapping[str, Block]
    clock: ClockTree
    windows: tuple[Span, ...]
    names: Mapping[str, int]
    atomic: Span | None
    loader: Span | None
    sha256: str
