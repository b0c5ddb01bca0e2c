"""Any firmware: boot it, talk to it, and say what a stretch of it costs, function by function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tinysim.boards import Board
from tinysim.simulator.conversation import Conversation, Terminal
from tinysim.simulator.cores import Core
from tinysim.simulator.counting import count_by_context
from tinysim.simulator.exceptions import EXC_RETURN_FIRST
from tinysim.simulator.functions import call_paths, function_profiles, hottest
from tinysim.simulator.images import Image, read_image
from tinysim.simulator.machine import Limits, Machine
from tinysim.simulator.places import Place, address_of, watch
from tinysim.simulator.profile import Counters, FirmwareProfile, Timing
from tinysim.simulator.script import Step


@dataclass(frozen=True)
class Window:
    """What to measure: between two places, one execution of a function, a call, or all of it.

    ``start`` and ``end`` are places (see ``places.py``), ``function`` and ``call`` symbols or
    addresses. ``call`` runs a function that takes no arguments after the conversation is over, as a
    debugger would.
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
    timing: Callable[[int], Timing],
    script: Sequence[Step] = (),
    terminal: Terminal | None = None,
    limit_s: float = 30.0,
    repeat: int = 1,
    unknown: str = "warn",
    fidelity: int = 3,
    version: str = "",
) -> tuple[FirmwareProfile, ...]:
    """Run an image on an emulated board and profile a window of it.

    Parameters
    ----------
    path
        ELF, BIN, HEX or UF2.
    window
        What is measured; see ``Window``.
    timing
        Tells how far counts at a fidelity can be trusted.
    script
        What is said to the firmware over the board's console, before or until the window.
    terminal
        Somebody who talks to the firmware when the script is through.
    limit_s
        Simulated seconds after which the run ends. Without a window or a script this is how it
        ends; with one, it is an error.
    repeat
        How often the window is measured, one profile each.
    unknown
        What an access to a peripheral that is not described does: ``warn`` (a note; what is
        written is read back), ``zero`` (reads 0, silently) or ``fault`` (ends the run).
    fidelity
        How closely time is followed (see ``Machine``); by default every address, because what
        others have compiled may use addresses that the core does not take.
    version
        Of tinysim, for the record.

    Raises
    ------
    SimulationError
        If the image cannot be run, or never reaches the window.
    """
    image = read_image(path, board.region(board.placement.code).base)
    limits = Limits(cycles=int(limit_s * board.clock.hz))
    machine = Machine(board, core, image, limits, fidelity=fidelity, unknown=unknown)
    machine.reset()
    talk = Conversation(machine, board, script, terminal)
    profiles = []
    for round_ in range(repeat):
        _measure(machine, window, talk, is_first=round_ == 0)
        found = timing(machine.fidelity)
        profiles.append(_profile(path, machine, board, core, window, talk, found, version))
    return tuple(profiles)


def _measure(machine: Machine, window: Window, talk: Conversation, is_first: bool) -> None:
    """Run the window, so that the tracer holds its counts."""

    def run_to(name: str) -> None:
        talk.run_to(watch(name, machine, lambda: talk.received))

    if window.call is not None:
        if is_first:
            talk.finish()
        machine.call(address_of(window.call, machine.image))
    elif window.function is not None:
        run_to(window.function)
        machine.clear()
        machine.tracer.enter(address_of(window.function, machine.image))
        return_to = machine.get("lr")
        if return_to >= EXC_RETURN_FIRST:
            machine.run_out_of_handler()
        else:
            talk.run_to(Place(return_to & ~1))
        machine.tracer.leave()
    elif window.start is not None or window.end is not None:
        if window.start is not None:
            run_to(window.start)
            machine.clear()
        if window.end is not None:
            run_to(window.end)
        else:
            talk.run_to_the_end()
    else:
        talk.run_to_the_end()


def _profile(
    path: Path,
    machine: Machine,
    board: Board,
    core: Core,
    window: Window,
    talk: Conversation,
    timing: Timing,
    version: str,
) -> FirmwareProfile:
    """Put what was counted together."""
    machine.fetch_console()
    by_context = count_by_context(machine)
    clock_hz, source = board.clock.hz, "board file"
    if (
        machine.chip.bus is not None
        and machine.chip.is_programmed
        and (programmed := machine.chip.bus.core_clock_hz())
    ):
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
        timing=timing,
        window=str(window),
        total=Counters.total(by_context.values()),
        exception_cycles=machine.interrupts.cycles,
        sleep_cycles=machine.sleep_cycles,
        functions=function_profiles(machine, by_context),
        paths=call_paths(machine, by_context),
        hottest=tuple(replace(spot, line=_line(machine.image, spot.address)) for spot in spots),
        stack_bytes=top - lowest if lowest < top else None,
        console=talk.received,
        notes=tuple(machine.notes),
    )


def _line(image: Image, address: int) -> str:
    """Return ``file:line`` of an address, if the image says."""
    found = image.line_at(address)
    return f"{found[0]}:{found[1]}" if found else ""
