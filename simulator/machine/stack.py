"""The main stack: that it does not grow into variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinysim.errors import FaultError
from tinysim.simulator.machine.faults import fault

if TYPE_CHECKING:
    from tinysim.simulator.machine import Machine


class StackGuard:
    """Watches SP from the time when the program has a stack. Tasks' stacks are not watched."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._floor: tuple[int, str] | None = None

    def begin(self) -> None:
        """Watch the stack that begins where SP is now."""
        self._floor = self._machine.image.stack_floor(self._machine.get("sp"))
        self._machine.tracer.guard_stack(0 if self._floor is None else self._floor[0])

    def judge(self, lowest: int) -> None:
        """End the run if the main stack ran into variables; tasks have their stacks among them."""
        if (error := self.overflow(lowest)) is not None:
            raise error
        self._machine.tracer.guard_stack(0)

    def overflow(self, sp: int) -> FaultError | None:
        """Return the error of a main stack that goes down to ``sp``, if it is one."""
        machine = self._machine
        if self._floor is None or machine.interrupts.is_on_process_stack or sp >= self._floor[0]:
            return None
        floor, victim = self._floor
        return fault(
            f"stack overflow: SP went down to {sp:#010x}, {floor - sp:,} bytes into {victim}",
            machine.image,
            machine.get("pc"),
            "give the stack more room, or move large local variables off it",
        )
