"""Thumb code -> what the timing needs of each instruction; decoded once, when first executed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tinysim.errors import SimulationError
from tinysim.simulator.accesses import Access, access_of

if TYPE_CHECKING:
    from collections.abc import Callable

#: Instruction classes: each has a row in every core's table that has such instructions.
CLASSES = (
    "alu", "alu_shifted", "mul", "mac", "mul_long", "mac_long", "simd", "divide",
    "load", "load_double", "load_multiple", "load_pc", "load_multiple_pc",
    "store", "store_offset", "store_double", "store_multiple",
    "branch", "branch_link", "branch_indirect", "compare_branch", "table_branch",
    "it", "nop", "system", "barrier", "exclusive", "exception",
    "fp_add", "fp_mul", "fp_mac", "fp_divide", "fp_sqrt", "fp_convert", "fp_move",
    "fp_load", "fp_store", "fp_load_multiple", "fp_store_multiple",
    "fp64_add", "fp64_mul", "fp64_mac", "fp64_divide", "fp64_sqrt",
)  # fmt: skip

_NAMES = {
    "alu": "adc add adr and asr bfc bfi bic clz cmn cmp eor lsl lsr mov movs movt movw mvn orn orr "
    "rbit rev rev16 revsh ror rrx rsb rsc sbc sbfx ssat sub subw addw sxtb sxth teq tst ubfx usat "
    "uxtb uxth neg",
    "mul": "mul",
    "mac": "mla mls",
    "mul_long": "smull umull",
    "mac_long": "smlal umlal umaal",
    "divide": "sdiv udiv",
    "load": "ldr ldrb ldrh ldrsb ldrsh ldrt ldrbt ldrht ldrsbt ldrsht",
    "load_double": "ldrd",
    "load_multiple": "ldm ldmdb ldmib ldmda pop",
    "store": "str strb strh strt strbt strht",
    "store_double": "strd",
    "store_multiple": "stm stmdb stmib stmda push",
    "branch": "b",
    "branch_link": "bl",
    "branch_indirect": "bx blx bxns blxns",
    "compare_branch": "cbz cbnz",
    "table_branch": "tbb tbh",
    "it": "it",
    "nop": "nop yield wfe wfi sev hint pld pli dbg",
    "system": "mrs msr cps",
    "barrier": "dmb dsb isb clrex csdb",
    "exclusive": "ldrex ldrexb ldrexh strex strexb strexh",
    "exception": "svc bkpt udf",
    "fp_add": "vadd vsub vabs vneg vcmp vcmpe vsel vseleq vselge vselgt vselvs vmaxnm vminnm",
    "fp_mul": "vmul vnmul",
    "fp_mac": "vmla vmls vnmla vnmls vfma vfms vfnma vfnms",
    "fp_divide": "vdiv",
    "fp_sqrt": "vsqrt",
    "fp_convert": "vcvt vcvtr vcvtb vcvtt vcvta vcvtn vcvtp vcvtm vrinta vrintn vrintp vrintm "
    "vrintr vrintx vrintz",
    "fp_move": "vmov vmrs vmsr fmstat",
    "fp_load": "vldr",
    "fp_store": "vstr",
    "fp_load_multiple": "vldmia vldmdb vldm vpop",
    "fp_store_multiple": "vstmia vstmdb vstm vpush",
    "simd": "pkhbt pkhtb qadd qadd16 qadd8 qasx qdadd qdsub qsax qsub qsub16 qsub8 sadd16 sadd8 "
    "sasx sel shadd16 shadd8 shasx shsax shsub16 shsub8 ssat16 ssax ssub16 ssub8 sxtab sxtab16 "
    "sxtah sxtb16 uadd16 uadd8 uasx uhadd16 uhadd8 uhasx uhsax uhsub16 uhsub8 uqadd16 uqadd8 "
    "uqasx uqsax uqsub16 uqsub8 usad8 usada8 usat16 usax usub16 usub8 uxtab uxtab16 uxtah uxtb16",
}
#: DSP multiplies count as the plain ones do.
_NAMES["mul"] += " smulbb smulbt smultb smultt smulwb smulwt smuad smuadx smusd smusdx smmul smmulr"
_NAMES["mac"] += (
    " smlabb smlabt smlatb smlatt smlawb smlawt smlad smladx smlsd smlsdx smmla smmlar smmls smmlsr"
)
_NAMES["mac_long"] += " smlalbb smlalbt smlaltb smlaltt smlald smlaldx smlsld smlsldx"

#: What only cores with the DSP extension have.
_DSP = set(_NAMES["simd"].split()) | {"umaal"}
_DSP |= {
    name
    for kind in ("mul", "mac", "mac_long")
    for name in _NAMES[kind].split()
    if name.startswith("sm")
}
_DSP -= {"smull", "smlal"}

_CLASS_OF = {name: kind for kind, names in _NAMES.items() for name in names.split()}

_MULTIPLE = ("load_multiple", "store_multiple", "fp_load_multiple", "fp_store_multiple")
_DOUBLE = ("fp_add", "fp_mul", "fp_mac", "fp_divide", "fp_sqrt")

#: Registers by capstone's names.
SP, PC = "sp", "pc"


@dataclass(frozen=True)
class Instruction:
    """One decoded instruction.

    ``address_registers`` form a memory address, ``accumulator`` is the register that a
    multiply-accumulate adds to. ``registers`` counts what a multiple transfer moves. ``sp_step``
    is by how much it moves SP, None if that is not in the code. ``operands`` are the registers
    among its operands, in order, and ``access`` is the memory that it uses.
    """

    address: int
    size: int
    text: str
    kind: str
    reads: frozenset[str]
    writes: frozenset[str]
    address_registers: frozenset[str]
    accumulator: str | None
    registers: int
    sp_step: int | None
    bank: tuple[str, int] | None
    is_dsp: bool
    operands: tuple[str, ...]
    access: Access | None

    @property
    def is_wide(self) -> bool:
        """Whether the encoding has 32 bits."""
        return self.size == 4

    @property
    def is_unaligned_wide(self) -> bool:
        """Whether a 32-bit encoding straddles two words."""
        return self.size == 4 and self.address % 4 == 2

    @property
    def is_call(self) -> bool:
        """Whether it leaves a return address in LR."""
        return self.kind == "branch_link" or self.text.startswith("blx")

    @property
    def is_return(self) -> bool:
        """Whether it goes where a register or the stack says, as returns do."""
        if self.kind == "branch_indirect":
            return not self.is_call
        return self.kind in ("load_multiple_pc", "load_pc")

    @property
    def is_conditional(self) -> bool:
        """Whether a branch may not be taken: the mnemonic is longer than ``b`` and its width."""
        return self.kind == "branch" and self.text.split()[0].removesuffix(".w") != "b"

    @property
    def moves_sp(self) -> bool:
        """Whether the stack pointer changes."""
        return self.sp_step != 0


class Decoder:
    """Decodes on demand and remembers.

    Parameters
    ----------
    read
        Returns ``size`` bytes of code at an address.
    """

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        self._read = read
        self._known: dict[int, Instruction] = {}

    @cached_property
    def _engine(self) -> Any:
        import capstone  # 50 ms: only when something is executed

        mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
        engine = capstone.Cs(capstone.CS_ARCH_ARM, mode)
        engine.detail = True
        return engine

    def between(self, start: int, end: int) -> list[Instruction]:
        """Return the instructions from ``start`` up to ``end``."""
        found = []
        while start < end:
            instruction = self._known.get(start) or self._decode(start)
            found.append(instruction)
            start += instruction.size
        return found

    def _decode(self, address: int) -> Instruction:
        raw = next(self._engine.disasm(self._read(address, 4), address, 1), None)
        if raw is None:
            raise SimulationError(
                f"the bytes at {address:#010x} are no instruction that is known",
                where="decoder",
                fix="report this with the firmware",
            )
        instruction = _describe(raw)
        self._known[address] = instruction
        return instruction


def _describe(raw: Any) -> Instruction:
    """Turn capstone's record into ours."""
    name = raw.insn_name()
    kind = _CLASS_OF.get(name.removesuffix(".w")) or _CLASS_OF.get(raw.mnemonic.split(".")[0])
    text = f"{raw.mnemonic} {raw.op_str}".strip()
    if kind is None:
        raise SimulationError(
            f"{text} at {raw.address:#010x} has no instruction class",
            where="simulator/decode.py",
            fix="add its mnemonic to a class",
        )
    read_ids, write_ids = raw.regs_access()
    reads = frozenset(map(raw.reg_name, read_ids))
    writes = frozenset(map(raw.reg_name, write_ids))
    memory = next((op.mem for op in raw.operands if op.type == 3), None)
    base = raw.reg_name(memory.base) if memory is not None and memory.base else None
    index = raw.reg_name(memory.index) if memory is not None and memory.index else None
    if kind in _MULTIPLE and name not in ("push", "pop", "vpush", "vpop"):
        base = raw.reg_name(raw.operands[0].reg)
    kind = _refined(kind, name, raw, index, PC in writes)
    bank = None
    if memory is not None and kind == "load" and base and not index:
        bank = (base, int(memory.disp))
    return Instruction(
        address=raw.address,
        size=raw.size,
        text=text,
        kind=kind,
        reads=reads,
        writes=writes,
        address_registers=frozenset(reg for reg in (base, index) if reg and reg != PC),
        accumulator=raw.reg_name(raw.operands[-1].reg) if _accumulates(kind, raw) else None,
        registers=_transferred(kind, name, raw),
        sp_step=_sp_step(name, raw, writes),
        bank=bank,
        is_dsp=name.removesuffix(".w") in _DSP,
        operands=tuple(raw.reg_name(op.reg) for op in raw.operands if op.type == 1),
        access=access_of(raw, kind),
    )


