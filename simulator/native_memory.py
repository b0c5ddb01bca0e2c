"""The native memory system: ``native/memory.c`` behind ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tinysim.errors import SimulationError
from tinysim.simulator.cores import Core
from tinysim.simulator.decode import Instruction
from tinysim.simulator.native_tracer import NativeTracer

if TYPE_CHECKING:
    from tinysim.simulator.memory_system import Area, Layout

_AREAS_MAX, _CACHES_MAX, _HINTS, _SPANS, _NONE = 16, 8, 64, 64, 0xFF
_IS_KNOWN, _IS_LOAD, _IS_STORE, _IS_WORD_ALIGNED, _IS_DIVIDE, _IS_SIGNED = 1, 2, 4, 8, 16, 32
#: The disassembler's names of the general registers, by number.
_REGISTERS = {f"r{i}": i for i in range(13)} | {"sb": 9, "sl": 10, "fp": 11, "ip": 12}
_REGISTERS |= {"sp": 13, "lr": 14}


class _Access(ctypes.Structure):
    _fields_ = [
        ("displacement", ctypes.c_int32),
        ("base", ctypes.c_uint8),
        ("index", ctypes.c_uint8),
        ("shift", ctypes.c_uint8),
        ("bytes", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
    ]


class _Cache(ctypes.Structure):
    _fields_ = [
        ("line_shift", ctypes.c_uint32),
        ("word_shift", ctypes.c_uint32),
        ("sets", ctypes.c_uint32),
        ("ways", ctypes.c_uint32),
        ("fills_line", ctypes.c_uint32),
        ("prefetches", ctypes.c_uint32),
        ("fetch_only", ctypes.c_uint32),
        ("next_word", ctypes.c_uint32),
        ("next_ready", ctypes.c_uint64),
        ("clock", ctypes.c_uint64),
        ("lines", ctypes.c_void_p),
        ("hints", ctypes.c_void_p * _HINTS),
    ]


class _Area(ctypes.Structure):
    _fields_ = [
        ("base", ctypes.c_uint32),
        ("last", ctypes.c_uint32),
        ("wait_millicycles", ctypes.c_uint32),
        ("burst_millicycles", ctypes.c_uint32),
        ("code", ctypes.c_uint8),
        ("data", ctypes.c_uint8),
        ("bursts", ctypes.c_uint64),
    ]


class _Span(ctypes.Structure):
    _fields_ = [
        ("first", ctypes.c_uint32),
        ("last", ctypes.c_uint32),
        ("area", ctypes.c_void_p),
    ]


_OnNew = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.POINTER(_Access))


class _State(ctypes.Structure):
    _fields_ = [
        ("tracer", ctypes.c_void_p),
        ("on_new", _OnNew),
        ("register_ids", ctypes.c_int32 * 16),
        ("registers", ctypes.c_void_p),
        ("unaligned_millicycles", ctypes.c_uint32),
        ("area_count", ctypes.c_uint32),
        ("areas", _Area * _AREAS_MAX),
        ("caches", _Cache * _CACHES_MAX),
        ("pages", ctypes.c_void_p),
        ("fetched_first", ctypes.c_uint32),
        ("fetched_last", ctypes.c_uint32),
        ("accessed_at", ctypes.c_uint64),
        ("accessed", ctypes.c_void_p),
        ("unaligned_address", ctypes.c_uint32),
        ("unaligned_pc", ctypes.c_uint32),
        ("spans", _Span * _SPANS),
    ]


class NativeMemory:
    """The memory system at work.

    Parameters
    ----------
    tracer
        Counts what is waited for.
    decode
        Returns the instruction at an address, or None if it is not known.
    register_ids
        The emulator's numbers of R0 to R12, SP and LR.
    registers_address
        Where the emulator keeps R0 to R14, if that is known: reading them there is faster.
    core
        Says whether divisions end early, and what straddling words costs.
    """

    def __init__(
        self,
        tracer: NativeTracer,
        decode: Callable[[int], Instruction | None],
        register_ids: Sequence[int],
        core: Core,
        registers_address: int | None,
    ) -> None:
        self._divides_early = core.rule_cycles("divide_early") is not None
        straddling = core.rule_cycles("unaligned_access") or 0
        self._tracer, self._decode = tracer, decode
        self._library = tracer.library
        self._on_new = _OnNew(self._new)
        self._is_ram_timed = self._is_timed = False
        self._timed: list[Area] = []
        self._state = _State(
            tracer=tracer.state_address,
            on_new=self._on_new,
            register_ids=(ctypes.c_int32 * 16)(*register_ids),
            registers=registers_address,
            unaligned_millicycles=straddling * 1000,
        )
        if not self._library.ts_memory_new(ctypes.byref(self._state)):
            raise SimulationError("no memory for its tables", where="simulator", fix="free some")

    def __del__(self) -> None:
        self._library.ts_memory_free(ctypes.byref(self._state))

    @property
    def callback_address(self) -> int:
        """Address of the callback for every instruction."""
        pointer = ctypes.cast(self._library.ts_memory_instruction, ctypes.c_void_p)
        assert pointer.value is not None
        return pointer.value

    @property
    def state_address(self) -> int:
        """Address of the callback's user data."""
        return ctypes.addressof(self._state)

    @property
    def unaligned(self) -> tuple[int, int]:
        """Address and instruction of the access that ended the run for its alignment."""
        return self._state.unaligned_address, self._state.unaligned_pc

    def set_layout(self, layout: Layout) -> None:
        """Become another memory system; caches are empty then."""
        state = self._state
        self._timed = [area for area in layout.areas if area.is_timed]
        state.area_count = len(self._timed)
        for row, area in zip(state.areas, self._timed, strict=False):
            row.base, row.last = area.base, area.end - 1
            row.wait_millicycles = area.wait_cycles * 1000
            row.burst_millicycles = area.burst_cycles * 1000
            row.code = _NONE if area.code is None else area.code
            row.data = _NONE if area.data is None else area.data
        self._library.ts_memory_reset_areas(ctypes.byref(state))
        for index, cache in enumerate(layout.caches):
            row = state.caches[index]
            row.line_shift = cache.line_bytes.bit_length() - 1
            row.word_shift = cache.word_bytes.bit_length() - 1
            row.sets, row.ways = cache.lines // cache.ways, cache.ways
            row.fills_line, row.prefetches = cache.fills_line, cache.prefetches
            row.fetch_only = all(area.data != index for area in self._timed)
            if not self._library.ts_memory_reset_cache(ctypes.byref(state), index):
                raise SimulationError("no memory for a cache", where="simulator", fix="free some")
        if (self._is_timed, self._is_ram_timed) != (layout.is_timed, layout.is_ram_timed):
            self._is_timed, self._is_ram_timed = layout.is_timed, layout.is_ram_timed
            self._library.ts_memory_forget(ctypes.byref(state))

    def bank_cycles(self) -> dict[str, int]:
        """Return what each bank's bursts have cost since ``clear``."""
        rows = zip(self._state.areas, self._timed, strict=False)
        return {
            area.name: int(row.bursts) * area.burst_cycles
            for row, area in rows
            if area.burst_cycles and row.bursts
        }

    def clear(self) -> None:
        """Forget what banks have cost; caches keep what they hold."""
        for row in self._state.areas:
            row.bursts = 0

    def _new(self, address: int, pointer: ctypes._Pointer[_Access]) -> None:
        row = pointer.contents
        row.flags = _IS_KNOWN
        try:
            instruction = self._decode(address)
        except BaseException as error:  # cannot cross C: the machine raises it
            self._tracer.fail(error)
            return
        if instruction is None:
            return
        access = instruction.access
        if instruction.kind == "divide" and self._divides_early:
            numerator, denominator = instruction.operands[-2:]
            row.base, row.index = _REGISTERS[numerator], _REGISTERS[denominator]
            row.flags |= _IS_DIVIDE | (_IS_SIGNED if instruction.text.startswith("s") else 0)
        if access is None:
            return
        is_stack = access.base == "sp"
        is_checked = access.needs_word and not is_stack  # SP is always a multiple of 4
        may_straddle = self._state.unaligned_millicycles and 1 < access.size_bytes <= 4
        is_timed = self._is_ram_timed or (self._is_timed and access.is_load and not is_stack)
        is_timed |= bool(may_straddle and not is_stack)
        if not (is_checked or is_timed):
            return
        row.displacement = ctypes.c_int32(access.displacement).value
        row.base = _NONE if access.base is None else _REGISTERS[access.base]
        row.index = _NONE if access.index is None else _REGISTERS[access.index]
        row.shift, row.bytes = access.shift, access.size_bytes
        row.flags |= _IS_LOAD if access.is_load else _IS_STORE
        row.flags |= _IS_WORD_ALIGNED if is_checked else 0
