"""Unicorn: the engine with its registers by name, and the tracer hooked into it."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import unicorn
from unicorn import arm_const
from unicorn.unicorn_py3.unicorn import uclib

from tinysim.simulator.cores import Core
from tinysim.simulator.decode import Instruction
from tinysim.simulator.images import Image
from tinysim.simulator.native_memory import NativeMemory
from tinysim.simulator.native_tracer import NativeTracer, native_library
from tinysim.simulator.python_tracer import PythonTracer
from tinysim.simulator.tracer import CodeMap, Engine, Forecast, Pricer, Tracer

#: How much of the engine is searched for pointers, and of what they point to for registers.
_ENGINE_BYTES, _STATE_BYTES = 2048, 65_536

#: Unicorn's numbers of the registers, by their names in Arm's manuals.
REGISTERS = {
    name: getattr(arm_const, f"UC_ARM_REG_{name.upper()}")
    for name in (
        *(f"r{i}" for i in range(13)),
        *(f"s{i}" for i in range(16)),
        *("sp", "lr", "pc", "xpsr", "ipsr", "control", "primask", "basepri", "faultmask", "fpscr"),
    )
}


def new_engine(core: Core) -> Any:
    """Return an engine for a core. No ``UC_MODE_MCLASS``: it would replace the model by an M33."""
    model = getattr(arm_const, core.engine)
    return unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB, model)


def attach_tracer(
    engine: Any,
    image: Image,
    price: Pricer,
    forecast: Forecast,
    instruction_limit: int,
    use_native: bool,
) -> Tracer:
    """Attach the native tracer, or its Python twin where it was not built."""
    code = _code_map(image)
    handle = engine._uch
    wanted = Engine(
        handle=handle.value,
        stop_address=_address(uclib.uc_emu_stop),
        read_register_address=_address(uclib.uc_reg_read),
        sp_id=arm_const.UC_ARM_REG_SP,
        stop=engine.emu_stop,
        read_sp=lambda: int(engine.reg_read(arm_const.UC_ARM_REG_SP)),
    )
    library = native_library() if use_native else None
    if library is None:
        slow = PythonTracer(wanted, code, price, forecast, instruction_limit)
        engine.hook_add(
            unicorn.UC_HOOK_BLOCK, lambda _uc, address, size, _data: slow.block(address, size)
        )
        return slow
    native = NativeTracer(library, wanted, code, price, forecast, instruction_limit)
    _add_hook(handle, unicorn.UC_HOOK_BLOCK, native)
    return native


def attach_memory(
    engine: Any, tracer: NativeTracer, decode: Callable[[int], Instruction | None], core: Core
) -> NativeMemory:
    """Attach the native memory system: it sees every instruction."""
    numbers = [REGISTERS[f"r{i}"] for i in range(13)]
    numbers += [REGISTERS["sp"], REGISTERS["lr"], REGISTERS["pc"]]
    memory = NativeMemory(tracer, decode, numbers, core, find_registers(engine))
    _add_hook(engine._uch, unicorn.UC_HOOK_CODE, memory)
    return memory


def find_registers(engine: Any) -> int | None:
    """Return where the emulator keeps R0 to R14, or None if that cannot be found out.

    A pattern is written through the front door, looked for behind the pointers at the start of the
    engine, and must follow when it changes. Reading through ``/proc/self/mem`` cannot crash.
    """
    names = [f"r{i}" for i in range(13)]
    kept = [engine.reg_read(REGISTERS[name]) for name in names]
    try:
        with Path("/proc/self/mem").open("rb", buffering=0) as memory:
            found = _find_pattern(engine, names, memory)
            if found is None or _find_pattern(engine, names[::-1], memory, at=found) is None:
                return None
            return found
    except OSError:
        return None
    finally:
        for name, value in zip(names, kept, strict=True):
            engine.reg_write(REGISTERS[name], value)


def _find_pattern(engine: Any, names: list[str], memory: Any, at: int | None = None) -> int | None:
    """Write numbers into registers in an order, and find them all in a row, R0 first."""
    values = {name: 0x5EED_0000 + 77 * i for i, name in enumerate(names)}
    for name, value in values.items():
        engine.reg_write(REGISTERS[name], value)
    pattern = struct.pack("<13I", *(values[f"r{i}"] for i in range(13)))
    if at is not None:
        return at if _peek(memory, at, len(pattern)) == pattern else None
    pointers = struct.unpack(
        f"<{_ENGINE_BYTES // 8}Q", _peek(memory, engine._uch.value, _ENGINE_BYTES)
    )
    for pointer in dict.fromkeys(pointers):
        position = _peek(memory, pointer, _STATE_BYTES).find(pattern)
        if position >= 0:
            return int(pointer) + position
    return None


def _peek(memory: Any, address: int, size_bytes: int) -> bytes:
    """Read this process's memory as far as there is any."""
    try:
        return os.pread(memory.fileno(), size_bytes, address)
    except (OSError, OverflowError):
        return b""


def _add_hook(handle: Any, kind: int, native: NativeTracer | NativeMemory) -> None:
    """Have the emulator call a native callback, everywhere."""
    hook = ctypes.c_size_t()
    status = uclib.uc_hook_add(
        handle,
        ctypes.byref(hook),
        ctypes.c_int(kind),
        ctypes.c_void_p(native.callback_address),
        ctypes.c_void_p(native.state_address),
        ctypes.c_uint64(1),
        ctypes.c_uint64(0),
    )
    if status != unicorn.UC_ERR_OK:
        raise unicorn.UcError(status)


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