def _refined(kind: str, name: str, raw: Any, index: str | None, writes_pc: bool) -> str:
    """Tell apart what one mnemonic does in several ways."""
    if kind == "store" and index:
        return "store_offset"
    if kind == "alu":
        if writes_pc:
            return "branch_indirect"
        if any(op.shift.type and op.type == 1 for op in raw.operands):
            return "alu_shifted"
    if kind in ("load", "load_multiple") and writes_pc:
        return f"{kind}_pc"
    if kind in _DOUBLE and ".f64" in raw.mnemonic:
        return kind.replace("fp_", "fp64_")
    if name == "vmov" and any(op.type == 3 for op in raw.operands):
        return "fp_load"
    return kind


def _accumulates(kind: str, raw: Any) -> bool:
    """Tell whether the last operand is an accumulator of its own."""
    return kind == "mac" and len(raw.operands) == 4


def _transferred(kind: str, name: str, raw: Any) -> int:
    """Count the words that a multiple transfer moves."""
    if kind.removesuffix("_pc") not in _MULTIPLE:
        return 0
    listed = raw.operands if name in ("push", "pop", "vpush", "vpop") else raw.operands[1:]
    return sum(2 if raw.reg_name(op.reg).startswith("d") else 1 for op in listed)


def _sp_step(name: str, raw: Any, writes: frozenset[str]) -> int | None:
    """Return by how much SP moves, or None if that depends on a register."""
    if SP not in writes:
        return 0
    operands = raw.operands
    if name in ("push", "pop", "vpush", "vpop"):
        words = _transferred("load_multiple", name, raw)
        return -4 * words if "push" in name else 4 * words
    if name in ("stmdb", "ldm", "stm") and operands[0].type == 1:
        return (-4 if name == "stmdb" else 4) * (len(operands) - 1)
    if name in ("sub", "subw", "add", "addw") and operands[-1].type == 2:
        return int(operands[-1].imm) * (-1 if name.startswith("sub") else 1)
    return None
