"""Exceptions at work: taken when they may be, left, chained, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinysim.errors import SimulationError
from tinysim.simulator.exceptions import SPSEL, TO_THREAD, ExceptionUnit
from tinysim.simulator.machine.faults import fault, place
from tinysim.simulator.nvic import HARD_FAULT, NMI, SVCALL, Nvic

if TYPE_CHECKING:
    from tinysim.simulator.machine import Machine


class Interrupts:
    """What the core does about exceptions; ``nvic`` says which, ``ExceptionUnit`` moves frames.

    ``cycles`` counts those that no instruction takes.
    """

    def __init__(self, machine: Machine) -> None:
        core = machine.core
        self._machine, self._core = machine, core
        self.nvic = Nvic(core.exceptions.priority_bits, core.is_v6, core.is_v8)
        self._unit = ExceptionUnit(machine, self.nvic, core.is_v8)
        self.cycles = 0

    @property
    def is_on_process_stack(self) -> bool:
        """Whether a task runs, on a stack of its own."""
        return not self.nvic.active and bool(self._machine.get("control") & SPSEL)

    def take_pending(self) -> None:
        """Enter the handler of what is pending and may preempt what runs."""
        machine = self._machine
        number = self.nvic.next_to_take(*self._masks)
        if number is None:
            return
        self._spend(self._core.exceptions.entry_cycles)
        handler = self._handler(number)
        machine.tracer.arrive(machine.get("pc") & ~1)
        frame = self._unit.frame()
        if (error := machine.stack.overflow(frame)) is not None:
            raise error
        machine.tracer.lower_stack(frame)
        self._unit.enter(number, handler)
        machine.tracer.enter(handler)

    def return_from(self, exc_return: int) -> None:
        """Leave a handler; chain to the next one without touching the stack if one waits."""
        machine = self._machine
        machine.tracer.close(is_taken=True)
        machine.tracer.leave()
        if self.nvic.returns_to_thread != bool(exc_return & TO_THREAD):
            raise SimulationError(
                f"returns from an exception ({exc_return:#010x}) that it is not in",
                where=place(machine.image, machine.get("lr")),
                fix="the stack may be corrupt: check its size",
            )
        if self.nvic.deactivate() != NMI and not self._core.is_v6:
            machine.set("faultmask", 0)
        number = self.nvic.next_to_take(*self._masks)
        if number is None:
            self._spend(self._core.exceptions.exit_cycles)
            self._unit.leave(exc_return)
            return
        self._spend(self._core.exceptions.tail_chain_cycles)
        handler = self._handler(number)
        machine.set("lr", exc_return)
        self._unit.begin(number, handler)
        machine.tracer.enter(handler)

    def call_supervisor(self) -> None:
        """Pend what an SVC asks for; one that cannot be taken is a HardFault."""
        machine = self._machine
        if self.nvic.can_take(SVCALL, *self._masks):
            self.nvic.pend(SVCALL)
            return
        where = place(machine.image, machine.get("pc") - 2)
        machine.notes.append(f"SVC while it cannot be taken, at {where}")
        machine.system.note_escalation()
        self.nvic.pend(HARD_FAULT)

    @property
    def _masks(self) -> tuple[int, int, int]:
        """PRIMASK, BASEPRI and FAULTMASK; Armv6-M has only the first."""
        get = self._machine.get
        if self._core.is_v6:
            return get("primask"), 0, 0
        return get("primask"), get("basepri"), get("faultmask")

    def _handler(self, number: int) -> int:
        """Return the address of an exception's handler."""
        machine = self._machine
        address = machine.system.vector_table + 4 * number
        vector = int.from_bytes(machine.read(address, 4), "little")
        if not vector & 1:
            raise fault(
                f"exception {number} has the vector {vector:#010x}, which is even",
                machine.image,
                machine.get("pc"),
                "set the Thumb bit, and give every exception that is enabled a handler",
            )
        return vector & ~1

    def _spend(self, cycles: int) -> None:
        """Count cycles that no instruction takes."""
        self._machine.tracer.spend(cycles * 1000)
        self.cycles += cycles
