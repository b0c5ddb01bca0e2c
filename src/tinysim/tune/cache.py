"""What tuning found, kept from one run to the next (see ``tinysim.cache``)."""

from __future__ import annotations

from collections.abc import Sequence

from tinysim.boards import Board
from tinysim.cache import Cache, key_of
from tinysim.compiler import Choices
from tinysim.compiler.toolchain import compiler_version
from tinysim.records import dumps, loads
from tinysim.simulator.cores import Core
from tinysim.simulator.tuning import Tuning

CACHE = Cache("tuning", most_entries=500, most_bytes=2**24)


def key_for(
    model_sha256: str,
    board: Board,
    core: Core,
    choices: Choices,
    others: Sequence[tuple[str, ...]],
    fidelity: int | None,
) -> str:
    """Return a hash of all that the fastest kernels depend on."""
    parts = ("boards", "compiler", "firmware", "kernels", "simulator", "tune")
    values = (compiler_version(), model_sha256, board, core.sha256, choices)
    return key_of(parts, *values, tuple(others), fidelity)


def read(key: str, others: Sequence[tuple[str, ...]]) -> Tuning | None:
    """Return the entry if it is there and its candidates are among ``others``, by node."""
    try:
        return _parse(CACHE.read(key) or b"", others)
    except ValueError:
        return None


def write(key: str, tuning: Tuning) -> None:
    """Keep an entry, if that can be done."""
    CACHE.write(key, dumps(tuning))


def _parse(text: bytes, others: Sequence[tuple[str, ...]]) -> Tuning:
    """Read an entry; ``ValueError`` if it is none that could be of this model."""
    tuning = loads(Tuning, text)
    counts = [tuning.trials, tuning.cycles, tuning.rule_cycles]
    for layer in tuning.layers:
        counts += [layer.index, layer.cycles, layer.rule_cycles]
        if layer.index >= len(others) or layer.kernel not in others[layer.index]:
            raise ValueError("no candidate of this layer")
    if min(counts) < 0:
        raise ValueError("no count")
    return tuning
