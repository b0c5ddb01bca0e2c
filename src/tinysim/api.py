"""The whole program: model file -> Graph -> C -> ELF -> machine -> Profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from numpy.typing import NDArray

from tinysim import __version__
from tinysim.agreement import check_outputs, nudged
from tinysim.boards import Board, load_board, without_banks
from tinysim.compiler import Choices, Compilation, compile_model
from tinysim.compiler.passes.rounding import with_rounding
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import Reference
from tinysim.firmware import Firmware
from tinysim.firmware_cache import firmware_of
from tinysim.report import fragment
from tinysim.simulator import (
    Execution,
    Session,
    check_inputs,
    random_inputs,
)
from tinysim.simulator.cores import Core, load_core
from tinysim.simulator.energy import energy_of
from tinysim.simulator.machine import Limits
from tinysim.simulator.profile import FirmwareProfile, OutputCheck, Profile
from tinysim.simulator.script import parse_script
from tinysim.simulator.tuning import Tuning
from tinysim.traces.accuracy import timing_of
from tinysim.traces.published import published_on
from tinysim.tune import tuned

if TYPE_CHECKING:
    from tinysim.simulator.conversation import Terminal

Arrays = Sequence[NDArray[Any]]


class ChoiceArguments(TypedDict, total=False):
    """The fields of ``Choices`` as keyword arguments."""

    optimize: str
    planner: str
    keeps_constant_channels: bool
    rounding: str
    patches: bool
    picks: tuple[tuple[int, str], ...]
    sparse: str


class Result(Profile):
    """A profile that shows itself in notebooks."""

    def _repr_html_(self) -> str:
        return fragment(self)


def run(
    model: str | Path,
    board: str | Board,
    *,
    inputs: Arrays | None = None,
    avoid: Sequence[str] = (),
    limits: Limits | None = None,
    fidelity: int | None = None,
    tune: bool = False,
    use_cache: bool = True,
    on_stage: Callable[[str], None] = lambda stage: None,
    **choices: Unpack[ChoiceArguments],
) -> Result:
    """Compile a model, run one inference on an emulated board, and say what it cost.

    Parameters
    ----------
    model
        Path of a model file.
    board
        Name of a board, see ``board_names()``, or a board of your own.
    inputs
        One array an input, in the model's shapes; real numbers are quantized. Seeded random
        numbers if not given.
    limits
        When to give up on a run that does not end.
    avoid
        Banks of RAM to leave out (see ``tinysim boards NAME``).
    fidelity
        How closely time is followed: 1 the core alone, 2 with instruction fetches, 3 with data.
        None takes what the board needs.
    tune
        Choose kernels by simulating all candidates: takes a compilation and a run for each, the
        first time. ``profile.tuning`` says what it won.
    use_cache
        Take firmware that an earlier run compiled from the same model and choices.
    on_stage
        Called with the name of each stage as it begins.
    **choices
        Fields of ``tinysim.compiler.Choices``: ``optimize``, ``planner``, ...

    Returns
    -------
    Result
        Whether or not the model fits: ``profile.fits`` says so.

    Raises
    ------
    TinysimError
        With where, what and how to fix it.
    """
    batches = None if inputs is None else [inputs]
    return next(
        run_each(
            model,
            board,
            batches,
            avoid=avoid,
            limits=limits,
            fidelity=fidelity,
            tune=tune,
            use_cache=use_cache,
            on_stage=on_stage,
            **choices,
        )
    )


def run_each(
    model: str | Path,
    board: str | Board,
    batches: Sequence[Arrays] | None = None,
    *,
    avoid: Sequence[str] = (),
    limits: Limits | None = None,
    fidelity: int | None = None,
    tune: bool = False,
    use_cache: bool = True,
    on_stage: Callable[[str], None] = lambda stage: None,
    **choices: Unpack[ChoiceArguments],
) -> Iterator[Result]:
    """Compile once and yield a profile for each set of inputs, on one booted board."""
    description = without_banks(_board(board), avoid)
    core = load_core(description.core)
    chosen, tuning = Choices(**choices), None
    if tune:
        chosen, tuning = tuned(
            model, description, chosen, limits=limits, fidelity=fidelity, on_stage=on_stage
        )
    on_stage("compiling")
    graph, where = read_model(Path(model)), Path(model).name
    firmware = firmware_of(graph, where, description, core.target, chosen, use_cache)
    infos = firmware.inputs
    ready = [check_inputs(infos, b, where) for b in batches or [random_inputs(infos)]]
    on_stage("simulating")
    session = Session(firmware, description, core, limits, fidelity=fidelity)
    reference = Reference(with_rounding(graph, chosen.rounding))
    for arrays in ready:
        execution = session.infer(arrays)
        on_stage("checking")
        before = copy(reference)  # its states, too
        check = check_outputs(
            reference.infer(arrays), execution.outputs, partial(_nearby, before, arrays)
        )
        yield _profile(firmware, description, core, arrays, execution, check, tuning)


def _nearby(reference: Reference, arrays: Arrays) -> Iterator[Arrays]:
    """Yield outputs of inputs that differ in their last digits."""
    for seed in range(3):
        yield copy(reference).infer(nudged(arrays, seed))


def run_firmware(
    path: str | Path,
    board: str | Board,
    *,
    start: str | None = None,
    end: str | None = None,
    function: str | None = None,
    call: str | None = None,
    script: str | None = None,
    terminal: Terminal | None = None,
    limit_s: float = 30.0,
    repeat: int = 1,
    unknown: str = "warn",
    fidelity: int | None = None,
) -> tuple[FirmwareProfile, ...]:
    """Run any firmware image on an emulated board and profile a window of it.

    ``start``, ``end``, ``function`` and ``call`` choose the window (see
    ``tinysim.simulator.foreign.Window``); ``script`` is a conversation over the board's console
    (see ``tinysim.simulator.script``), with which ``terminal`` goes on. ``unknown`` says what
    peripherals that are not described do (``warn``, ``zero`` or ``fault``).
    """
    from tinysim.simulator.foreign import Window, profile_firmware

    description = _board(board)
    steps = () if script is None else parse_script(script, "script")
    window = Window(start, end, function, call)
    core = load_core(description.core)
    return profile_firmware(
        Path(path),
        description,
        core,
        window,
        lambda achieved: timing_of(description, core, achieved),
        steps,
        terminal,
        limit_s,
        repeat,
        unknown,
        fidelity or 3,
        __version__,
    )


def compile(
    model: str | Path,
    board: str | Board,
    *,
    tune: bool = False,
    on_stage: Callable[[str], None] = lambda stage: None,
    **choices: Unpack[ChoiceArguments],
) -> Compilation:
    """Compile a model for a board: ``.files`` holds sources, library, ELF and map.

    ``tune`` chooses kernels by simulation, see ``run``.
    """
    description = _board(board)
    target = load_core(description.core).target
    chosen = Choices(**choices)
    if tune:
        chosen, _ = tuned(model, description, chosen, on_stage=on_stage)
    on_stage("compiling")
    return compile_model(Path(model), description, target, chosen)


def _board(board: str | Board) -> Board:
    return load_board(board) if isinstance(board, str) else board


def _profile(
    firmware: Firmware,
    board: Board,
    core: Core,
    inputs: Arrays,
    execution: Execution,
    check: OutputCheck,
    tuning: Tuning | None,
) -> Result:
    """Put everything that was found together."""
    cycles = sum(layer.counters.cycles for layer in execution.layers) + execution.runtime.cycles
    return Result(
        tinysim_version=__version__,
        model_name=firmware.model_name,
        model_sha256=firmware.model_sha256,
        board=board.name,
        board_title=board.title,
        board_sha256=board.sha256,
        core=core.name,
        core_sha256=core.sha256,
        clock_hz=board.clock.hz,
        toolchain=firmware.toolchain,
        timing=timing_of(board, core, execution.fidelity),
        layers=execution.layers,
        runtime=execution.runtime,
        startup=execution.startup,
        regions=execution.regions,
        arena_bytes=firmware.arena_bytes,
        arena_lower_bound_bytes=firmware.arena_lower_bound_bytes,
        stack_bytes=execution.stack_bytes,
        stack_written_bytes=execution.stack_written_bytes,
        arena_written_bytes=execution.arena_written_bytes,
        input_infos=firmware.inputs,
        output_infos=firmware.outputs,
        inputs=tuple(inputs),
        outputs=execution.outputs,
        energy=energy_of(cycles / board.clock.hz, board.power),
        output_check=check,
        removed=firmware.removed,
        bank_cycles=execution.bank_cycles,
        tuning=tuning,
        tensors=firmware.tensors,
        functions=execution.functions,
        paths=execution.paths,
        loops=execution.loops,
        published=published_on(board, firmware.model_sha256),
    )
