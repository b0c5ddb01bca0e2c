"""Any firmware: boot it, talk to it, and say what a stretch of it costs, function by function."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tinysim.boards import Board
from tinysim.errors import LimitError, SimulationError
from tinysim.simulator.accuracy import timing_of
from tinysim.simulator.cores import Core
from tinysim.simulator.counting import count
from tinysim.simulator.exceptions import EXC_RETURN_FIRST
from tinysim.simulator.functions import call_paths, function_profiles, hottest
from tinysim.simulator.images import Image, read_image
from tinysim.simulator.machine import Limits, Machine
from tinysim.simulator.machine.memory import NOWHERE
from tinysim.simulator.profile import Counters, FirmwareProfile
from tinysim.simulator.script import Step


@dataclass(frozen=True)
class Window:
    """What to measure: between two places, one execution of a function, a call, or all of it.

    Places are symbols or addresses (``0x...``). ``call`` runs a function that takes no arguments
    after the conversation is over, as a debugger would.
    """

    start: str | None = None
    end: str | None = None
    function: str | None = None
    call: str | None = None

    def __str__(self) -> str:
        if self.call:
            return f"one call of {self.call}"
        if self.function:
            return f"one execution of {self.function}"
        if self.start or self.end:
            return f"from {self.start or 'reset'} to {self.end or 'the end'}"
        return "from reset to the end"


def profile_firmware(
    path: Path,
    board: Board,
    core: Core,
    window: Window,
    script: Sequence[Step] = (),
    limit_s: float = 30.0,
    repeat: int = 1,
    version: str = "",
) -> tuple[FirmwareProfile, ...]:
    """Run an image on an emulated board and profile a window of it.

    Parameters
    ----------
    path
        ELF, BIN, HEX or UF2.
    window
        What is measured; see ``Window``.
    script
        What is said to the firmware over the board's console, before or until the window.
    limit_s
        Simulated seconds after which the run ends. Running from reset to the end, this is how
        it ends; with a window, it is an error.
    repeat
        How often the window is measured, one profile each.
    version
        Of tinysim, for the record.

    Raises
    ------
    SimulationError
        If the image cannot be run, or never reaches the window.
    """
    image = read_image(path, board.region(board.placement.code).base)
    limits = Limits(cycles=int(limit_s * board.clock.hz))
    machine = Machine(board, core, image, limits)
    machine.reset()
    talk = _Conversation(machine, board, script)
    profiles = []
    for round_ in range(repeat):
        _measure(machine, image, window, talk, is_first=round_ == 0)
        profiles.append(_profile(path, machine, board, core, window, talk, version))
    return tuple(profiles)


def _measure(
    machine: Machine, image: Image, window: Window, talk: _Conversation, is_first: bool
) -> None:
    """Run the window, so that the tracer holds its counts."""
    if window.call is not None:
        if is_first:
            talk.finish()
        machine.call(place(image, window.call))
    elif window.function is not None:
        talk.run_to(place(image, window.function))
        machine.clear()
        machine.tracer.enter(place(image, window.function))
        return_to = machine.get("lr")
        if return_to >= EXC_RETURN_FIRST:
            machine.run_out_of_handler()
        else:
            talk.run_to(return_to & ~1)
        machine.tracer.leave()
    elif window.start is not None or window.end is not None:
        if window.start is not None:
            talk.run_to(place(image, window.start))
            machine.clear()
        talk.run_to(NOWHERE if window.end is None else place(image, window.end))
    else:
        talk.run_to(NOWHERE)


def place(image: Image, name: str) -> int:
    """Return the address that a symbol or a number names."""
    if name in image.symbols:
        return image.symbols[name].address
    try:
        return int(name, 0) & ~1
    except ValueError as error:
        raise SimulationError(
            f"there is no symbol {name}",
            where="image",
            fix="give a symbol of the image, or an address like 0x08001234",
        ) from error


class _Conversation:
    """Steps of a script, taken as the firmware runs."""

    def __init__(self, machine: Machine, board: Board, script: Sequence[Step]) -> None:
        self._machine, self._board = machine, board
        self._steps = list(script)
        self._seen = 0
        self._since = 0
        self.uart = None
        if machine.bus is not None and board.console is not None:
            self.uart = machine.bus.uart(board.console)
        if script and self.uart is None:
            raise SimulationError(
                f"{board.name} has no console to talk over",
                where="--uart-in",
                fix="choose a board whose file names its console",
            )

    @property
    def received(self) -> bytes:
        """What the firmware has printed."""
        printed = bytes(self.uart.received) if self.uart is not None else b""
        return printed + bytes(self._machine.console)

    def run_to(self, address: int) -> None:
        """Run until an address; the run's own end is an error unless it goes nowhere."""
        try:
            while self._steps:
                self._take_step(address)
                if self._machine.get("pc") & ~1 == address:
                    return
            self._machine.run_until(address)
        except LimitError:
            if address != NOWHERE:
                raise
            self._machine.tracer.close(is_taken=False)

    def finish(self) -> None:
        """Take every step."""
        while self._steps:
            self._take_step(NOWHERE)

    def _take_step(self, until: int) -> None:
        """Take the next step, running as far as it needs."""
        step = self._steps[0]
        if step.verb == "send":
            assert self.uart is not None
            self.uart.send(step.text)
            self._steps.pop(0)
            return
        self._since = self._machine.now_cycles()
        if self._machine.run_until(until, lambda: self._is_answered(step)):
            return
        self._steps.pop(0)

    def _is_answered(self, step: Step) -> bool:
        """Tell whether what is waited for has come since the last wait."""
        assert self.uart is not None
        at = self.uart.received.find(step.text, self._seen)
        if at >= 0:
            self._seen = at + len(step.text)
            return True
        waited_s = (self._machine.now_cycles() - self._since) / self._board.clock.hz
        if waited_s > step.timeout_s:
            tail = bytes(self.uart.received[-120:]).decode("latin-1")
            raise SimulationError(
                f"{step.text.decode('latin-1')!r} did not come within {step.timeout_s:g} s; "
                f"the last that was printed: {tail!r}",
                where=f"script line {step.line}",
                fix="check the script, or allow more time",
            )
        return False


