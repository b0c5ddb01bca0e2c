"""The peripherals of a chip, as its family's file describes them. Time is simulated cycles.

Registers that a block does not describe are stored and read back, as are addresses outside every
block; those are told to the user once each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from fractions import Fraction

from tinysim.boards.families.schema import Block, Family
from tinysim.errors import SimulationError
from tinysim.simulator.clock import Clocks
from tinysim.simulator.counter import Counter
from tinysim.simulator.devices import Device, Divider, Spinlocks, Uart
from tinysim.simulator.registers import Registers

_WORD = 0xFFFF_FFFF
_ALIASES = 0x3000  # address bits that choose what a write to an atomic alias does
_BITS_OF_A_CHARACTER = 10
_NEAR = 0x1_0000  # bytes behind a name's base that still belong to it


class _Part:
    """A block at work: its registers, its devices, its interrupt lines."""

    def __init__(
        self, registers: Registers, devices: tuple[Device, ...], is_clock: bool, is_setting: bool
    ) -> None:
        self.registers, self.devices = registers, devices
        self.is_clock, self.is_setting = is_clock, is_setting
        self.base = registers.block.base
        self.irqs = tuple(dict.fromkeys(row.irq for row in registers.block.interrupts))
        self.version = 0  # of the registers when the lines were last looked at

    def is_live(self) -> bool:
        """Tell whether anything here depends on the time."""
        return any(device.is_live() for device in self.devices)

    def update(self, now: int) -> None:
        """Bring the registers up to the present."""
        for device in self.devices:
            device.update(now)

    def asserts(self, irq: int) -> bool:
        """Tell whether the block asserts an interrupt line."""
        registers = self.registers
        return any(
            row.irq == irq and registers.all_of(row.terms) & 1 for row in registers.block.interrupts
        )


class Bus:
    """Every peripheral of a chip.

    Parameters
    ----------
    family
        What the chip has.
    now_cycles
        Returns the core cycles simulated so far.
    set_irq
        Is told the number and the new level of an interrupt line whenever it changes.
    on_unknown
        Is told, once an address, that firmware uses something that is not described.
    settings
        Blocks besides the clocks' whose writes count in ``settings_count``.
    unknown
        ``zero``: what is not described reads 0, and nobody is told.
    hse_hz
        The board's crystal; None takes the family's usual one.
    baud
        How fast characters come in; None lets them come as fast as they are read.
    """

    def __init__(
        self,
        family: Family,
        now_cycles: Callable[[], int],
        set_irq: Callable[[int, bool], None],
        on_unknown: Callable[[str], None],
        *,
        hse_hz: int | None = None,
        baud: int | None = 115_200,
        unknown: str = "warn",
        settings: Collection[str] = (),
    ) -> None:
        self._setting_blocks = frozenset(settings)
        self._is_silent = unknown == "zero"
        self.family = family
        self._now_cycles, self._set_irq, self._on_unknown = now_cycles, set_irq, on_unknown
        self._baud = baud
        self._registers = {name: Registers(block) for name, block in family.blocks.items()}
        self._clocks = Clocks(family, self._registers, hse_hz)
        #: Grows whenever firmware writes what clocks, wait states or caches depend on.
        self.settings_count = 0
        self._words: dict[int, int] = {}
        self._reported: set[int] = set()
        self._levels: dict[int, bool] = {}
        self._uarts: dict[str, Uart] = {}
        self._parts = {name: self._part(block) for name, block in family.blocks.items()}
        self._active = [part for part in self._parts.values() if part.devices]
        self._askable = [device.next_event for part in self._active for device in part.devices]
        self._places = {
            part.base + register.offset: (part, register.name)
            for part in self._parts.values()
            for register in part.registers.block.registers.values()
            if register.offset is not None
        }
        self._sharers: dict[int, list[_Part]] = {}
        for part in self._parts.values():
            for irq in part.irqs:
                self._sharers.setdefault(irq, []).append(part)

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Address ranges to map: base and size in bytes."""
        return tuple((span.base, span.size_bytes) for span in self.family.windows)

    def uart(self, name: str) -> Uart:
        """Return the host's end of a UART."""
        if name not in self._uarts:
            raise SimulationError(
                f"{self.family.title} has no UART {name}",
                where="console",
                fix=f"choose one of {', '.join(self._uarts)}",
            )
        return self._uarts[name]

    def core_clock_hz(self) -> int | None:
        """Return the core clock that is programmed, in Hz, or None while it is unknown."""
        return self._clocks.core_hz()

    def wait_states(self) -> int | None:
        """Return the flash wait states that are programmed, or None if no register holds them."""
        return self._clocks.wait_states()

    def field(self, block: str, register: str) -> int:
        """Return what a described register holds, without the effects of a read."""
        return self._registers[block].seen(register)

    def next_event_cycles(self) -> int | None:
        """Return when ``serve`` must be called, or None if nothing happens by itself."""
        soonest = None
        for next_event in self._askable:
            event = next_event()
            if event is not None and (soonest is None or event < soonest):
                soonest = event
        return soonest

    def serve(self, now: int) -> None:
        """Let happen what is due at ``now`` cycles."""
        soonest = self.next_event_cycles()
        if soonest is None or soonest > now:
            return
        for part in self._active:
            part.update(now)
            self._refresh(part)

    def read(self, address: int, size: int) -> int:
        """Read 1, 2 or 4 bytes."""
        shift = 8 * (address & 3)
        value = self._read_word(address & ~3) >> shift
        if shift + 8 * size > 32:
            value |= self._read_word((address & ~3) + 4) << 32 - shift
        return value & ((1 << 8 * size) - 1)

    def write(self, address: int, size: int, value: int) -> None:
        """Write 1, 2 or 4 bytes."""
        shift, mask = 8 * (address & 3), (1 << 8 * size) - 1
        value, lanes = (value & mask) << shift, mask << shift
        self._write_word(address & ~3, value & _WORD, lanes & _WORD)
        if lanes > _WORD:
            self._write_word((address & ~3) + 4, value >> 32, lanes >> 32)

    def _read_word(self, address: int) -> int:
        place = self._places.get(address) or self._places.get(self._plain(address))
        if place is None:
            if self._is_silent:
                return 0
            address = self._plain(address)
            self._report(address)
            return self._words.get(address, 0)
        part, register = place
        if not part.devices:
            return part.registers.seen(register)
        if part.is_live():
            part.update(self._now_cycles())
        value = part.registers.seen(register)
        for device in part.devices:
            if (effect := device.read(register)) is not None:
                value = effect
        self._refresh(part)
        return value

    def _write_word(self, address: int, value: int, lanes: int) -> None:
        plain = self._plain(address)
        if plain != address:
            value, lanes = self._combined(plain, address & _ALIASES, value, lanes), _WORD
        place = self._places.get(plain)
        if place is None:
            if self._is_silent:
                return
            self._report(plain)
            self._words[plain] = self._words.get(plain, 0) & ~lanes | value
            return
        part, register = place
        now = self._now_cycles() if part.devices or part.is_clock else 0
        part.update(now)
        part.registers.write(register, value, lanes)
        for device in part.devices:
            device.written(register, value, now)
        self.settings_count += part.is_setting
        if part.is_clock:
            self._reclock(now)
        self._refresh(part)

    def _plain(self, address: int) -> int:
        """Return the register behind an atomic alias."""
        atomic = self.family.atomic
        return address & ~_ALIASES if atomic is not None and address in atomic else address

    def _combined(self, address: int, alias: int, value: int, lanes: int) -> int:
        """Return what a write to an atomic alias makes of a register."""
        old, place = self._words.get(address, 0), self._places.get(address)
        if place is not None:
            part, register = place
            old = part.registers.seen(register)
        if alias == 0x1000:
            return old ^ value & lanes
        return old | value & lanes if alias == 0x2000 else old & ~(value & lanes)

    def _reclock(self, now: int) -> None:
        """Let everything that counts go on with the clocks of now."""
        before = self._clocks.all()
        self._clocks.forget()
        if before == self._clocks.all():
            return
        for part in self._active:
            part.update(now)
            for device in part.devices:
                device.reclock(now)

    def _refresh(self, part: _Part) -> None:
        """Tell the interrupt lines of a block that have changed."""
        if part.version == part.registers.version:
            return
        part.version = part.registers.version
        for irq in part.irqs:
            level = any(sharer.asserts(irq) for sharer in self._sharers[irq])
            if level != self._levels.get(irq, False):
                self._levels[irq] = level
                self._set_irq(irq, level)

    def _part(self, block: Block) -> _Part:
        """Make a block and what it does."""
        registers = self._registers[block.name]
        devices: list[Device] = []
        if block.uart is not None:
            uart = Uart(registers, block.uart, self._now_cycles, self._character_cycles)
            self._uarts[block.name] = uart
            devices.append(uart)
        if block.counter is not None:
            devices.append(Counter(registers, block.counter, self._ticks_per_cycle))
        if block.divider is not None:
            devices.append(Divider(registers, block.divider))
        if block.spinlocks is not None:
            devices.append(Spinlocks(registers, block.spinlocks))
        is_clock = block.name in self._clocks.blocks
        is_setting = is_clock or block.name in self._setting_blocks
        return _Part(registers, tuple(devices), is_clock, is_setting)

    def _character_cycles(self) -> int:
        """Return how long a character takes on the line."""
        hz = self._clocks.core_hz()
        if self._baud is None or hz is None:
            return 0
        return hz * _BITS_OF_A_CHARACTER // self._baud

    def _ticks_per_cycle(self, clock: str | int) -> Fraction | None:
        """Return how often a clock ticks in a core cycle."""
        core = self._clocks.core_hz()
        hz = self._clocks.exact(clock) if isinstance(clock, str) else Fraction(clock)
        return None if core is None or hz is None else hz / core

    def _report(self, address: int) -> None:
        """Tell once that nothing is known of an address."""
        if address in self._reported:
            return
        blocks = self.family.blocks.values()
        if any(block.base <= address < block.base + block.size_bytes for block in blocks):
            return
        self._reported.add(address)
        bases = {**self.family.names, **{block.name: block.base for block in blocks}}
        near = {base: name for name, base in bases.items() if 0 <= address - base < _NEAR}
        if near:
            base = max(near)
            self._on_unknown(f"{near[base]}+{address - base:#x} ({address:#010x})")
        else:
            self._on_unknown(f"{address:#010x}")
