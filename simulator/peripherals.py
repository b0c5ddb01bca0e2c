"""The processor's own registers at 0xE000_0000: SysTick, DWT, NVIC and the system control block.

Registers without a meaning here are stored and read back. Time is the simulated cycle count.
"""

from __future__ import annotations

from collections.abc import Callable

from tinysim.simulator.nvic import AIRCR, ICSR, IPR, ISER, SHCSR, SHPR1, STIR, SYSTICK, Nvic

SYSTEM_BASE = 0xE000_0000
SYSTEM_BYTES = 0x10_0000

DWT_CTRL, DWT_CYCCNT = 0x1000, 0x1004
SYST_CSR, SYST_RVR, SYST_CVR = 0xE010, 0xE014, 0xE018
CPUID, VTOR, CCR, HFSR, CPACR, DEMCR = 0xED00, 0xED08, 0xED14, 0xED2C, 0xED88, 0xEDFC
FPCCR = 0xEF34

#: Registers that do not read 0 after reset: stack alignment; FPU state kept, and kept lazily.
_RESET = {CCR: 1 << 9, FPCCR: 3 << 30}
#: Registers that board files name (``SCB.CCR.17``).
SYSTEM_REGISTERS = {"CCR": CCR}
_CACHE_BITS = 3 << 16
_FORCED = 1 << 30

_COUNTFLAG = 1 << 16
_TRCENA = 1 << 24


class SystemControl:
    """Memory-mapped registers of the core.

    Parameters
    ----------
    now_cycles
        Returns the cycles simulated so far.
    nvic
        Keeps the state of exceptions.
    cpuid
        What the part number register reads.
    vector_table
        Where the vectors stand after reset.
    """

    def __init__(
        self, now_cycles: Callable[[], int], nvic: Nvic, cpuid: int, vector_table: int
    ) -> None:
        self._now_cycles, self._nvic = now_cycles, nvic
        self._words: dict[int, int] = {**_RESET, CPUID: cpuid, VTOR: vector_table}
        #: Grows whenever firmware writes what switches the core's caches.
        self.settings_count = 0
        self._counter_offset = 0
        self._tick_start = self._ticks_served = self._flags_read = 0

    @property
    def is_cache_changed(self) -> bool:
        """Whether firmware has switched a cache of the core on."""
        return bool(self._words[CCR] & _CACHE_BITS)

    @property
    def vector_table(self) -> int:
        """Where the vectors stand."""
        return self._words[VTOR] & ~0x7F

    @property
    def is_fpu_enabled(self) -> bool:
        """Whether CPACR gives full access to the FPU."""
        return self._words.get(CPACR, 0) >> 20 & 0xF == 0xF

    def note_escalation(self) -> None:
        """Say in HFSR that a HardFault is another exception that could not be taken."""
        self._words[HFSR] = self._words.get(HFSR, 0) | _FORCED

    def read(self, offset: int, size: int) -> int:
        """Read 1, 2 or 4 bytes at an offset from 0xE000_0000."""
        word = self._read_word(offset & ~3)
        return (word >> 8 * (offset & 3)) & ((1 << 8 * size) - 1)

    def write(self, offset: int, size: int, value: int) -> None:
        """Write 1, 2 or 4 bytes; a narrow write leaves the rest of the word."""
        if size < 4:
            shift, mask = 8 * (offset & 3), (1 << 8 * size) - 1
            kept = self._read_word(offset & ~3) & ~(mask << shift)
            value = kept | (value & mask) << shift
        self._write_word(offset & ~3, value & 0xFFFF_FFFF)

    @property
    def next_tick_cycles(self) -> int | None:
        """When SysTick asks for its exception next, if it is on and may."""
        reload = self._words.get(SYST_RVR, 0) & 0xFF_FFFF
        if self._words.get(SYST_CSR, 0) & 3 != 3 or not reload:
            return None
        return self._tick_start + (self._ticks_served + 1) * (reload + 1)

    def serve(self, now_cycles: int) -> None:
        """Make SysTick's exception pending if its time has come; ticks missed are lost."""
        due = self.next_tick_cycles
        if due is None or now_cycles < due:
            return
        self._nvic.pend(SYSTICK)
        reload = self._words[SYST_RVR] & 0xFF_FFFF
        self._ticks_served = (now_cycles - self._tick_start) // (reload + 1)

    def _read_word(self, offset: int) -> int:
        if offset == DWT_CYCCNT:
            return self._cycle_count()
        if offset == SYST_CVR:
            return self._tick_value()
        if offset == SYST_CSR:
            return self._words.get(SYST_CSR, 0) | self._take_countflag()
        if _is_nvic(offset):
            return self._nvic.read(offset)
        return self._words.get(offset, 0)

    def _write_word(self, offset: int, value: int) -> None:
        if _is_nvic(offset):
            self._nvic.write(offset, value)
            return
        before = self._cycle_count() if offset in (DWT_CTRL, DEMCR) else 0
        if offset == DWT_CYCCNT:
            self._counter_offset = value - self._now_cycles()
            self._words[DWT_CYCCNT] = value
        elif offset == SYST_CVR:
            self._restart_tick()  # any write clears the counter
        elif offset != CPUID:
            if offset == SYST_CSR and value & ~self._words.get(SYST_CSR, 0) & 1:
                self._restart_tick()
            self._words[offset] = value
            self.settings_count += offset == CCR
        if offset in (DWT_CTRL, DEMCR):  # the counter goes on from where it stood
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

    def _restart_tick(self) -> None:
        self._tick_start = self._now_cycles()
        self._ticks_served = self._flags_read = 0

    def _take_countflag(self) -> int:
        """Return COUNTFLAG, which reading clears."""
        reload = self._words.get(SYST_RVR, 0) & 0xFF_FFFF
        elapsed = self._now_cycles() - self._tick_start
        wraps = elapsed // (reload + 1)
        if not self._words.get(SYST_CSR, 0) & 1 or wraps <= self._flags_read:
            return 0
        self._flags_read = wraps
        return _COUNTFLAG


def _is_nvic(offset: int) -> bool:
    """Tell whether a register belongs to the exceptions."""
    return (
        ISER <= offset < IPR + 0x200
        or SHPR1 <= offset < SHPR1 + 12
        or offset in (ICSR, AIRCR, SHCSR, STIR)
    )
