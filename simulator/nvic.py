"""Exceptions: who is pending, who is active, who goes first.

Numbers are exception numbers: 1 reset, 2 NMI, 3 HardFault, 11 SVCall, 14 PendSV, 15 SysTick,
16 + n interrupt n. A lower priority value is more urgent.
"""

from __future__ import annotations

NMI, HARD_FAULT, SVCALL, PENDSV, SYSTICK, FIRST_IRQ = 2, 3, 11, 14, 15, 16

#: Bits of SHCSR that say what is active, and those that are only stored.
_ACTIVE_BITS = {SVCALL: 7, PENDSV: 10, SYSTICK: 11}
_ACTIVE_BITS_V8 = _ACTIVE_BITS | {HARD_FAULT: 2, NMI: 5}
_SHCSR_STORED = 0x7_0000

_FIXED = {1: -3, NMI: -2, HARD_FAULT: -1}
#: Priority of thread mode: anything is more urgent.
_THREAD = 256

ISER, ICER, ISPR, ICPR, IABR, IPR = 0xE100, 0xE180, 0xE200, 0xE280, 0xE300, 0xE400
ICSR, AIRCR, SHPR1, SHCSR, STIR = 0xED04, 0xED0C, 0xED18, 0xED24, 0xEF00


class Nvic:
    """The interrupt controller and the system's own exceptions.

    Parameters
    ----------
    priority_bits
        How many upper bits of a priority the chip implements.
    is_v6, is_v8
        Whether the core is Armv6-M or Armv8-M; else it is Armv7-M.
    """

    def __init__(self, priority_bits: int, is_v6: bool = False, is_v8: bool = False) -> None:
        self._is_v6 = is_v6
        self._active_bits = {} if is_v6 else _ACTIVE_BITS_V8 if is_v8 else _ACTIVE_BITS
        self._priority_mask = 0xFF & ~(0xFF >> priority_bits)
        self._priority: dict[int, int] = {}
        self._pending: set[int] = set()
        self._enabled: set[int] = set()
        self._high_lines: set[int] = set()
        self._group_shift = self._handler_control = 0
        self.active: list[int] = []

    def pend(self, number: int) -> None:
        """Make an exception pending."""
        self._pending.add(number)

    def set_line(self, irq: int, is_high: bool) -> None:
        """Follow a peripheral's interrupt line: it pends when it rises, and while it stays high."""
        number = FIRST_IRQ + irq
        if not is_high:
            self._high_lines.discard(number)
        elif number not in self._high_lines:
            self._high_lines.add(number)
            self._pending.add(number)

    def next_to_take(self, primask: int, basepri: int, faultmask: int) -> int | None:
        """Return the pending exception that preempts what runs now, if there is one."""
        candidate = self._most_urgent()
        if candidate is None or not self.can_take(candidate, primask, basepri, faultmask):
            return None
        return candidate

    def can_take(self, number: int, primask: int, basepri: int, faultmask: int) -> bool:
        """Tell whether an exception would preempt what runs now."""
        current = self._group(self.current_priority)
        if faultmask & 1:
            current = min(current, -1)
        elif primask & 1:
            current = min(current, 0)
        if basepri & self._priority_mask:
            current = min(current, self._group(basepri & self._priority_mask))
        return self._group(self.priority_of(number)) < current

    @property
    def is_waiting_for_mask(self) -> bool:
        """Whether something would be taken but for PRIMASK, BASEPRI or FAULTMASK."""
        return self.next_to_take(0, 0, 0) is not None

    @property
    def is_any_pending(self) -> bool:
        """Whether anything enabled is pending: what wakes a sleeping core."""
        return self._most_urgent() is not None

    @property
    def current_priority(self) -> int:
        """Priority of what runs now."""
        return min((self.priority_of(number) for number in self.active), default=_THREAD)

    def priority_of(self, number: int) -> int:
        """Return an exception's priority."""
        fixed = _FIXED.get(number)
        return self._priority.get(number, 0) if fixed is None else fixed

    @property
    def returns_to_thread(self) -> bool | None:
        """Whether the handler that runs returns to thread mode; None if none runs."""
        return len(self.active) == 1 if self.active else None

    def activate(self, number: int) -> None:
        """Enter an exception."""
        self._pending.discard(number)
        self.active.append(number)

    def deactivate(self) -> int:
        """Return from the innermost exception, and return its number."""
        number = self.active.pop()
        if number in self._high_lines:
            self._pending.add(number)
        return number

    def read(self, offset: int) -> int:
        """Read a register, by its offset from 0xE000_0000."""
        base = offset & 0xFF80
        if base in (ISER, ICER):
            return self._word(self._enabled, offset & 0x7C)
        if base in (ISPR, ICPR):
            return self._word(self._pending, offset & 0x7C)
        if base == IABR:
            return self._word(set(self.active), offset & 0x7C)
        if IPR <= offset < IPR + 0x200:
            return self._priorities(FIRST_IRQ + (offset - IPR))
        if SHPR1 <= offset < SHPR1 + 12:
            return self._priorities(4 + offset - SHPR1)
        if offset == ICSR:
            return self._control_state()
        if offset == SHCSR:
            active = sum(1 << bit for n, bit in self._active_bits.items() if n in self.active)
            return self._handler_control | active
        if offset == AIRCR:
            return 0xFA05_0000 | (self._group_shift << 8)
        return 0

    def write(self, offset: int, value: int) -> None:
        """Write a register, by its offset from 0xE000_0000."""
        base, numbers = offset & 0xFF80, self._numbers(offset & 0x7C, value)
        if base == ISER:
            self._enabled |= numbers
        elif base == ICER:
            self._enabled -= numbers
        elif base == ISPR:
            self._pending |= numbers
        elif base == ICPR:
            self._pending -= numbers - (self._high_lines - set(self.active))
        elif IPR <= offset < IPR + 0x200:
            self._set_priorities(FIRST_IRQ + (offset - IPR), value)
        elif SHPR1 <= offset < SHPR1 + 12:
            self._set_priorities(4 + offset - SHPR1, value)
        elif offset == ICSR:
            self._set_control_state(value)
        elif offset == AIRCR and value >> 16 == 0x05FA:
            self._group_shift = (value >> 8) & 7
        elif offset == SHCSR:
            self._handler_control = value & _SHCSR_STORED
        elif offset == STIR:
            self._pending.add(FIRST_IRQ + (value & 0x1FF))

    def _most_urgent(self) -> int | None:
        """Return the pending and enabled exception that goes first."""
        ready = [n for n in self._pending if n < FIRST_IRQ or n in self._enabled]
        return min(ready, key=lambda number: (self.priority_of(number), number), default=None)

    def _group(self, priority: int) -> int:
        """Return the part of a priority that decides about preemption."""
        return priority if priority < 0 else priority >> (self._group_shift + 1)

    def _control_state(self) -> int:
        active = self.active[-1] if self.active else 0
        pending = self._most_urgent() or 0
        word = active | (pending & 0x1FF) << 12
        word |= (len(self.active) == 1 and not self._is_v6) << 11  # RETTOBASE
        word |= (PENDSV in self._pending) << 28 | (SYSTICK in self._pending) << 26
        return word | any(n >= FIRST_IRQ for n in self._pending) << 22

    def _set_control_state(self, value: int) -> None:
        for bit, number, is_set in (
            (31, NMI, True),
            (28, PENDSV, True),
            (27, PENDSV, False),
            (26, SYSTICK, True),
            (25, SYSTICK, False),
        ):
            if value >> bit & 1:
                (self._pending.add if is_set else self._pending.discard)(number)

    @staticmethod
    def _word(numbers: set[int], offset: int) -> int:
        """Return a register of 32 interrupts' bits."""
        first = FIRST_IRQ + offset * 8
        return sum(1 << (n - first) for n in numbers if first <= n < first + 32)

    @staticmethod
    def _numbers(offset: int, value: int) -> set[int]:
        """Return the exception numbers of the bits set in a register."""
        first = FIRST_IRQ + offset * 8
        return {first + bit for bit in range(32) if value >> bit & 1}

    def _priorities(self, first: int) -> int:
        return sum(self._priority.get(first + i, 0) << 8 * i for i in range(4))

    def _set_priorities(self, first: int, value: int) -> None:
        for i in range(4):
            self._priority[first + i] = value >> 8 * i & self._priority_mask
