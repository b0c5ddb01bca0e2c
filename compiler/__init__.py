"""Model file -> C -> ELF: the compiler, top to bottom in ``compile_model``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinysim.boards import Board
from tinysim.compiler.emit import emit_c, layer_symbols, tensor_infos
from tinysim.compiler.graph import Graph
from tinysim.compiler.memory import directed, plan_memory
from tinysim.compiler.memory.placements import placements
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.passes import run_passes
from tinysim.compiler.passes.rounding import with_rounding
from tinysim.compiler.readers import read_model
from tinysim.compiler.spare_ram import use_spare_ram
from tinysim.compiler.toolchain import build
from tinysim.compiler.variants import alternatives, select
from tinysim.errors import ModelError
from tinysim.firmware import Firmware, Target


@dataclass(frozen=True)
class Choices:
    """What the user may choose of how a model is compiled.

    ``optimize`` is one of ``compiler.toolchain.OPTIMIZE_FLAGS``, ``planner`` one of
    ``compiler.memory.PLANNERS``; ``keeps_constant_channels`` computes even what is the same for
    every input. ``rounding`` is that of int8 FULLY_CONNECTED, where the references differ: ``tflm``
    rounds twice, ``litert`` once.
    ``patches`` runs the first layers in bands of rows where that makes the arena smaller: rows in
    which bands meet are computed twice. ``picks`` names the candidate (see ``compiler/variants``)
    that computes a node, by the node's index, where the cost rule is not to decide. ``sparse`` is
    one of ``compiler.variants.SPARSE``: what becomes of weights that are zero.
    """

    optimize: str = "speed"
    planner: str = "search"
    keeps_constant_channels: bool = False
    rounding: str = "tflm"
    patches: bool = False
    picks: tuple[tuple[int, str], ...] = ()
    sparse: str = "auto"


DEFAULT = Choices()
#: Far more than the flash of any board; a model beyond that is refused instead of compiled.
MOST_WEIGHT_BYTES = 1 << 25


@dataclass(frozen=True, eq=False)
class Compilation:
    """A compiled model: the graph as it was read and as it is computed, the image, all files."""

    graph: Graph
    lowered: Graph
    firmware: Firmware
    files: Mapping[str, bytes]


def compile_model(
    path: Path, board: Board, target: Target, choices: Choices = DEFAULT
) -> Compilation:
    """Compile a model for a board.

    Parameters
    ----------
    path
        A model file; see ``compiler/readers``.
    board, target
        Where the code runs, and the compiler flags of its core.
    choices
        What the user wants otherwise than usual.

    Raises
    ------
    ModelError, ToolchainError
        If the model cannot be compiled, or there is no compiler. A model that is too large
        for the board compiles all the same, up to ``MOST_WEIGHT_BYTES``.
    """
    return compile_graph(read_model(path), path.name, board, target, choices)


def compile_graph(
    graph: Graph, name: str, board: Board, target: Target, choices: Choices = DEFAULT
) -> Compilation:
    """Compile what was read from a model file; see ``compile_model``."""
    original = with_rounding(graph, choices.rounding)
    graph = run_passes(original, choices.keeps_constant_channels, choices.patches)
    calls = select(_portable(graph), target, choices.optimize, choices.sparse, dict(choices.picks))
    _refuse_huge(calls)
    plan = plan_memory(graph, calls, choices.planner)
    calls, plan = use_spare_ram(graph, calls, plan, board, choices.optimize)
    calls = directed(calls, plan)
    sources = emit_c(graph, plan, calls)
    image = build(sources, board, target, plan.arena_bytes, choices.optimize)
    firmware = Firmware(
        model_name=name,
        model_sha256=graph.sha256,
        elf=image.elf,
        layers=layer_symbols(graph, plan, calls),
        inputs=tensor_infos(graph.inputs, plan),
        outputs=tensor_infos(graph.outputs, plan),
        sections=image.sections,
        arena_bytes=plan.arena_bytes,
        arena_lower_bound_bytes=plan.lower_bound_bytes,
        entry_symbol="ts_model_invoke",
        arena_symbol="tensor_arena",
        toolchain=image.toolchain,
        tensors=placements(graph, plan, calls),
        removed=graph.removed,
    )
    files = {name: text.encode() for name, text in sources.items()} | {
        "link.ld": image.link_script.encode(),
        "firmware.elf": image.elf,
        "firmware.map": image.map_text.encode(),
        "libmodel.a": image.library,
    }
    return Compilation(original, graph, firmware, files)


def _refuse_huge(calls: Sequence[tuple[KernelCall, ...]]) -> None:
    """Refuse weights that no C compiler should be given: they take it minutes and gigabytes."""
    arrays = {id(array): array for parts in calls for call in parts for array in call.constants}
    weight_bytes = sum(array.nbytes for array in arrays.values())
    if weight_bytes > MOST_WEIGHT_BYTES:
        raise ModelError(
            f"has {weight_bytes:,} B of weights, and at most {MOST_WEIGHT_BYTES:,} B are compiled",
            where="model",
            fix="prune or quantize it; no microcontroller has that much flash",
        )


def other_kernels(graph: Graph, target: Target, choices: Choices) -> tuple[tuple[str, ...], ...]:
    """Return, by node, candidates for ``Choices.picks`` besides those that the cost rule picks."""
    original = with_rounding(graph, choices.rounding)
    graph = run_passes(original, choices.keeps_constant_channels, choices.patches)
    return alternatives(_portable(graph), target, choices.optimize, choices.sparse)


def _portable(graph: Graph) -> tuple[tuple[KernelCall, ...], ...]:
    """Return the calls of portable kernels that compute each node."""
    return tuple(node.op.lower(node.inputs, node.outputs) for node in graph.nodes)
