"""Which memory an instruction reads or writes, as far as its code says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Operand types of the disassembler.
_REGISTER, _MEMORY = 1, 3
_SHIFT_LEFT = 2

_BYTES = {"b": 1, "h": 2, "sb": 1, "sh": 2}
_DOWN = ("ldmdb", "stmdb", "vldmdb", "vstmdb")
_STACK = ("push", "pop", "vpush", "vpop")
_MULTIPLE = ("ldm", "ldmdb", "stm", "stmdb", "vldmia", "vldmdb", "vstmia", "vstmdb", "vldm", "vstm")


@dataclass(frozen=True)
class Access:
    """``size_bytes`` bytes from base + (index << shift) + displacement on.

    Registers go by the disassembler's names. Without a base the displacement is the address.
    ``needs_word`` says that the core takes only addresses that are multiples of 4.
    """

    base: str | None
    index: str | None
    shift: int
    displacement: int
    size_bytes: int
    is_load: bool
    needs_word: bool


def access_of(raw: Any, kind: str) -> Access | None:
    """Return what an instruction accesses, or None.

    Parameters
    ----------
    raw
        The disassembler's record.
    kind
        The instruction's class.
    """
    name = raw.insn_name().removesuffix(".w")
    is_load = not kind.removeprefix("fp_").startswith("store") and not name.startswith("strex")
    if name in _STACK or name in _MULTIPLE:
        return _multiple(raw, name, is_load)
    operand = next((op for op in raw.operands if op.type == _MEMORY), None)
    if operand is None or kind == "nop":
        return None
    memory = operand.mem
    base = raw.reg_name(memory.base) if memory.base else None
    index = raw.reg_name(memory.index) if memory.index else None
    displacement = int(memory.disp)
    if base == "pc":
        base, here = None, raw.address + 4
        displacement += here if index else here & ~3
    shift = operand.shift.value if operand.shift.type == _SHIFT_LEFT else 0
    size_bytes, needs_word = _single(raw, name)
    return Access(base, index, shift, displacement, size_bytes, is_load, needs_word)


def _single(raw: Any, name: str) -> tuple[int, bool]:
    """Return the size of an access that is not multiple, and whether it must be aligned."""
    if name in ("ldrd", "strd"):
        return 8, True
    if name.startswith("v"):
        is_double = (
            raw.operands[0].type == _REGISTER and raw.reg_name(raw.operands[0].reg)[0] == "d"
        )
        return 8 if is_double else 4, True
    if name in ("tbb", "tbh"):
        return 1 if name == "tbb" else 2, False
    suffix = name.removeprefix("ldrex").removeprefix("strex")
    if suffix != name:
        return _BYTES.get(suffix, 4), suffix == ""
    return _BYTES.get(name[3:].removesuffix("t"), 4), False


def _multiple(raw: Any, name: str, is_load: bool) -> Access:
    names = [raw.reg_name(op.reg) for op in raw.operands]
    base = "sp"
    if name not in _STACK:
        base, *names = names
    size_bytes = sum(8 if register[0] == "d" else 4 for register in names)
    is_down = name in _DOWN or name in ("push", "vpush")
    return Access(base, None, 0, -size_bytes if is_down else 0, size_bytes, is_load, True)
