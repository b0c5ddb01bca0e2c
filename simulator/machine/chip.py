"""What surrounds the core: its own registers, the chip's peripherals, and how memory is set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tinysim.simulator.machine.faults import fault
from tinysim.simulator.memory_system import Layout, layout, switch_blocks
from tinysim.simulator.peripherals import SYSTEM_BASE, SYSTEM_BYTES, SYSTEM_REGISTERS

if TYPE_CHECKING:
    from tinysim.boards.families.schema import Span
    from tinysim.simulator.bus import Bus
    from tinysim.simulator.machine import Machine

#: How fast a script types: fast enough not to wait for, slow enough for an interrupt a character.
_CONSOLE_BAUD = 921_600

_Read = Callable[[int, int], int]
_Write = Callable[[int, int, int], None]


class Chip:
    """Peripherals, mapped into the machine; follows what firmware makes of clocks and caches.

    Parameters
    ----------
    machine
        Whose they are.
    unknown
        What peripherals that are not described do: ``warn``, ``zero`` or ``fault``.
    """

    def __init__(self, machine: Machine, unknown: str) -> None:
        self._machine, self._unknown = machine, unknown
        #: How often registers were written that somebody watches, by address.
        self.write_counts: dict[int, int] = {}
        self.bus: Bus | None = None
        #: The RAM in which the boot ROM runs what stands at the start of the flash.
        self.loader: Span | None = None
        self._layout: Layout | None = None
        system = machine.system
        self._map(SYSTEM_BASE, SYSTEM_BYTES, system.read, system.write)
        if machine.board.family is not None:
            self._attach_bus(machine.board.family)
        self._settings_seen = self._settings_count
        self.lay_out()

    @property
    def is_programmed(self) -> bool:
        """Whether firmware sets its clock and memory up itself; else they are the board file's."""
        is_set_up = self.bus is not None and self.bus.settings_count > 0
        return is_set_up or self._machine.system.is_cache_changed

    @property
    def cold_start_cycles(self) -> int:
        """At most this long takes to fill every cache."""
        return 0 if self._layout is None else self._layout.fill_cycles

    @property
    def next_event_cycles(self) -> int | None:
        """When something happens without the core, or None."""
        events = [self._machine.system.next_tick_cycles]
        if self.bus is not None:
            events.append(self.bus.next_event_cycles())
        return min((event for event in events if event is not None), default=None)

    def serve(self, elapsed_cycles: int) -> None:
        """Let happen what is due."""
        self._machine.system.serve(elapsed_cycles)
        if self.bus is not None:
            self.bus.serve(elapsed_cycles)

    def lay_out(self) -> None:
        """Make the memory system what the board says, or firmware has made of it."""
        machine = self._machine
        if machine.memory is None:
            return
        waits = self.bus.wait_states() if self.bus is not None and self.is_programmed else None
        now = layout(machine.board, self._read_bits, waits)
        if machine.fidelity == 2:
            fetched = (replace(area, data=None, burst_cycles=0) for area in now.areas)
            now = replace(now, areas=tuple(fetched))
        if now != self._layout:
            self._layout = now
            machine.memory.set_layout(now)

    @property
    def _settings_count(self) -> int:
        """Grows whenever firmware writes what may change clocks or caches."""
        return self._machine.system.settings_count + (self.bus.settings_count if self.bus else 0)

    def _read_bits(self, name: str) -> int | None:
        """Read bits by name; None while firmware has programmed nothing."""
        if not self.is_programmed:
            return None
        block, register, bit = name.split(".")
        if block == "SCB":
            return self._machine.system.read(SYSTEM_REGISTERS[register], 4) >> int(bit) & 1
        return self.bus.field(block, register) >> int(bit) & 1 if self.bus is not None else None

    def _map(self, base: int, size_bytes: int, read: _Read, write: _Write) -> None:
        """Map registers, and look after each write whether it has changed anything."""

        def written(offset: int, size: int, value: int) -> None:
            write(offset, size, value)
            if base + offset in self.write_counts:
                self.write_counts[base + offset] += 1
            if self._settings_seen != self._settings_count:
                self._settings_seen = self._settings_count
                self.lay_out()

        self._machine.map_registers(base, size_bytes, read, written)

    def _attach_bus(self, family: str) -> None:
        """Map the chip's peripherals."""
        from tinysim.boards.families import load_family
        from tinysim.simulator.bus import Bus

        machine = self._machine
        description = load_family(family)
        self.loader = description.loader
        bus = self.bus = Bus(
            description,
            machine.now_cycles,
            machine.interrupts.nvic.set_line,
            self._on_unknown,
            hse_hz=machine.board.hse_hz,
            baud=_CONSOLE_BAUD,
            unknown=self._unknown,
            settings=switch_blocks(machine.board),
        )
        for base, size_bytes in bus.windows:
            self._map(
                base,
                size_bytes,
                lambda offset, size, base=base: bus.read(base + offset, size),  # type: ignore[misc]
                lambda offset, size, value, base=base: bus.write(base + offset, size, value),  # type: ignore[misc]
            )

    def _on_unknown(self, what: str) -> None:
        """Take note of a peripheral that is not described, or end the run."""
        machine = self._machine
        if self._unknown == "fault":
            machine.stop_with(
                fault(
                    f"uses {what}, which is not described",
                    machine.image,
                    machine.get("pc"),
                    "describe it in boards/families/, or take --unknown warn",
                )
            )
        else:
            machine.notes.append(f"uses {what}, which is not described: it reads what was written")
