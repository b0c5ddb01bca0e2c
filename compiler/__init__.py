"""Model file -> C -> ELF: the compiler, top to bottom in ``compile_model``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinysim.boards import Board
from tinysim.compiler.emit import emit_c, layer_symbols, tensor_infos
from tinysim.compiler.graph import Graph
from tinysim.compiler.memory import plan_memory
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers import read_model
from tinysim.compiler.toolchain import build
from tinysim.firmware import Firmware, Target


@dataclass(frozen=True, eq=False)
class Compilation:
    """A compiled model: the graph as it was read, the image, and every file behind it."""

    graph: Graph
    firmware: Firmware
    files: Mapping[str, bytes]


def compile_model(path: Path, board: Board, target: Target, optimize: str = "speed") -> Compilation:
    """Compile a model for a board.

    Parameters
    ----------
    path
        A model file; see ``compiler/readers``.
    board, target
        Where the code runs, and the compiler flags of its core.
    optimize
        ``speed`` or ``size``.

    Raises
    ------
    ModelError, ToolchainError
        If the model cannot be compiled, or there is no compiler. A model that is too large
        for the board compiles all the same.
    """
    original = read_model(path)
    graph = run_passes(original)
    calls = tuple(node.op.lower(node.inputs, node.outputs) for node in graph.nodes)
    plan = plan_memory(graph, calls)
    sources = emit_c(graph, plan, calls)
    image = build(sources, board, target, plan.arena_bytes, optimize)
    firmware = Firmware(
        model_name=path.name,
        model_sha256=graph.sha256,
        elf=image.elf,
        layers=layer_symbols(graph, calls),
        inputs=tensor_infos(graph.inputs, plan),
        outputs=tensor_infos(graph.outputs, plan),
        sections=image.sections,
        arena_bytes=plan.arena_bytes,
        arena_lower_bound_bytes=plan.lower_bound_bytes,
        entry_symbol="ts_model_invoke",
        arena_symbol="tensor_arena",
        toolchain=image.toolchain,
        removed=graph.removed,
    )
    files = {name: text.encode() for name, text in sources.items()} | {
        "link.ld": image.link_script.encode(),
        "firmware.elf": image.elf,
        "firmware.map": image.map_text.encode(),
        "libmodel.a": image.library,
    }
    return Compilation(original, firmware, files)
