"""The emulated board: memory, core, time and faults. The only part that knows Unicorn.

No memory hooks over RAM or flash: they corrupt Thumb execution in Unicorn 2.1. Everything is
counted from block callbacks (see ``tracer.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Timer
from typing import Any

import numpy as np
import unicorn

from tinysim.boards import Board
from tinysim.errors import EndError, LimitError, SimulationError
from tinysim.simulator.cores import Core
from tinysim.simulator.exceptions import EXC_RETURN_FIRST
from tinysim.simulator.images import Image
from tinysim.simulator.machine import semihosting
from tinysim.simulator.machine.chip import Chip
from tinysim.simulator.machine.engine import REGISTERS, attach_memory, attach_tracer, new_engine
from tinysim.simulator.machine.faults import ACCESS, bad_access, fault, place
from tinysim.simulator.machine.interrupts import Interrupts
from tinysim.simulator.machine.memory import NOWHERE, PAINT, RETURN_ADDRESS, map_memory
from tinysim.simulator.machine.prices import Prices
from tinysim.simulator.machine.rtt import Rtt
from tinysim.simulator.machine.stack import StackGuard
from tinysim.simulator.native_memory import NativeMemory
from tinysim.simulator.native_tracer import NativeTracer
from tinysim.simulator.peripherals import SystemControl
from tinysim.simulator.tracer import (
    NEVER,
    STOP_ATTENTION,
    STOP_LIMIT,
    STOP_STACK,
    STOP_UNALIGNED,
    Forecast,
)

_WFI, _WFE, _YIELD = b"\x30\xbf", b"\x20\xbf", b"\x10\xbf"
_INTERRUPT_SVC, _INTERRUPT_DATA_ABORT = 2, 4


@dataclass(frozen=True)
class Limits:
    """When a run that does not end is ended; ``cycles`` counts simulated time."""

    instructions: int = 20_000_000_000
    host_seconds: float = 600.0
    cycles: int | None = None


class Machine:
    """One board with one image, from reset on.

    Parameters
    ----------
    board, core
        What is emulated.
    image
        The firmware.
    limits
        When to give up.
    use_native
        False counts with the Python tracer even if the native one is built.
    fidelity
        1 counts what the core itself takes; 2 adds what instruction fetches wait for, 3 what data
        waits for, and checks alignment. None takes what the board needs.
    unknown
        What peripherals that are not described do: ``warn``, ``zero`` or ``fault``.
    """

    def __init__(
        self,
        board: Board,
        core: Core,
        image: Image,
        limits: Limits | None = None,
        use_native: bool = True,
        fidelity: int | None = None,
        unknown: str = "warn",
    ) -> None:
        self.board, self.core, self.image = board, core, image
        self._limits = limits or Limits()
        self._engine = new_engine(core)
        self._bad_access: tuple[str, int] | None = None
        self._error: SimulationError | None = None
        self._exc_return: int | None = None
        self._is_svc = self._is_leaving = self._is_too_long = False
        self._past_millicycles = 0
        self._alarm: int | None = None
        self.console = bytearray()
        self.sleep_cycles = 0
        self.notes: list[str] = []
        map_memory(self._engine, board, image)
        self.stack = StackGuard(self)
        self.interrupts = Interrupts(self)
        nvic = self.interrupts.nvic
        self.system = SystemControl(self.now_cycles, nvic, core.cpuid, image.vectors_address)
        self.prices = Prices(core, image, self.system, self.read, self.stack.begin)
        self.tracer = attach_tracer(
            self._engine,
            image,
            self.prices.price,
            Forecast(core.rule_cycles("mispredicted_branch") or 0, self.prices.branch_kind),
            self._limits.instructions,
            use_native,
        )
        self.fidelity = 1
        self.memory: NativeMemory | None = None
        wanted = fidelity or (3 if board.caches or board.banks else 1)
        if isinstance(self.tracer, NativeTracer) and wanted > 1:
            self.fidelity = wanted
            self.memory = attach_memory(self._engine, self.tracer, self.prices.instruction_at, core)
            self.prices.watch_operands()
        self.chip = Chip(self, unknown)
        self._rtt = Rtt.of(image, self)
        self._engine.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self._engine.hook_add(unicorn.UC_HOOK_INSN_INVALID, self._on_invalid)
        self._engine.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_bad_access)

    def boot(self, until_symbol: str) -> None:
        """Run from reset until a function is about to be entered."""
        self.reset()
        self.run_until(self.image.symbol(until_symbol).address)

    def reset(self) -> None:
        """Take stack pointer and entry from the vector table."""
        vectors = self.read(self.image.vectors_address, 8)
        stack_top, entry = np.frombuffer(vectors, "<u4").tolist()
        if not entry & 1:
            raise SimulationError(
                f"the reset vector {entry:#010x} is even: a real core would fault",
                where="vector table",
                fix="set the Thumb bit in the vectors",
            )
        self.set("sp", stack_top)
        self.stack.begin()
        self.set("pc", self._loader() or entry)
        self.tracer.enter(self.get("pc") & ~1)

    def _loader(self) -> int | None:
        """Return the entry of the image's own boot loader, put where the boot ROM runs it."""
        place = self.chip.loader
        if place is None:
            return None
        start = self.image.vectors_address - place.size_bytes
        if not any(segment.address <= start < segment.end for segment in self.image.segments):
            return None
        self.write(place.base, self.read(start, place.size_bytes))
        self.set("lr", 0)  # says to the loader that the boot ROM has called it
        return place.base | 1

    def call(self, address: int, argument: int = 0) -> None:
        """Call a function that takes at most one argument, and run it to its return."""
        self.clear()
        self.set("r0", argument)
        self.set("lr", RETURN_ADDRESS | 1)
        self.set("pc", address | 1)
        self.tracer.enter(address & ~1)
        self.run_until(RETURN_ADDRESS)
        self.tracer.leave()

    def clear(self) -> None:
        """Forget what was counted; time goes on."""
        self._past_millicycles += self.tracer.millicycles
        self.tracer.clear()
        if self.memory is not None:
            self.memory.clear()
        self.interrupts.cycles = self.sleep_cycles = 0

    def run_until(self, until: int, is_done: Callable[[], bool] = lambda: False) -> bool:
        """Run until ``until`` is about to be executed, exceptions and sleep included.

        ``is_done`` is asked whenever the host has something to do, after each write to a
        peripheral at the latest; True ends the run too. Returns whether ``until`` was reached.
        """
        if self.get("pc") & ~1 == until:
            self._leave_place()
        # Unicorn looks for the end when it translates: forget what it has translated there.
        self._engine.ctl_remove_cache(until, until + 2)
        watchdog = Timer(self._limits.host_seconds, self._give_up)  # Unicorn's own one polls
        watchdog.daemon = True
        watchdog.start()
        try:
            while not (reached := self._advance(until)) and not is_done():
                pass
        finally:
            watchdog.cancel()
        self.tracer.pause(self.get("pc") & ~1)
        if self.tracer.error is not None:
            raise self.tracer.error
        return reached

    def _give_up(self) -> None:
        """Stop from another thread: the host has no more time."""
        self._is_too_long = True
        self._engine.emu_stop()

    def run_out_of_handler(self) -> None:
        """Run until the handler that runs now has returned."""
        active = self.interrupts.nvic.active
        depth = len(active)
        self.run_until(NOWHERE, lambda: len(active) < depth)

    def _leave_place(self) -> None:
        """Run a block, so that where a run begins can be where it ends."""
        self._is_leaving = True
        self._advance(NOWHERE)
        self._is_leaving = False

    def _advance(self, until: int) -> bool:
        """Run to the next thing that the host must do, and do it; True at ``until``."""
        self._error = self._bad_access = self._exc_return = None
        self._is_svc = False
        self.tracer.resume()
        self.tracer.watch(
            attention=self._is_leaving or self.interrupts.nvic.is_waiting_for_mask,
            deadline_millicycles=self._deadline(),
        )
        try:
            self._engine.emu_start(self.get("pc") | 1, until)
        except unicorn.UcError as error:
            if self._exc_return is None:
                raise self._fault_of(error) from error
        if (stopped_by := self._error or self.tracer.error) is not None:
            raise stopped_by
        pc = self.get("pc")
        if self._is_too_long:
            raise LimitError(
                f"still running after {self._limits.host_seconds:g} s of this computer's time",
                where=place(self.image, pc),
                fix="the firmware may loop for ever; raise the limit if it does not",
            )
        if self.tracer.stop_reason == STOP_UNALIGNED and self.memory is not None:
            address, pc = self.memory.unaligned
            what = f"uses several words, or one exclusively, at {address:#010x}: no multiple of 4"
            raise fault(what, self.image, pc)
        if self.tracer.stop_reason == STOP_LIMIT:
            raise LimitError(
                f"still running after {self.tracer.instructions:,} instructions",
                where=place(self.image, pc),
                fix="the firmware may loop for ever; raise the limit if it does not",
            )
        if self.tracer.stop_reason == STOP_STACK:
            self.stack.judge(self.tracer.lowest_sp)
        if self._exc_return is not None:
            self.interrupts.return_from(self._exc_return)
        elif self._is_svc:
            self.tracer.close(is_taken=False)
            self.interrupts.call_supervisor()
        elif self.tracer.stop_reason not in (STOP_ATTENTION, STOP_STACK):
            if pc == until:
                return True
            self._stopped_elsewhere(pc)
        self._let_happen()
        self.interrupts.take_pending()
        return False

    def _fault_of(self, error: unicorn.UcError) -> SimulationError:
        """Return why Unicorn cannot go on: the cause, if it can be told from the consequence."""
        pc = self.get("pc")
        if (overflow := self.stack.overflow(self.get("sp"))) is not None:
            return overflow
        if self._bad_access is None or self._bad_access[0] != "executes":
            self.prices.check_code(pc)
        if self._bad_access is not None:
            return fault(bad_access(self.board, *self._bad_access), self.image, pc)
        return fault(f"cannot execute the instruction ({error})", self.image, pc)

    def now_cycles(self) -> int:
        """Return the cycles since reset, as firmware reads them: exact to its block's start."""
        cycles = (self._past_millicycles + self.tracer.millicycles) // 1000
        start = self.tracer.open_start
        pc = self.get("pc")
        if start is not None and start < pc:
            cycles += self.prices.run_cost(start, pc, False).cycles
        return cycles

    def get(self, register: str) -> int:
        """Read a register."""
        return int(self._engine.reg_read(REGISTERS[register]))

    def set(self, register: str, value: int) -> None:
        """Write a register."""
        self._engine.reg_write(REGISTERS[register], value)

    def read(self, address: int, size_bytes: int) -> bytes:
        """Read memory.

        Raises
        ------
        FaultError
            If there is none.
        """
        try:
            return bytes(self._engine.mem_read(address, size_bytes))
        except unicorn.UcError as error:
            what = bad_access(self.board, "reads", address)
            raise fault(what, self.image, self.get("pc")) from error

    def write(self, address: int, data: bytes) -> None:
        """Write memory.

        Raises
        ------
        FaultError
            If there is none.
        """
        try:
            self._engine.mem_write(address, data)
        except unicorn.UcError as error:
            what = bad_access(self.board, "writes", address)
            raise fault(what, self.image, self.get("pc")) from error

    def lowest_written(self, low: int, high: int) -> int:
        """Return the lowest address in a range that has lost its paint, or ``high``."""
        memory = np.frombuffer(self.read(low, high - low), np.uint8)
        written = np.flatnonzero(memory != PAINT)
        return low + int(written[0]) if len(written) else high

    def highest_written(self, low: int, high: int) -> int:
        """Return the end of what has lost its paint in a range, or ``low``."""
        memory = np.frombuffer(self.read(low, high - low), np.uint8)
        written = np.flatnonzero(memory != PAINT)
        return low + int(written[-1]) + 1 if len(written) else low

    def _deadline(self) -> int:
        """Return when the host must look at the time again, in the tracer's millicycles."""
        due = self._next_event(self._limits.cycles)
        return NEVER if due is None else max(0, due * 1000 - self._past_millicycles)

    def _next_event(self, *others: int | None) -> int | None:
        """Return when something happens without the core, or None."""
        polled = None if self._rtt is None else self._rtt.next_poll_cycles
        events = (self.chip.next_event_cycles, self._alarm, polled, *others)
        return min((event for event in events if event is not None), default=None)

    def wake_at(self, cycles: int) -> None:
        """Ask ``is_done`` at a time, even if nothing else happens then."""
        self._alarm = cycles

    def fetch_console(self) -> None:
        """Have what firmware has left for a debugger in the console, too."""
        if self._rtt is not None:
            self._rtt.fetch()

    def stop_with(self, error: SimulationError) -> None:
        """End the run with an error, from within the emulator."""
        self._error = error
        self._engine.emu_stop()

    def _let_happen(self) -> None:
        """Let what is due happen."""
        elapsed = (self._past_millicycles + self.tracer.millicycles) // 1000
        if self._limits.cycles is not None and elapsed >= self._limits.cycles:
            raise LimitError(
                f"still running after {self._limits.cycles / self.board.clock.hz:g} s of its time",
                where=place(self.image, self.get("pc")),
                fix="raise the limit if the firmware is meant to run longer",
            )
        if self._alarm is not None and elapsed >= self._alarm:
            self._alarm = None
        self.chip.serve(elapsed)
        if self._rtt is not None:
            self._rtt.serve(elapsed)

    def _sleep(self, pc: int) -> None:
        """Let time pass until something wakes the sleeping core, or somebody wants to know."""
        self.tracer.close(is_taken=False)
        while not self.interrupts.nvic.is_any_pending:
            event = self._next_event()
            if event is None:
                raise SimulationError(
                    "sleeps (WFI) and nothing is left to wake it",
                    where=place(self.image, pc - 2),
                    fix="main() must call the inference before it sleeps",
                )
            is_alarm = event == self._alarm
            waited = max(0, event - self.now_cycles())
            self.tracer.spend(waited * 1000)
            self.sleep_cycles += waited
            self._let_happen()
            if is_alarm:
                self.set("pc", (pc - 2) | 1)  # still asleep
                return

    def map_registers(
        self,
        base: int,
        size_bytes: int,
        read: Callable[[int, int], int],
        write: Callable[[int, int, int], None],
    ) -> None:
        """Map registers; ``read(offset, size)`` and ``write(offset, size, value)`` serve them."""

        def on_read(_engine: Any, offset: int, size: int, _data: Any) -> int:
            return read(offset, size)

        def on_write(_engine: Any, offset: int, size: int, value: int, _data: Any) -> None:
            write(offset, size, value)
            # What was written may ask for an exception or move the next event.
            self.tracer.watch_next_block(self._deadline())

        self._engine.mmio_map(base, size_bytes, on_read, None, on_write, None)

    def _stopped_elsewhere(self, pc: int) -> None:
        """Go on after an instruction that Unicorn stops at, or say why the run ended."""
        before = self.read(pc - 2, 2)
        if before == _WFI:
            self._sleep(pc)
            return
        raise SimulationError(
            "stopped before it was through",
            where=place(self.image, pc),
            fix="report this with the firmware",
        )

    def _on_bad_access(
        self, _uc: Any, kind: int, address: int, _size: int, _value: int, _data: Any
    ) -> bool:
        if kind == unicorn.UC_MEM_FETCH_UNMAPPED and address >= EXC_RETURN_FIRST:
            self._exc_return = address | 1  # how Armv6-M returns in Unicorn
            return False
        self._bad_access = (ACCESS.get(kind, "accesses"), address)
        return False

    def _on_invalid(self, _uc: Any, _data: Any) -> bool:
        """Go on over hints that Unicorn does not know; anything else is a fault."""
        return self.read(self.get("pc") - 2, 2) in (_WFE, _YIELD)

    def _on_exception(self, _uc: Any, number: int, _data: Any) -> None:
        """Serve semihosting, note SVC and exception returns; anything else ends the run."""
        pc = self.get("pc")
        if pc >= EXC_RETURN_FIRST - 1:
            self._exc_return = pc | 1
            self._engine.emu_stop()
            return
        if number == _INTERRUPT_SVC:
            self._is_svc = True
            self._engine.emu_stop()
            return
        if int.from_bytes(self.read(pc, 2), "little") == semihosting.BKPT:
            if semihosting.serve(self, self.console):
                self.stop_with(
                    EndError(
                        "the program ended before it was through",
                        where="semihosting",
                        fix="what is waited for or measured must come before",
                    )
                )
            self.set("pc", (pc + 2) | 1)
            self.tracer.watch_next_block(self._deadline())  # somebody may wait for what it printed
            return
        what = f"takes exception {number} of the emulator, which nothing handles"
        if number == _INTERRUPT_DATA_ABORT:
            what = "uses a word or halfword at an address that is not aligned"
        self.stop_with(fault(what, self.image, pc, "check what the instruction there does"))
