"""The processor's own registers at 0xE000_0000: SysTick, DWT and what start-up code touches.

Registers without a meaning here are stored and read back. Time is the simulated cycle count.
"""

from __future__ import annotations

from collections.abc import Callable

SYSTEM_BASE = 0xE000_0000
SYSTEM_BYTES = 0x10_0000

DWT_CTRL = 0xE000_1000
DWT_CYCCNT = 0xE000_1004
SYST_CSR = 0xE000_E010
SYST_RVR = 0xE000_E014
SYST_CVR = 0xE000_E018
CPUID = 0xE000_ED00
CPACR = 0xE000_ED88
DEMCR = 0xE000_EDFC

_COUNTFLAG = 1 << 16
_TRCENA = 1 << 24


class SystemControl:
    """Memory-mapped registers of the core.

    Parameters
    ----------
    now_cycles
        Returns the cycles simulated so far.
    """

    def __init__(self, now_cycles: Callable[[], int]) -> None:
        self._now_cycles = now_cycles
        self._words: dict[int, int] = {}
        self._counter_offset = 0
        self._tick_start = 0

    def read(self, address: int) -> int:
        """Read a word."""
        if address == DWT_CYCCNT:
            return self._cycle_count()
        if address == SYST_CVR:
            return self._tick_value()
        if address == SYST_CSR:
            return self._words.get(SYST_CSR, 0) | self._take_countflag()
        return self._words.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """Write a word."""
        before = self._cycle_count() if address in (DWT_CTRL, DEMCR) else 0
        if address == DWT_CYCCNT:
            self._counter_offset = value - self._now_cycles()
            self._words[DWT_CYCCNT] = value
        elif address == SYST_CVR:
            self._tick_start = self._now_cycles()  # any write clears the counter
        else:
            if address == SYST_CSR and value & ~self._words.get(SYST_CSR, 0) & 1:
                self._tick_start = self._now_cycles()
            self._words[address] = value & 0xFFFF_FFFF
        if address in (DWT_CTRL, DEMCR):  # the counter goes on from where it stood
            self._words[DWT_CYCCNT] = before
            self._counter_offset = before - self._now_cycles()

    def _cycle_count(self) -> int:
        """Return CYCCNT, which stands still unless trace and counter are enabled."""
        if self._words.get(DEMCR, 0) & _TRCENA and self._words.get(DWT_CTRL, 0) & 1:
            return (self._now_cycles() + self._counter_offset) & 0xFFFF_FFFF
        return self._words.get(DWT_CYCCNT, 0)

    def _tick_value(self) -> int:
        """Return SysTick's down counter, which reloads when it has reached 0."""
        if not self._words.get(SYST_CSR, 0) & 1:
            return 0
        reload = self._words.get(SYST_RVR, 0) & 0xFF_FFFF
        elapsed = self._now_cycles() - self._tick_start
        return 0 if elapsed == 0 else reload - (elapsed - 1) % (reload + 1)

    def _take_countflag(self) -> int:
        """Return COUNTFLAG, which reading clears."""
        reload = self._words.get(SYST_RVR, 0) & 0xFF_FFFF
        elapsed = self._now_cycles() - self._tick_start
        if not self._words.get(SYST_CSR, 0) & 1 or elapsed <= reload:
            return 0
        self._tick_start += (elapsed - 1) // (reload + 1) * (reload + 1)
        return _COUNTFLAG
