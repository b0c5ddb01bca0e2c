"""Compiled firmware, kept from one run to the next (see ``tinysim.cache``)."""

from __future__ import annotations

from contextlib import suppress

from tinysim.boards import Board
from tinysim.cache import Cache, key_of
from tinysim.compiler import Choices, compile_graph
from tinysim.compiler.graph import Graph
from tinysim.compiler.toolchain import compiler_version, library_states
from tinysim.firmware import Firmware, Target
from tinysim.records import dumps, loads

CACHE = Cache("firmware", most_entries=1000, most_bytes=2**28)

#: Parts of tinysim that decide what becomes of a model.
_PARTS = ("boards", "compiler", "firmware", "kernels")


def firmware_of(
    graph: Graph, name: str, board: Board, target: Target, choices: Choices, use_cache: bool = True
) -> Firmware:
    """Compile what was read from a model file, unless that was done before.

    Raises
    ------
    ModelError, ToolchainError
        As ``tinysim.compiler.compile_model``.
    """
    if not use_cache:
        return compile_graph(graph, name, board, target, choices).firmware
    tools = (compiler_version(), library_states(target))
    key = key_of(_PARTS, *tools, graph.sha256, graph.name, name, board, target, choices)
    entry = CACHE.read(key)
    if entry is not None:
        with suppress(ValueError):
            return loads(Firmware, entry)
    firmware = compile_graph(graph, name, board, target, choices).firmware
    CACHE.write(key, dumps(firmware))
    return firmware
