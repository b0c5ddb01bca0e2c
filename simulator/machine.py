"""The emulated board: memory, core, time and faults. The only module that knows Unicorn.

No memory hooks over RAM or flash: they corrupt Thumb execution in Unicorn 2.1. Everything is
counted from block callbacks (see ``tracer.py``).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import unicorn
from unicorn import arm_const
from unicorn.unicorn_py3.unicorn import uclib

from tinysim.boards import Board, MemoryRegion
from tinysim.errors import FaultError, LimitError, SimulationError
from tinysim.simulator.cores import Core
from tinysim.simulator.decode import Decoder
from tinysim.simulator.exceptions import EXC_RETURN_FIRST, ExceptionUnit
from tinysim.simulator.images import Image
from tinysim.simulator.nvic import SVCALL, Nvic
from tinysim.simulator.peripherals import SYSTEM_BASE, SYSTEM_BYTES, SystemControl
from tinysim.simulator.pipeline import RunCost, time_run
from tinysim.simulator.tracer import (
    NEVER,
    STOP_ATTENTION,
    STOP_LIMIT,
    CodeMap,
    Engine,
    NativeTracer,
    PythonTracer,
    RunPrice,
    Tracer,
    native_library,
)

#: RAM is filled with this before start: what still holds it has never been written.
PAINT = 0xC5

#: Where a called function returns to: a page of its own in the code area that no chip here uses.
RETURN_ADDRESS = 0x1EEE_E000

_PAGE = 4096
_SEMIHOSTING = 0xBEAB  # BKPT 0xAB
_SYS_WRITEC, _SYS_WRITE0, _SYS_EXIT, _SYS_EXIT_EXTENDED = 0x03, 0x04, 0x18, 0x20
_WFI, _WFE, _YIELD, _SEV = b"\x30\xbf", b"\x20\xbf", b"\x10\xbf", b"\x40\xbf"
_INTERRUPT_SVC = 2

_ACCESS = {
    unicorn.UC_MEM_READ_UNMAPPED: "reads",
    unicorn.UC_MEM_WRITE_UNMAPPED: "writes",
    unicorn.UC_MEM_FETCH_UNMAPPED: "executes",
    unicorn.UC_MEM_READ_PROT: "reads",
    unicorn.UC_MEM_WRITE_PROT: "writes",
    unicorn.UC_MEM_FETCH_PROT: "executes",
}
_REGISTERS = {
    name: getattr(arm_const, f"UC_ARM_REG_{name.upper()}")
    for name in (
        *(f"r{i}" for i in range(13)),
        *(f"s{i}" for i in range(16)),
        *("sp", "lr", "pc", "xpsr", "control", "primask", "basepri", "faultmask", "fpscr"),
    )
}


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
    """

    def __init__(
        self,
        board: Board,
        core: Core,
        image: Image,
        limits: Limits | None = None,
        use_native: bool = True,
    ) -> None:
        self.board, self.core, self.image = board, core, image
        self._limits = limits or Limits()
        self._engine = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB, getattr(arm_const, core.engine)
        )
        self.decoder = Decoder(lambda address, size: bytes(self._engine.mem_read(address, size)))
        self._costs: dict[tuple[int, int, bool], RunCost] = {}
        self._bad_access: tuple[str, int] | None = None
        self._error: SimulationError | None = None
        self._exc_return: int | None = None
        self._is_svc = False
        self._past_millicycles = 0
        self.console = bytearray()
        self.exception_cycles = self.sleep_cycles = 0
        self._map_memory()
        self.nvic = Nvic(core.exceptions.priority_bits)
        self._unit = ExceptionUnit(self, self.nvic, is_v8=core.target.mcpu == "cortex-m33")
        self.system = SystemControl(self.now_cycles, self.nvic, core.cpuid, image.vectors_address)
        self.tracer = self._attach_tracer(use_native)
        self._map_registers(SYSTEM_BASE, SYSTEM_BYTES, self.system.read, self.system.write)
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
        self.set("pc", entry)
        self.tracer.enter(entry & ~1)

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
        self.exception_cycles = self.sleep_cycles = 0

    def run_until(self, until: int) -> None:
        """Run until ``until`` is about to be executed, exceptions and sleep included."""
        while not self._advance(until):
            pass
        self.tracer.close(is_taken=True)
        if self.tracer.error is not None:
            raise self.tracer.error

    def _advance(self, until: int) -> bool:
        """Run to the next thing that the host must do, and do it; True at ``until``."""
        self._error = self._bad_access = self._exc_return = None
        self._is_svc = False
        self.tracer.resume()
        self.tracer.watch(
            attention=self.nvic.is_waiting_for_mask, deadline_millicycles=self._deadline()
        )
        try:
            timeout = int(self._limits.host_seconds * 1e6)
            self._engine.emu_start(self.get("pc") | 1, until, timeout=timeout)
        except unicorn.UcError as error:
            if self._exc_return is None:
                raise self._fault(error) from error
        if (stopped_by := self._error or self.tracer.error) is not None:
            raise stopped_by
        pc = self.get("pc")
        if self.tracer.stop_reason == STOP_LIMIT:
            raise LimitError(
                f"still running after {self.tracer.instructions:,} instructions",
                where=self._place(pc),
                fix="the firmware may loop for ever; raise the limit if it does not",
            )
        if self._exc_return is not None:
            self._return_from_exception(self._exc_return)
        elif self._is_svc:
            self.tracer.close(is_taken=False)
            self.nvic.pend(SVCALL)
        elif self.tracer.stop_reason != STOP_ATTENTION:
            if pc == until:
                return True
            self._stopped_elsewhere(pc)
        self._serve()
        return False

    def now_cycles(self) -> int:
        """Return the cycles since reset, as firmware reads them: exact to its block's start."""
        cycles = (self._past_millicycles + self.tracer.millicycles) // 1000
        start = self.tracer.open_start
        pc = self.get("pc")
        if start is not None and start < pc:
            cycles += self.run_cost(start, pc, False).cycles
        return cycles

    def get(self, register: str) -> int:
        """Read a register."""
        return int(self._engine.reg_read(_REGISTERS[register]))

    def set(self, register: str, value: int) -> None:
        """Write a register."""
        self._engine.reg_write(_REGISTERS[register], value)

    def read(self, address: int, size_bytes: int) -> bytes:
        """Read memory."""
        return bytes(self._engine.mem_read(address, size_bytes))

    def write(self, address: int, data: bytes) -> None:
        """Write memory."""
        self._engine.mem_write(address, data)

    def lowest_written(self, low: int, high: int) -> int:
        """Return the lowest address in a range that has lost its paint, or ``high``."""
        memory = np.frombuffer(self.read(low, high - low), np.uint8)
        written = np.flatnonzero(memory != PAINT)
        return low + int(written[0]) if len(written) else high

    def run_cost(self, start: int, end: int, is_taken: bool) -> RunCost:
        """Return what a run costs, without memory wait states."""
        key = (start, end, is_taken)
        if key not in self._costs:
            self._costs[key] = time_run(self.decoder.between(start, end), is_taken, self.core)
        return self._costs[key]

    def region_at(self, address: int) -> MemoryRegion:
        """Return the region that holds an address, however far it was widened."""
        below = [region for region in self.board.regions if region.base <= address]
        if not below:
            raise SimulationError(
                f"uses {address:#010x}, below all memory of {self.board.name}",
                where="image",
                fix="link for this board's memory map",
            )
        return max(below, key=lambda region: region.base)

    def fetch_stall_millicycles(self, start: int, instructions: int) -> int:
        """Return a run's wait for flash, by the board's simple figure."""
        return instructions * self.region_at(start).fetch_stall_per_1000_instructions

    def _price(self, start: int, end: int, is_taken: bool) -> RunPrice:
        run = self.decoder.between(start, end)
        cost = self.run_cost(start, end, is_taken)
        level, levels = 0, [0]
        for one in run:
            level += one.sp_step or 0
            levels.append(level)
        if any(one.kind.startswith("fp") for one in run):
            self._unit.has_fp_context = True
        known = all(one.sp_step is not None for one in run)
        return RunPrice(
            millicycles=cost.cycles * 1000 + self.fetch_stall_millicycles(start, cost.instructions),
            instructions=cost.instructions,
            moves_sp=any(one.moves_sp for one in run),
            sp_above_low=level - min(levels) if known else 0,
            is_call=run[-1].is_call,
        )

    def _deadline(self) -> int:
        """Return when the host must look at the time again, in the tracer's millicycles."""
        events = [self.system.next_tick_cycles]
        if self._limits.cycles is not None:
            events.append(self._limits.cycles)
        due = min((event for event in events if event is not None), default=None)
        return NEVER if due is None else max(0, due * 1000 - self._past_millicycles)

    def _serve(self) -> None:
        """Let what is due happen, and take an exception if one may be taken."""
        elapsed = (self._past_millicycles + self.tracer.millicycles) // 1000
        if self._limits.cycles is not None and elapsed >= self._limits.cycles:
            raise LimitError(
                f"still running after {self._limits.cycles / self.board.clock.hz:g} s of its time",
                where=self._place(self.get("pc")),
                fix="raise the limit if the firmware is meant to run longer",
            )
        self.system.serve(elapsed)
        masks = (self.get("primask"), self._masked("basepri"), self._masked("faultmask"))
        number = self.nvic.next_to_take(*masks)
        if number is not None:
            self._spend(self.core.exceptions.entry_cycles)
            handler = self._handler(number)
            self._unit.enter(number, handler)
            self.tracer.enter(handler)

    def _return_from_exception(self, exc_return: int) -> None:
        """Leave a handler; chain to the next one without touching the stack if one waits."""
        self.tracer.close(is_taken=True)
        self.tracer.leave()
        if not self.nvic.active:
            raise SimulationError(
                f"returns from an exception ({exc_return:#010x}) that it is not in",
                where=self._place(self.get("lr")),
                fix="the stack may be corrupt: check its size",
            )
        self.nvic.deactivate()
        masks = (self.get("primask"), self._masked("basepri"), self._masked("faultmask"))
        number = self.nvic.next_to_take(*masks)
        if number is None:
            self._spend(self.core.exceptions.exit_cycles)
            self._unit.leave(exc_return)
            return
        self._spend(self.core.exceptions.tail_chain_cycles)
        handler = self._handler(number)
        self.nvic.activate(number)
        self.set("lr", exc_return)
        self.set("pc", handler | 1)
        self.tracer.enter(handler)

    def _masked(self, register: str) -> int:
        """Return a mask that Armv6-M does not have."""
        return 0 if self.core.target.mcpu == "cortex-m0plus" else self.get(register)

    def _handler(self, number: int) -> int:
        """Return the address of an exception's handler."""
        address = self.system.vector_table + 4 * number
        vector = int.from_bytes(self.read(address, 4), "little")
        if not vector & 1:
            raise FaultError(
                f"exception {number} has the vector {vector:#010x}, which is even",
                where=self._place(self.get("pc")),
                fix="set the Thumb bit, and give every exception that is enabled a handler",
                pc=self.get("pc"),
                symbol=self.image.function_at(self.get("pc")),
            )
        return vector & ~1

    def _spend(self, cycles: int) -> None:
        """Count cycles that no instruction takes."""
        self.tracer.spend(cycles * 1000)
        self.exception_cycles += cycles

    def _sleep(self, pc: int) -> None:
        """Let time pass to the next event that wakes a sleeping core."""
        self.tracer.close(is_taken=False)
        if self.nvic.is_any_pending:
            return
        tick = self.system.next_tick_cycles
        if tick is None:
            raise SimulationError(
                "sleeps (WFI) and nothing is left to wake it",
                where=self._place(pc - 2),
                fix="main() must call the inference before it sleeps",
            )
        waited = max(0, tick - self.now_cycles())
        self.tracer.spend(waited * 1000)
        self.sleep_cycles += waited

    def _map_memory(self) -> None:
        """Map every region, as large as the board's or as the image needs; paint RAM; load."""
        tops = {region.name: region.end for region in self.board.regions}
        used = list(self.image.ends)
        used += [self.image.symbols[name].address for name in _TOPS if name in self.image.symbols]
        for end in used:
            region = self.region_at(end - 1)
            tops[region.name] = max(tops[region.name], end)
        for region in self.board.regions:
            base = region.base // _PAGE * _PAGE
            size = -(-(tops[region.name] - base) // _PAGE) * _PAGE
            protection = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
            if region.kind == "ram":
                protection |= unicorn.UC_PROT_WRITE
            self._engine.mem_map(base, size, protection)
            if region.kind == "ram":
                self._engine.mem_write(base, bytes([PAINT]) * size)
        self._engine.mem_map(RETURN_ADDRESS, _PAGE, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        for segment in self.image.segments:
            self._engine.mem_write(segment.address, segment.data)

    def _map_registers(
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

    def _attach_tracer(self, use_native: bool) -> Tracer:
        """Attach the native tracer, or its Python twin where it was not built."""
        code = _code_map(self.image)
        handle = self._engine._uch
        engine = Engine(
            handle=handle.value,
            stop_address=_address(uclib.uc_emu_stop),
            read_register_address=_address(uclib.uc_reg_read),
            sp_id=arm_const.UC_ARM_REG_SP,
            stop=self._engine.emu_stop,
            read_sp=lambda: self.get("sp"),
        )
        limit = self._limits.instructions
        library = native_library() if use_native else None
        if library is None:
            slow = PythonTracer(engine, code, self._price, limit)
            self._engine.hook_add(
                unicorn.UC_HOOK_BLOCK, lambda _uc, address, size, _data: slow.block(address, size)
            )
            return slow
        native = NativeTracer(library, engine, code, self._price, limit)
        hook = ctypes.c_size_t()
        status = uclib.uc_hook_add(
            handle,
            ctypes.byref(hook),
            ctypes.c_int(unicorn.UC_HOOK_BLOCK),
            ctypes.c_void_p(native.callback_address),
            ctypes.c_void_p(native.state_address),
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if status != unicorn.UC_ERR_OK:
            raise unicorn.UcError(status)
        return native

    def _stopped_elsewhere(self, pc: int) -> None:
        """Go on after an instruction that Unicorn stops at, or say why the run ended."""
        before = self.read(pc - 2, 2)
        if before == _WFI:
            self._sleep(pc)
            return
        if self._engine.query(unicorn.UC_QUERY_TIMEOUT):
            raise LimitError(
                f"still running after {self._limits.host_seconds:g} s of this computer's time",
                where=self._place(pc),
                fix="the firmware may loop for ever; raise the limit if it does not",
            )
        raise SimulationError(
            "stopped before it was through",
            where=self._place(pc),
            fix="report this with the firmware",
        )

    def _fault(self, error: unicorn.UcError) -> FaultError:
        """Turn the emulator's error into what the firmware did."""
        pc = self.get("pc")
        if self._bad_access is not None:
            verb, address = self._bad_access
            what = f"{verb} {address:#010x}, where {self._what_is_at(address)}"
        else:
            what = f"cannot execute the instruction ({error})"
        return FaultError(
            what,
            where=self._place(pc),
            fix="check pointers, stack size and the memory map of the board",
            pc=pc,
            symbol=self.image.function_at(pc),
        )

    def _what_is_at(self, address: int) -> str:
        for region in self.board.regions:
            if region.base <= address < region.end:
                return f"{region.name} cannot be accessed so"
        return f"{self.board.name} has no memory"

    def _place(self, pc: int) -> str:
        return f"pc {pc:#010x} in {self.image.function_at(pc)}"

    def _on_bad_access(
        self, _uc: Any, kind: int, address: int, _size: int, _value: int, _data: Any
    ) -> bool:
        if kind == unicorn.UC_MEM_FETCH_UNMAPPED and address >= EXC_RETURN_FIRST:
            self._exc_return = address | 1  # how Armv6-M returns in Unicorn
            return False
        self._bad_access = (_ACCESS.get(kind, "accesses"), address)
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
        if int.from_bytes(self.read(pc, 2), "little") == _SEMIHOSTING:
            self._semihosting()
            self.set("pc", (pc + 2) | 1)
            return
        self._error = FaultError(
            f"takes exception {number} of the emulator, which nothing handles",
            where=self._place(pc),
            fix="check what the instruction there does",
            pc=pc,
            symbol=self.image.function_at(pc),
        )
        self._engine.emu_stop()

    def _semihosting(self) -> None:
        """Do what the debugger is asked to: print, or end the program."""
        call, argument = self.get("r0"), self.get("r1")
        if call in (_SYS_EXIT, _SYS_EXIT_EXTENDED):
            self._error = SimulationError(
                "the program ended before it was through",
                where="semihosting",
                fix="main() must call the inference first",
            )
            self._engine.emu_stop()
        elif call == _SYS_WRITEC:
            self.console += self.read(argument, 1)
        elif call == _SYS_WRITE0:
            while (char := self.read(argument, 1)) != b"\0":
                self.console += char
                argument += 1


#: Linker symbols that lie at the top of what the image uses, in RAM.
_TOPS = ("__stack_top",)


def _code_map(image: Image) -> CodeMap:
    """Mark where functions begin."""
    if not image.functions:
        return CodeMap(0, np.zeros(0, np.uint8))
    starts = np.array([function.address for function in image.functions], np.int64)
    base = int(starts.min()) & ~1
    # Functions far from the first (code in RAM) stay unmarked: their tail calls go uncounted.
    near = starts[starts - base < 2**24]
    table = np.zeros((int(near.max()) - base) // 2 + 1, np.uint8)
    table[(near - base) // 2] = 1
    return CodeMap(base, table)


def _address(function: Any) -> int:
    """Return where a function of the emulator's library lies."""
    pointer = ctypes.cast(function, ctypes.c_void_p)
    assert pointer.value is not None
    return pointer.value
