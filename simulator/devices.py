"""What peripherals do besides storing: UARTs that a host talks through, dividers, spinlocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from tinysim.boards.families.schema import DividerRole, SpinlocksRole, UartRole
from tinysim.simulator.registers import Registers

#: How long a UART waits before it looks again whether its last character has been read, in cycles.
_RETRY_CYCLES = 256

_WORD = 0xFFFF_FFFF


class Device(Protocol):
    """A role of a block. Times are in cycles of the core clock since reset."""

    def is_live(self) -> bool:
        """Tell whether ``update`` may have something to do."""

    def update(self, now: int) -> None:
        """Bring the registers up to the present."""

    def read(self, register: str) -> int | None:
        """Return what a read gives and do what it does, or None if the register just stores."""

    def written(self, register: str, value: int, now: int) -> None:
        """Do what a write does, now that the value is stored."""

    def reclock(self, now: int) -> None:
        """Take notice that clocks may have changed."""

    def next_event(self) -> int | None:
        """Return when something happens by itself."""


class Uart:
    """The host's end of a UART.

    Parameters
    ----------
    registers, role
        The peripheral.
    now_cycles
        Tells the time.
    character_cycles
        Tells how long a character takes on the line now.
    """

    def __init__(
        self,
        registers: Registers,
        role: UartRole,
        now_cycles: Callable[[], int],
        character_cycles: Callable[[], int],
    ) -> None:
        self._registers, self._role = registers, role
        self._now_cycles, self._character_cycles = now_cycles, character_cycles
        self._queue: deque[int] = deque()
        self._due = 0
        self._last = 0
        self._is_waiting = False
        #: What the firmware has sent.
        self.received = bytearray()

    @property
    def pending(self) -> int:
        """Characters that the firmware has not read yet."""
        return len(self._queue) + self._is_waiting

    def send(self, data: bytes) -> None:
        """Type something: characters arrive one by one, each when the one before was read."""
        if not self._queue:
            self._due = max(self._due, self._now_cycles() + self._character_cycles())
        self._queue.extend(data)

    def is_live(self) -> bool:
        """Tell whether characters wait to be delivered."""
        return bool(self._queue)

    def update(self, now: int) -> None:
        """Deliver the next character if it is time."""
        if not self._queue or now < self._due:
            return
        can_receive = all(self._registers.field(bits) for bits in self._role.rx_enable)
        if self._is_waiting or not can_receive:
            self._due = now + max(self._character_cycles(), _RETRY_CYCLES)
            return
        self._last, self._is_waiting = self._queue.popleft(), True
        self._registers.raise_bits(self._role.rx_ready)
        self._due = now + self._character_cycles()

    def read(self, register: str) -> int | None:
        """Hand over the character that waits."""
        if register != self._role.rx:
            return None
        if self._is_waiting:
            self._is_waiting = False
            self._registers.drop_bits(self._role.rx_ready)
        return self._last

    def written(self, register: str, value: int, now: int) -> None:
        """Receive a character from the firmware; sending takes no time."""
        if register == self._role.tx:
            self.received.append(value & 0xFF)
            self._registers.raise_bits(self._role.sent)

    def reclock(self, now: int) -> None:
        """Nothing: the speed of the line is asked for when it is needed."""

    def next_event(self) -> int | None:
        """Return when the next character may arrive."""
        return self._due if self._queue else None


class Divider:
    """RP2040's divider: results are there at once."""

    def __init__(self, registers: Registers, role: DividerRole) -> None:
        self._registers, self._role = registers, role
        self._is_signed = False

    def is_live(self) -> bool:
        """Never: it does not depend on the time."""
        return False

    def update(self, now: int) -> None:
        """Nothing happens by itself."""

    def read(self, register: str) -> int | None:
        """Note that the result was fetched."""
        if register == self._role.quotient:
            self._registers.drop_bits([self._role.dirty])
        return None

    def written(self, register: str, value: int, now: int) -> None:
        """Divide, if an operand was written."""
        role, stored = self._role, self._registers.stored
        signed = (role.signed_dividend, role.signed_divisor)
        unsigned = (role.unsigned_dividend, role.unsigned_divisor)
        if register not in signed + unsigned:
            return
        is_dividend = register in (signed[0], unsigned[0])
        for alias in (signed, unsigned):  # one pair of operands under two names
            stored[alias[0] if is_dividend else alias[1]] = value
        dividend, divisor = stored[unsigned[0]], stored[unsigned[1]]
        if register in signed:
            dividend, divisor = _signed(dividend), _signed(divisor)
        quotient, remainder = _divided(dividend, divisor)
        if divisor == 0 and register in unsigned:
            quotient = _WORD
        self._registers.raise_bits([role.dirty])
        stored[role.quotient], stored[role.remainder] = quotient & _WORD, remainder & _WORD

    def reclock(self, now: int) -> None:
        """Nothing: it does not count."""

    def next_event(self) -> int | None:
        """Nothing happens by itself."""


class Spinlocks:
    """Locks that a read claims (and then gives 1 << its number) and a write releases."""

    def __init__(self, registers: Registers, role: SpinlocksRole) -> None:
        first = registers.block.registers[role.first].offset or 0
        at = {first + 4 * index: index for index in range(role.count)}
        names = registers.block.registers.values()
        self._index = {row.name: at[row.offset] for row in names if row.offset in at}
        self._claimed: set[str] = set()

    def is_live(self) -> bool:
        """Never: it does not depend on the time."""
        return False

    def update(self, now: int) -> None:
        """Nothing happens by itself."""

    def read(self, register: str) -> int | None:
        """Claim a lock; 0 says that it was taken."""
        if register not in self._index:
            return None
        if register in self._claimed:
            return 0
        self._claimed.add(register)
        return 1 << self._index[register]

    def written(self, register: str, value: int, now: int) -> None:
        """Release a lock."""
        self._claimed.discard(register)

    def reclock(self, now: int) -> None:
        """Nothing: it does not count."""

    def next_event(self) -> int | None:
        """Nothing happens by itself."""


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


def _divided(dividend: int, divisor: int) -> tuple[int, int]:
    """Divide towards zero; by zero as the RP2040 does."""
    if divisor == 0:
        return (1 if dividend < 0 else -1), dividend
    quotient = abs(dividend) // abs(divisor)
    if (dividend < 0) != (divisor < 0):
        quotient = -quotient
    return quotient, dividend - quotient * divisor