def _profile(
    path: Path,
    machine: Machine,
    board: Board,
    core: Core,
    window: Window,
    talk: _Conversation,
    version: str,
) -> FirmwareProfile:
    """Put what was counted together."""
    owners = [0] * max(1, len(machine.tracer.contexts()))
    total = count(machine, owners).get(0, Counters(0, 0, {}))
    clock_hz, source = board.clock.hz, "board file"
    if machine.bus is not None and (programmed := machine.bus.core_clock_hz()):
        clock_hz, source = programmed, "as the firmware programmed it"
    lowest = machine.tracer.lowest_sp
    top = int.from_bytes(machine.read(machine.image.vectors_address, 4), "little")
    spots = hottest(machine)
    return FirmwareProfile(
        tinysim_version=version,
        image_name=path.name,
        image_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        board=board.name,
        board_title=board.title,
        core=core.name,
        clock_hz=clock_hz,
        clock_source=source,
        timing=timing_of(board, core),
        window=str(window),
        total=total,
        exception_cycles=machine.exception_cycles,
        sleep_cycles=machine.sleep_cycles,
        functions=function_profiles(machine),
        paths=call_paths(machine),
        hottest=tuple(replace(spot, line=_line(machine.image, spot.address)) for spot in spots),
        stack_bytes=top - lowest if lowest < top else None,
        console=talk.received,
        notes=tuple(machine.notes),
    )


def _line(image: Image, address: int) -> str:
    """Return ``file:line`` of an address, if the image says."""
    found = image.line_at(address)
    return f"{found[0]}:{found[1]}" if found else ""
