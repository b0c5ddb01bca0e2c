"""What a host says to firmware and hears from it, over the board's console or semihosting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tinysim.boards import Board
from tinysim.errors import EndError, LimitError, SimulationError
from tinysim.simulator.machine import Machine
from tinysim.simulator.machine.memory import NOWHERE
from tinysim.simulator.places import Place
from tinysim.simulator.script import Step

_ANYWHERE = Place()
#: How often a terminal is looked at, and how long firmware must be silent for it to be done with
#: what was typed last, in seconds of simulated time.
_TERMINAL_PERIOD_S, _SILENCE_S = 0.005, 1.0


class Terminal(Protocol):
    """Somebody who types and reads."""

    def read(self) -> bytes | None:
        """Return what has been typed since, or None when nothing more will come."""

    def write(self, data: bytes) -> None:
        """Show what firmware has printed."""


class Conversation:
    """Steps of a script, taken as the firmware runs."""

    def __init__(
        self,
        machine: Machine,
        board: Board,
        script: Sequence[Step],
        terminal: Terminal | None = None,
    ) -> None:
        self._machine, self._board, self._terminal = machine, board, terminal
        self._steps = list(script)
        self._seen = 0
        self._since = 0
        self._uart = None
        if machine.chip.bus is not None and board.console is not None:
            self._uart = machine.chip.bus.uart(board.console)
        is_sending = terminal is not None or any(step.verb == "send" for step in script)
        if self._uart is None and is_sending:
            raise SimulationError(
                f"{board.name} has no console to talk over",
                where="--uart-in",
                fix="choose a board whose file names its console",
            )

    @property
    def received(self) -> bytes:
        """What the firmware has printed."""
        printed = bytes(self._uart.received) if self._uart is not None else b""
        return printed + bytes(self._machine.console)

    def run_to(self, place: Place) -> None:
        """Run until a place, saying what is due.

        Raises
        ------
        LimitError
            If it does not come.
        """
        while self._steps:
            if self._take_step(place):
                return
        self._machine.run_until(place.address, place.is_there)

    def finish(self) -> None:
        """Take every step, then let the terminal talk until it has nothing more to say."""
        while self._steps:
            self._take_step(_ANYWHERE)
        if self._terminal is not None:
            self._converse(self._terminal)
            self._terminal = None

    def _converse(self, terminal: Terminal) -> None:
        """Carry characters to and fro."""
        assert self._uart is not None
        machine, hz = self._machine, self._board.clock.hz
        shown, heard_at = 0, machine.now_cycles()
        is_open = True
        while is_open or machine.now_cycles() - heard_at < _SILENCE_S * hz:
            machine.wake_at(machine.now_cycles() + round(_TERMINAL_PERIOD_S * hz))
            machine.run_until(NOWHERE, lambda: True)
            if fresh := self.received[shown:]:
                terminal.write(fresh)
                shown, heard_at = shown + len(fresh), machine.now_cycles()
            typed = terminal.read() if is_open else b""
            if typed is None:
                is_open, heard_at = False, machine.now_cycles()
            elif typed:
                self._uart.send(typed)

    def run_to_the_end(self) -> None:
        """Take every step; without one, run until the program ends, or for as long as may be."""
        try:
            if self._steps or self._terminal is not None:
                self.finish()
            else:
                self._machine.run_until(NOWHERE)
        except (LimitError, EndError):
            self._machine.tracer.close(is_taken=False)

    def _take_step(self, place: Place) -> bool:
        """Take the next step, running as far as it needs; True if the place came first."""
        step = self._steps[0]
        if step.verb == "send":
            assert self._uart is not None
            self._uart.send(step.text)
            self._steps.pop(0)
            return False
        self._since = self._machine.now_cycles()
        self._machine.wake_at(self._since + round(step.timeout_s * self._board.clock.hz) + 1)
        came = False

        def is_done() -> bool:
            nonlocal came
            came = place.is_there()
            return came or self._is_answered(step)

        if self._machine.run_until(place.address, is_done) or came:
            return True
        self._steps.pop(0)
        return False

    def _is_answered(self, step: Step) -> bool:
        """Tell whether what is waited for has come since the last wait."""
        waited_s = (self._machine.now_cycles() - self._since) / self._board.clock.hz
        if step.verb == "run":
            return waited_s >= step.timeout_s
        received = self.received
        at = received.find(step.text, self._seen)
        if at >= 0:
            self._seen = at + len(step.text)
            return True
        if waited_s > step.timeout_s:
            raise SimulationError(
                f"{step.text.decode('latin-1')!r} did not come within {step.timeout_s:g} s; "
                f"the last that was printed: {received[-120:].decode('latin-1')!r}",
                where=f"script line {step.line}",
                fix="check the script, or allow more time",
            )
        return False
