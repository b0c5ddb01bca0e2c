"""The emulated board: memory, core and faults. The only module that knows Unicorn.

No memory hooks over RAM or flash: they corrupt Thumb execution in Unicorn 2.1. Everything is
counted from block callbacks (see ``tracer.py``).
"""

from __future__ import annotations

import ctypes
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
from tinysim.simulator.image import ElfImage
from tinysim.simulator.peripherals import SYSTEM_BASE, SYSTEM_BYTES, SystemControl
from tinysim.simulator.pipeline import RunCost, time_run
from tinysim.simulator.tracer import (
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

_ACCESS = {
    unicorn.UC_MEM_READ_UNMAPPED: "reads",
    unicorn.UC_MEM_WRITE_UNMAPPED: "writes",
    unicorn.UC_MEM_FETCH_UNMAPPED: "executes",
    unicorn.UC_MEM_READ_PROT: "reads",
    unicorn.UC_MEM_WRITE_PROT: "writes",
    unicorn.UC_MEM_FETCH_PROT: "executes",
}


@dataclass(frozen=True)
class Limits:
    """When a run that does not end is ended."""

    instructions: int = 20_000_000_000
    host_seconds: float = 600.0


class Machine:
    """One board with one image, from reset on.

    Parameters
    ----------
    board, core
        What is emulated.
    image
        The firmware.
    owner
        Symbols of functions, and the layer number that their code counts for.
    limits
        When to give up.
    use_native
        False counts with the Python tracer even if the native one is built.
    """

    def __init__(
        self,
        board: Board,
        core: Core,
        image: ElfImage,
        owner: dict[str, int],
        limits: Limits | None = None,
        use_native: bool = True,
    ) -> None:
        self.board, self.core, self.image = board, core, image
        self._limits = limits or Limits()
        self._engine = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB, getattr(arm_const, core.engine)
        )
        self._decoder = Decoder(lambda address, size: bytes(self._engine.mem_read(address, size)))
        self._costs: dict[tuple[int, int, bool], RunCost] = {}
        self._bad_access: tuple[str, int] | None = None
        self._error: SimulationError | None = None
        self.console = bytearray()
        self._map_memory()
        self.tracer = self._attach_tracer(owner, use_native)
        self._system = SystemControl(self._now_cycles)
        self._map_system()
        self._engine.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self._engine.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_bad_access)

    def boot(self, until_symbol: str) -> None:
        """Run from reset until a function is about to be entered."""
        vectors = self.read(self.image.vectors_address, 8)
        stack_top, reset = np.frombuffer(vectors, "<u4").tolist()
        if not reset & 1:
            raise SimulationError(
                f"the reset vector {reset:#010x} is even: a real core would fault",
                where="vector table",
                fix="set the Thumb bit in the vectors",
            )
        self._set(arm_const.UC_ARM_REG_SP, stack_top)
        self._run(reset, self.image.symbol(until_symbol).address)

    def call(self, symbol: str, argument: int) -> None:
        """Call a function that takes one argument, and run it to its return."""
        self.tracer.clear()
        self._set(arm_const.UC_ARM_REG_R0, argument)
        self._set(arm_const.UC_ARM_REG_LR, RETURN_ADDRESS | 1)
        self._run(self.image.symbol(symbol).address | 1, RETURN_ADDRESS)

    def read(self, address: int, size_bytes: int) -> bytes:
        """Read memory."""
        return bytes(self._engine.mem_read(address, size_bytes))

    def write(self, address: int, data: bytes) -> None:
        """Write memory."""
        self._engine.mem_write(address, data)

    @property
    def stack_pointer(self) -> int:
        """The stack pointer."""
        return int(self._engine.reg_read(arm_const.UC_ARM_REG_SP))

    def lowest_written(self, low: int, high: int) -> int:
        """Return the lowest address in a range that has lost its paint, or ``high``."""
        memory = np.frombuffer(self.read(low, high - low), np.uint8)
        written = np.flatnonzero(memory != PAINT)
        return low + int(written[0]) if len(written) else high

    def run_cost(self, start: int, end: int, is_taken: bool) -> RunCost:
        """Return what a run costs, without memory wait states."""
        key = (start, end, is_taken)
        if key not in self._costs:
            self._costs[key] = time_run(self._decoder.between(start, end), is_taken, self.core)
        return self._costs[key]

    def region_at(self, address: int) -> MemoryRegion:
        """Return the region that holds an address, however far it was widened."""
        below = [region for region in self.board.regions if region.base <= address]
        if not below:
            raise SimulationError(
                f"uses {address:#010x}, below all memory of {self.board.name}",
                where="ELF",
                fix="link for this board's memory map",
            )
        return max(below, key=lambda region: region.base)

    def fetch_stall_millicycles(self, start: int, instructions: int) -> int:
        """Return a run's wait for flash, by the board's simple figure."""
        return instructions * self.region_at(start).fetch_stall_per_1000_instructions

    def _now_cycles(self) -> int:
        """Return the cycles so far, as firmware reads them: exact to the start of its block."""
        cycles = self.tracer.millicycles // 1000
        start = self.tracer.open_start
        pc = int(self._engine.reg_read(arm_const.UC_ARM_REG_PC))
        if start is not None and start < pc:
            cycles += self.run_cost(start, pc, False).cycles
        return cycles

    def _price(self, start: int, end: int, is_taken: bool) -> RunPrice:
        cost = self.run_cost(start, end, is_taken)
        steps = [one.sp_step for one in self._decoder.between(start, end)]
        level, levels = 0, [0]
        for step in steps:
            level += step or 0
            levels.append(level)
        known = None not in steps
        return RunPrice(
            millicycles=cost.cycles * 1000 + self.fetch_stall_millicycles(start, cost.instructions),
            instructions=cost.instructions,
            moves_sp=any(step != 0 for step in steps),
            sp_above_low=level - min(levels) if known else 0,
        )

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

    def _map_system(self) -> None:
        """Map the core's own registers."""

        def read(_engine: Any, offset: int, size: int, _data: Any) -> int:
            word = self._system.read((SYSTEM_BASE + offset) & ~3)
            return (word >> 8 * (offset & 3)) & ((1 << 8 * size) - 1)

        def write(_engine: Any, offset: int, size: int, value: int, _data: Any) -> None:
            self._system.write(SYSTEM_BASE + offset, value)

        self._engine.mmio_map(SYSTEM_BASE, SYSTEM_BYTES, read, None, write, None)

    def _attach_tracer(self, owner: dict[str, int], use_native: bool) -> Tracer:
        """Attach the native tracer, or its Python twin where it was not built."""
        code = _code_map(self.image, owner)
        handle = self._engine._uch
        engine = Engine(
            handle=handle.value,
            stop_address=_address(uclib.uc_emu_stop),
            read_register_address=_address(uclib.uc_reg_read),
            sp_id=arm_const.UC_ARM_REG_SP,
            stop=self._engine.emu_stop,
            read_sp=lambda: self.stack_pointer,
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

    def _run(self, pc: int, until: int) -> None:
        """Run from ``pc`` until ``until`` is about to be executed."""
        self._error = self._bad_access = None
        try:
            timeout = int(self._limits.host_seconds * 1e6)
            self._engine.emu_start(pc | 1, until, timeout=timeout)
        except unicorn.UcError as error:
            raise self._fault(error) from error
        if self._error is not None:
            raise self._error
        if self.tracer.error is not None:
            raise self.tracer.error
        stopped_at = int(self._engine.reg_read(arm_const.UC_ARM_REG_PC))
        if self.tracer.is_stopped:
            raise LimitError(
                f"still running after {self.tracer.instructions:,} instructions",
                where=self._place(stopped_at),
                fix="the firmware may loop for ever; raise the limit if it does not",
            )
        self.tracer.close(is_taken=True)
        if self.tracer.error is not None:
            raise self.tracer.error
        if stopped_at != until:
            raise self._early_end(stopped_at)

    def _early_end(self, pc: int) -> SimulationError:
        """Say why the run ended somewhere else."""
        if self._engine.query(unicorn.UC_QUERY_TIMEOUT):
            return LimitError(
                f"still running after {self._limits.host_seconds:g} s of this computer's time",
                where=self._place(pc),
                fix="the firmware may loop for ever; raise the limit if it does not",
            )
        if self.read(pc - 2, 2) == b"\x30\xbf":
            return SimulationError(
                "sleeps (WFI) and nothing is left to wake it",
                where=self._place(pc - 2),
                fix="main() must call ts_model_invoke() before it sleeps",
            )
        return SimulationError(
            "stopped before the inference was over",
            where=self._place(pc),
            fix="main() must call ts_model_invoke() and let it return",
        )

    def _fault(self, error: unicorn.UcError) -> FaultError:
        """Turn the emulator's error into what the firmware did."""
        pc = int(self._engine.reg_read(arm_const.UC_ARM_REG_PC))
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
        self._bad_access = (_ACCESS.get(kind, "accesses"), address)
        return False

    def _on_exception(self, _uc: Any, number: int, _data: Any) -> None:
        """Serve semihosting calls; anything else that traps ends the run."""
        pc = int(self._engine.reg_read(arm_const.UC_ARM_REG_PC))
        if int.from_bytes(self.read(pc, 2), "little") == _SEMIHOSTING:
            self._semihosting()
            self._set(arm_const.UC_ARM_REG_PC, (pc + 2) | 1)
            return
        self._error = FaultError(
            f"takes exception {number}, for which there is no handler here",
            where=self._place(pc),
            fix="a model's code raises no exceptions: check what main() does",
            pc=pc,
            symbol=self.image.function_at(pc),
        )
        self._engine.emu_stop()

    def _semihosting(self) -> None:
        """Do what the debugger is asked to: print, or end the program."""
        call = int(self._engine.reg_read(arm_const.UC_ARM_REG_R0))
        argument = int(self._engine.reg_read(arm_const.UC_ARM_REG_R1))
        if call in (_SYS_EXIT, _SYS_EXIT_EXTENDED):
            self._error = SimulationError(
                "the program ended before the inference was over",
                where="semihosting",
                fix="main() must call ts_model_invoke() first",
            )
            self._engine.emu_stop()
        elif call == _SYS_WRITEC:
            self.console += self.read(argument, 1)
        elif call == _SYS_WRITE0:
            while (char := self.read(argument, 1)) != b"\0":
                self.console += char
                argument += 1

    def _set(self, register: int, value: int) -> None:
        self._engine.reg_write(register, value)


#: Linker symbols that lie at the top of what the image uses, in RAM.
_TOPS = ("__stack_top",)


def _code_map(image: ElfImage, owner: dict[str, int]) -> CodeMap:
    """Mark the code of the named functions with their layers."""
    functions = [image.symbol(name) for name in owner]
    base = min(function.address for function in functions)
    end = max(function.address + function.size_bytes for function in functions)
    table = np.zeros((end - base + 1) // 2, np.uint16)
    for function, layer in zip(functions, owner.values(), strict=True):
        first = (function.address - base) // 2
        table[first : first + (function.size_bytes + 1) // 2] = layer
    return CodeMap(base, table)


def _address(function: Any) -> int:
    """Return where a function of the emulator's library lies."""
    pointer = ctypes.cast(function, ctypes.c_void_p)
    assert pointer.value is not None
    return pointer.value
