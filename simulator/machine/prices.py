"""What a run of instructions costs and does, asked once when it is first executed.

Here stands what hardware would refuse and Unicorn does not: see ``_refuse``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tinysim.errors import SimulationError
from tinysim.simulator.cores import Core
from tinysim.simulator.decode import Decoder, Instruction
from tinysim.simulator.images import Image
from tinysim.simulator.machine.faults import fault
from tinysim.simulator.machine.memory import ERASED, PAINT
from tinysim.simulator.peripherals import SystemControl
from tinysim.simulator.pipeline import RunCost, time_run, time_steps
from tinysim.simulator.tracer import (
    BRANCH_CERTAIN,
    BRANCH_CONDITIONAL,
    BRANCH_INDIRECT,
    LEFT_BY_BRANCH,
    LEFT_BY_CALL,
    LEFT_BY_RETURN,
    RunPrice,
)

#: A halfword of RAM that nothing was ever written to, and of flash.
_PAINTED, _ERASED = bytes([PAINT]) * 2, bytes([ERASED]) * 2

#: How start-up code and boot loaders choose their stack.
_NEW_STACK = ("msr msp", "ldr sp", "ldr.w sp")


class Prices:
    """Costs of runs on a core, remembered.

    Parameters
    ----------
    core, image
        What runs what.
    system
        Knows whether the FPU is enabled.
    read
        Returns ``size`` bytes of memory at an address.
    on_new_stack
        Is called when the program has just given itself another main stack.
    """

    def __init__(
        self,
        core: Core,
        image: Image,
        system: SystemControl,
        read: Callable[[int, int], bytes],
        on_new_stack: Callable[[], None],
    ) -> None:
        self._on_new_stack = on_new_stack
        self._core, self._image = core, image
        self._system, self._read = system, read
        self.decoder = Decoder(read)
        self._costs: dict[tuple[int, int, bool], RunCost] = {}
        self._steps: dict[tuple[int, int, bool], list[tuple[Instruction, RunCost]]] = {}

    def watch_operands(self) -> None:
        """Leave out of costs what depends on operands: the memory system adds it."""
        if self._core.rule_cycles("divide_early") is not None:
            costs = dict(self._core.costs)
            costs["divide"] = replace(costs["divide"], cycles_max=None)
            self._core = replace(self._core, costs=costs)

    def run_cost(self, start: int, end: int, is_taken: bool) -> RunCost:
        """Return what a run costs, without memory wait states."""
        key = (start, end, is_taken)
        if key not in self._costs:
            self._costs[key] = time_run(self.decoder.between(start, end), is_taken, self._core)
        return self._costs[key]

    def steps(self, start: int, end: int, is_taken: bool) -> Sequence[tuple[Instruction, RunCost]]:
        """Return the instructions of a run, and what each adds to its cost."""
        key = (start, end, is_taken)
        if key not in self._steps:
            run = self.decoder.between(start, end)
            costs = time_steps(run, is_taken, self._core)
            self._steps[key] = list(zip(run, costs, strict=True))
        return self._steps[key]

    def price(self, start: int, end: int, is_taken: bool) -> RunPrice:
        """Return what the tracer must know of a run."""
        self.check_code(start)
        run = self.decoder.between(start, end)
        self._refuse(run)
        if any(one.text.startswith(_NEW_STACK) for one in run):
            self._on_new_stack()
        cost = self.run_cost(start, end, is_taken)
        level, levels = 0, [0]
        for one in run:
            level += one.sp_step or 0
            levels.append(level)
        known = all(one.sp_step is not None for one in run)
        return RunPrice(
            millicycles=cost.cycles * 1000,
            instructions=cost.instructions,
            moves_sp=any(one.moves_sp for one in run),
            sp_above_low=level - min(levels) if known else 0,
            left_by=LEFT_BY_CALL
            if run[-1].is_call
            else LEFT_BY_RETURN
            if run[-1].is_return
            else LEFT_BY_BRANCH,
        )

    def instruction_at(self, address: int) -> Instruction | None:
        """Return the instruction that is about to be executed; None leaves it to the emulator."""
        try:
            return self.decoder.between(address, address + 1)[0]
        except SimulationError:
            self.check_code(address)
            return None

    def branch_kind(self, start: int, end: int) -> int:
        """Return how the branch at the end of a block is predicted."""
        last = self.decoder.between(start, end)[-1]
        if last.kind == "compare_branch" or (last.kind == "branch" and last.is_conditional):
            return BRANCH_CONDITIONAL
        is_return = last.kind == "load_multiple_pc" or last.text == "bx lr"
        if last.kind in ("branch_indirect", "table_branch", "load_pc") and not is_return:
            return BRANCH_INDIRECT
        return BRANCH_CERTAIN

    def check_code(self, address: int) -> None:
        """Refuse to execute what is no code: a variable, or memory that holds nothing."""
        variable = self._image.variable_at(address)
        content = self._read(address, 2)
        if variable is not None:
            what = f"data: the variable {variable.name}"
        elif content == _PAINTED:
            what = "memory that nothing was ever written to"
        elif content == _ERASED:
            what = "erased flash"
        else:
            return
        raise fault(
            f"executes {what}",
            self._image,
            address,
            "a function pointer or return address is wrong: check what overwrites it",
        )

    def _refuse(self, run: list[Instruction]) -> None:
        """Refuse what this core would: Unicorn's FPU is always on."""
        if self._system.is_fpu_enabled:
            return
        for one in run:
            if one.kind.startswith("fp"):
                raise fault(
                    "uses the FPU before CPACR enables it",
                    self._image,
                    one.address,
                    "set CPACR's bits 20 to 23 in the start-up code",
                )
