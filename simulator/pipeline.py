"""Pipelines: the cycles of a run, a straight piece of code between two taken branches.

A taken branch empties the fetch stage, so a run costs the same each time; it is timed once, when
it is first executed. Every cycle has a cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinysim.errors import SimulationError
from tinysim.simulator.cores import Core, Cost
from tinysim.simulator.decode import Instruction

#: What a cycle beyond an instruction's first is called.
_CAUSES = {
    "load": "load",
    "load_pc": "branch",
    "load_double": "transfer",
    "load_multiple": "transfer",
    "load_multiple_pc": "transfer",
    "store": "store",
    "store_offset": "store",
    "store_double": "transfer",
    "store_multiple": "transfer",
    "exclusive": "load",
    "mul": "multiply",
    "mac": "multiply",
    "mul_long": "multiply",
    "mac_long": "multiply",
    "simd": "multiply",
    "alu_shifted": "multiply",
    "divide": "divide",
    "branch": "branch",
    "branch_link": "branch",
    "branch_indirect": "branch",
    "compare_branch": "branch",
    "table_branch": "branch",
    "it": "fetch",
    "system": "system",
    "barrier": "system",
    "exception": "system",
}
_LOADS = ("load", "fp_load")
_STORES = ("store", "store_offset", "fp_store")
#: Instructions whose result is late for an address in the next cycle.
_ALU = ("alu", "alu_shifted", "mul", "mac", "mul_long", "mac_long", "simd")


@dataclass(frozen=True)
class RunCost:
    """What one execution of a run costs, memory wait states apart."""

    instructions: int
    issue_cycles: int
    stalls: Mapping[str, int]

    @property
    def cycles(self) -> int:
        """All cycles."""
        return self.issue_cycles + sum(self.stalls.values())


#: Issue cycles and stalls so far, behind each instruction of a run.
SoFar = Iterator[tuple[int, Counter[str]]]


def time_run(run: Sequence[Instruction], is_taken: bool, core: Core) -> RunCost:
    """Time a run that was entered by a branch; ``is_taken`` says that its last one leaves it."""
    issue, stalls = 0, Counter[str]()
    for issue, stalls in PIPELINES[core.pipeline](run, is_taken, core):  # noqa: B007
        pass
    return RunCost(len(run), issue, stalls)


def time_steps(run: Sequence[Instruction], is_taken: bool, core: Core) -> Iterator[RunCost]:
    """Yield what each instruction adds to the cost of a run: who waits is charged."""
    issue_before, before = 0, dict[str, int]()
    for issue, stalls in PIPELINES[core.pipeline](run, is_taken, core):
        now = dict(stalls)
        added = {}
        if now != before:
            added = {key: now[key] - before.get(key, 0) for key in now}
        yield RunCost(1, issue - issue_before, added)
        issue_before, before = issue, now


def _table(run: Sequence[Instruction], is_taken: bool, core: Core) -> SoFar:
    """Single issue, costs from the table, corrected by what stands directly before (M0 to M4)."""
    stalls: Counter[str] = Counter()
    issue = 0
    last = len(run) - 1
    previous: Instruction | None = None
    unaligned = 0
    for position, one in enumerate(run):
        unaligned = unaligned + 1 if one.is_unaligned_wide else 0
        _unaligned_fetch(unaligned, position == 0, core, stalls)
        cost = _cost(core, one)
        cycles = cost.charged_cycles + int(cost.per_register * one.registers)
        if position == last and is_taken and cost.taken_cycles is not None:
            cycles = cost.taken_cycles + int(cost.per_register * one.registers)
        if previous is not None:
            cycles = _after(previous, one, cycles, core)
            _hazards(previous, one, core, stalls)
        if one.kind == "branch" and one.is_wide and not (position == last and is_taken):
            stalls["branch"] += core.rule_cycles("not_taken_wide_branch") or 0
        issue += min(cycles, 1)
        if cycles > 1:
            stalls[_cause(one)] += cycles - 1
        previous = one
        yield issue, stalls


def _after(previous: Instruction, one: Instruction, cycles: int, core: Core) -> int:
    """Return what an instruction costs directly behind another."""
    behind_load = previous.kind in _LOADS
    if one.kind in _LOADS and behind_load and not previous.writes & one.address_registers:
        return core.rule_cycles("load_after_load") or cycles
    if one.kind == "store_offset" and behind_load:
        return core.rule_cycles("store_offset_after_load") or cycles
    folded = core.rule_cycles("it_after_narrow")
    if one.kind == "it" and not previous.is_wide and folded is not None:
        return folded
    return cycles


def _hazards(previous: Instruction, one: Instruction, core: Core, stalls: Counter[str]) -> None:
    """Charge what waits for the result of the instruction before."""
    if previous.kind in _ALU and previous.writes & one.address_registers:
        stalls["address"] += core.rule_cycles("address_dependency") or 0
    is_fp = previous.kind in ("fp_add", "fp_mul", "fp_convert")
    if is_fp and previous.writes & one.reads - {"fpscr"}:
        stalls["fpu"] += core.rule_cycles("fp_result_use") or 0


def _unaligned_fetch(row: int, is_target: bool, core: Core, stalls: Counter[str]) -> None:
    """Charge 32-bit instructions that straddle words: as the target, and the third in a row."""
    if row and is_target:
        stalls["fetch"] += core.rule_cycles("unaligned_wide_target") or 0
    if row == 3:
        stalls["fetch"] += core.rule_cycles("unaligned_wide_group") or 0


def _scoreboard(run: Sequence[Instruction], is_taken: bool, core: Core) -> SoFar:
    """In order, up to ``issue_width`` a cycle, each waiting for its operands (M33, M7)."""
    stalls: Counter[str] = Counter()
    issue, now, group = 0, -1, list[Instruction]()
    free_at = 0  # first cycle in which the issue stage takes another instruction
    ready: dict[str, tuple[int, Instruction]] = {}
    for position, one in enumerate(run):
        cost = _cost(core, one)
        wanted, blamed = _operands_ready(one, ready, core)
        if group and wanted <= now and _joins(group, one, core):
            start = now
            group.append(one)
        else:
            start = max(free_at, wanted)
            if start > free_at and blamed is not None:
                stalls[_cause(blamed)] += start - free_at
            issue += 1
            now, group = start, [one]
        taken = position == len(run) - 1 and is_taken and cost.taken_cycles is not None
        busy = cost.taken_cycles if taken else cost.charged_cycles
        assert busy is not None
        busy = max(1, busy + int(cost.per_register * one.registers))
        if start + busy > max(free_at, start + 1):
            stalls[_cause(one)] += start + busy - max(free_at, start + 1)
        free_at = max(free_at, start + busy)
        for register in one.writes:
            ready[register] = (start + max(cost.latency_cycles, busy), one)
        yield issue, stalls


def _operands_ready(
    one: Instruction, ready: Mapping[str, tuple[int, Instruction]], core: Core
) -> tuple[int, Instruction | None]:
    """Return the first cycle in which all operands are there, and who is waited for."""
    wanted, blamed = 0, None
    for register in one.reads:
        if register not in ready:
            continue
        cycle, producer = ready[register]
        if register == one.accumulator and producer.kind == one.kind == "mac":
            cycle -= 1  # multiply-accumulates forward their sum to the next one
        elif one.kind in _STORES and register not in one.address_registers:
            cycle -= 1  # a store needs its data a stage later than its address
        elif one.kind in ("alu", "it") and producer.kind == "load":
            cycle -= core.rule_cycles("late_alu") or 0
        if cycle > wanted:
            wanted, blamed = cycle, producer
    return wanted, blamed


def _joins(group: list[Instruction], one: Instruction, core: Core) -> bool:
    """Tell whether ``one`` issues in the same cycle as ``group``."""
    first = group[0]
    if core.rule_cycles("narrow_branch_pairs") is not None:
        narrow = not first.is_wide and not one.is_wide
        return len(group) == 1 and narrow and one.kind in ("branch", "it", "nop")
    if len(group) >= core.issue_width:
        return False
    a, b = _cost(core, first), _cost(core, one)
    if not (a.pairs and b.pairs) or b.older_only or first.writes & one.writes - {"cpsr"}:
        return False
    if first.writes & (one.address_registers if one.kind in _STORES else one.reads):
        return False
    if {a.unit, b.unit} == {"mac", "store"}:
        return False
    if a.unit == b.unit == "load":
        return _banks_differ(first, one)
    return not a.unit or a.unit != b.unit


def _banks_differ(a: Instruction, b: Instruction) -> bool:
    """Tell whether two loads surely read different banks (even and odd words)."""
    if a.bank is None or b.bank is None or a.bank[0] != b.bank[0] or a.bank[0] in a.writes:
        return False
    return (a.bank[1] ^ b.bank[1]) & 4 != 0


def _cause(one: Instruction) -> str:
    return "fpu" if one.kind.startswith("fp") else _CAUSES.get(one.kind, "fetch")


def _cost(core: Core, one: Instruction) -> Cost:
    """Return the row of an instruction, which must be there."""
    cost = core.costs.get(one.kind)
    if cost is None or (one.is_dsp and not core.has_dsp):
        raise SimulationError(
            f"{core.title} has no instruction like {one.text} (class {one.kind})",
            where=f"{one.address:#010x}",
            fix="compile for this core, or add the class with its source to its table",
        )
    return cost


#: What a core's ``pipeline`` can name.
PIPELINES: Mapping[str, Callable[[Sequence[Instruction], bool, Core], SoFar]] = {
    "table": _table,
    "scoreboard": _scoreboard,
}
