"""Counters of peripherals: registers that count simulated time, with overflow and compare flags."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from tinysim.boards.families.schema import Bits, CounterRole
from tinysim.simulator.clock import factor
from tinysim.simulator.registers import Registers

_WORD = 0xFFFF_FFFF


class Counter:
    """A free-running up counter.

    Parameters
    ----------
    registers, role
        The peripheral.
    ticks_per_cycle
        Tells how often the clock of a role ticks in a core cycle; None if that is unknown.
    """

    def __init__(
        self,
        registers: Registers,
        role: CounterRole,
        ticks_per_cycle: Callable[[str | int], Fraction | None],
    ) -> None:
        self._registers, self._role = registers, role
        self._ticks_per_cycle = ticks_per_cycle
        self._settings = tuple({bits.register: None for bits in self._fields()})
        self._configured: list[int] = []
        self._since = self._checked = 0
        # The count is (base + cycles since * rate) / scale: whole numbers, for speed.
        self._base, self._rate, self._scale = 0, 0, 1
        self._period = 1 << 32
        # The next event is asked for far more often than it changes.
        self._event_state: tuple[int, ...] | None = None
        self._event: int | None = None
        self._configure(Fraction(0))

    def is_live(self) -> bool:
        """Tell whether it counts."""
        return self._rate != 0

    def update(self, now: int) -> None:
        """Put the present count into its registers, and raise the flags of what was passed."""
        count = self._count(now)
        if count > self._checked:
            self._raise_flags(self._checked, count)
            self._checked = count
        value = count % self._period
        for name in self._role.value:
            self._registers.stored[name] = value & _WORD
        for name in self._role.high:
            self._registers.stored[name] = value >> 32

    def read(self, register: str) -> int | None:
        """Leave reads alone: ``update`` has stored the count."""

    def written(self, register: str, value: int, now: int) -> None:
        """Restart, stop, capture or go on otherwise, as the write says."""
        role = self._role
        target = role.capture.get(register)
        if target is not None and value & 1:
            self._registers.stored[target] = self._count(now) % self._period & _WORD
        clears = role.clear is not None and role.clear.register == register
        if register in role.value:
            self._restart(value, now)
        elif clears and role.clear is not None and value & role.clear.mask:
            self._restart(0, now)
        elif self._configured != [self._registers.stored[name] for name in self._settings]:
            self.reclock(now)

    def reclock(self, now: int) -> None:
        """Go on from the present count with what the registers and clocks say now."""
        exact = Fraction(self._base + (now - self._since) * self._rate, self._scale) % self._period
        self._since, self._checked = now, int(exact)
        self._configure(exact)

    def next_event(self) -> int | None:
        """Return when the next flag that would interrupt is raised."""
        if not self._rate:
            return None
        state = (self._registers.version, self._checked, self._since, self._base)
        if state != self._event_state:
            self._event_state, self._event = state, self._find_event()
        return self._event

    def _find_event(self) -> int | None:
        """Return the time of that flag from what the registers say now."""
        due = [
            match + ((self._checked - match) // period + 1) * period
            for flag, match, period in self._flags()
            if self._would_interrupt(flag)
        ]
        if not due:
            return None
        return self._since + -(-(min(due) * self._scale - self._base) // self._rate)

    def _fields(self) -> list[Bits]:
        """Return what the count depends on."""
        role = self._role
        found = [role.enable, role.divide.field, role.divide.fraction, role.period.field]
        return [bits for bits in found if bits is not None]

    def _configure(self, count: Fraction) -> None:
        """Go on from a count with the rate and period that the registers say."""
        role = self._role
        self._configured = [self._registers.stored[name] for name in self._settings]
        self._period = max(1, int(factor(role.period, self._registers)))
        is_on = self._period > 1 and (role.enable is None or self._registers.field(role.enable))
        divisor = factor(role.divide, self._registers)
        rate = self._ticks_per_cycle(role.clock)
        ticks = rate / divisor if is_on and divisor and rate else Fraction(0)
        self._rate, self._scale = ticks.numerator, ticks.denominator
        self._base = int(count * self._scale)

    def _restart(self, value: int, now: int) -> None:
        self._since, self._checked = now, value
        self._configure(Fraction(value))
        self.update(now)

    def _count(self, now: int) -> int:
        """Return the count, without wrapping."""
        return (self._base + (now - self._since) * self._rate) // self._scale

    def _flags(self) -> list[tuple[Bits, int, int]]:
        """Return what is raised when: the flag, the count, and after how much more again."""
        role, registers = self._role, self._registers
        rows = []
        if role.overflow is not None:
            rows.append((role.overflow, 0, self._period))
        if role.tick is not None:
            rows.append((role.tick, 0, 1))
        for compare in role.compare:
            is_armed = compare.enable is None or registers.field(compare.enable)
            match = registers.stored[compare.register]
            if is_armed and match < self._period:
                rows.append((compare.flag, match, min(self._period, 1 << 32)))
        return rows

    def _raise_flags(self, before: int, count: int) -> None:
        """Raise what the counter met after ``before``, up to ``count``."""
        for flag, match, period in self._flags():
            if (count - match) // period == (before - match) // period:
                continue
            self._registers.raise_bits([flag])
            spent = [row.enable for row in self._role.compare if row.flag == flag and row.enable]
            self._registers.drop_bits(spent)

    def _would_interrupt(self, flag: Bits) -> bool:
        """Tell whether raising a flag that is not up would change an interrupt line."""
        registers = self._registers
        if registers.field(flag):
            return False
        for interrupt in registers.block.interrupts:
            others = [term for term in interrupt.terms if term.bits != flag]
            if len(others) < len(interrupt.terms) and registers.all_of(others) & 1:
                return True
        return False
