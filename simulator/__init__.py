"""ELF + board -> Profile: boot, infer once, and say what it cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.boards import Board
from tinysim.errors import ModelError
from tinysim.firmware import Firmware, TensorInfo
from tinysim.simulator.cores import Core
from tinysim.simulator.counting import count_by_context
from tinysim.simulator.functions import call_paths, function_profiles
from tinysim.simulator.images.elf import read_elf
from tinysim.simulator.loops import hot_loops
from tinysim.simulator.machine import Limits, Machine
from tinysim.simulator.profile import (
    STALLS,
    Counters,
    FunctionProfile,
    HotLoop,
    LayerProfile,
    RegionUse,
)

#: How far behind the arena writing is looked for: nothing else lies there.
_WATCHED_BYTES = 64

#: From this share of the first inference on, filling caches is left out: a second one is counted.
COLD_SHARE = 0.002


@dataclass(frozen=True, eq=False)
class Execution:
    """One inference as it ran: counters, memory use and outputs.

    ``stack_bytes`` is the deepest the stack pointer went, ``stack_written_bytes`` the deepest
    byte written (what a painted stack shows on a board). ``arena_written_bytes`` is how far the
    arena was written to: the plan's size, if the plan is true.
    """

    layers: tuple[LayerProfile, ...]
    runtime: Counters
    startup: Counters
    regions: tuple[RegionUse, ...]
    stack_bytes: int
    stack_written_bytes: int
    arena_written_bytes: int
    outputs: tuple[NDArray[Any], ...]
    fidelity: int
    bank_cycles: dict[str, int]
    functions: tuple[FunctionProfile, ...]
    paths: tuple[tuple[tuple[str, ...], int], ...]
    loops: tuple[HotLoop, ...]


@dataclass(frozen=True)
class Snapshot:
    """What a program has in RAM: pieces of memory by their address."""

    pieces: tuple[tuple[int, bytes], ...]


class Session:
    """A booted board that computes one inference after another, state kept between them."""

    def __init__(
        self,
        firmware: Firmware,
        board: Board,
        core: Core,
        limits: Limits | None = None,
        use_native: bool = True,
        fidelity: int | None = None,
    ) -> None:
        self._is_warm = False
        self.firmware, self.board, self.core = firmware, board, core
        self._image = image = read_elf(firmware.elf)
        self.machine = Machine(board, core, image, limits, use_native, fidelity)
        self.machine.boot(firmware.entry_symbol)
        self.startup = Counters.total(count_by_context(self.machine).values())
        self._stack_top = image.symbol("__stack_top").address
        self._stack_limit = image.symbol("__stack_limit").address
        self._entry = image.symbol(firmware.entry_symbol).address
        self._arena = image.symbol(firmware.arena_symbol).address
        self._startup_low = self.machine.tracer.lowest_sp

    def infer(self, inputs: Sequence[NDArray[Any]]) -> Execution:
        """Write the inputs, run one inference and read the outputs."""
        before = None if self._is_warm else self.snapshot()
        self._invoke(inputs)
        if before is not None and self._is_start_cold():
            self.restore(before)  # of a streaming model's state, too
            self._invoke(inputs)  # a benchmark or a sensor loop finds what the last round left
        self._is_warm = True
        by_context = count_by_context(self.machine)
        layer_of = self._layer_of_contexts()
        counters = _by_layer(by_context, layer_of)
        nothing = Counters(0, 0, dict.fromkeys(STALLS, 0))
        lowest = min(self._startup_low, self.machine.tracer.lowest_sp)
        stack_bytes = self._stack_top - lowest
        written = self.machine.lowest_written(self._stack_limit, self._stack_top)
        return Execution(
            layers=tuple(
                LayerProfile(
                    layer.index,
                    layer.name,
                    layer.op,
                    layer.kernel,
                    layer.output_shape,
                    layer.macs,
                    counters.get(layer.index, nothing),
                    layer.tensor,
                )
                for layer in self.firmware.layers
            ),
            runtime=counters.get(None, nothing),
            startup=self.startup,
            regions=_region_use(self.firmware, self.board, stack_bytes),
            stack_bytes=stack_bytes,
            stack_written_bytes=self._stack_top - written,
            arena_written_bytes=self._arena_written(),
            outputs=tuple(self._read(info) for info in self.firmware.outputs),
            fidelity=self.machine.fidelity,
            bank_cycles=self.machine.memory.bank_cycles() if self.machine.memory else {},
            functions=function_profiles(self.machine, by_context),
            paths=call_paths(self.machine, by_context),
            loops=hot_loops(self.machine, layer_of),
        )

    def trace(self, inputs: Sequence[NDArray[Any]]) -> Iterator[tuple[NDArray[Any], ...]]:
        """Run one inference layer by layer and yield what each one has written."""
        self._put(inputs)
        for layer in self.firmware.layers:
            self.machine.call(self._image.symbol(layer.symbol).address, self._arena)
            yield tuple(self._read(info) for info in layer.outputs)

    def snapshot(self) -> Snapshot:
        """Note what variables, arena and stack hold, so that it can be had again."""
        symbol = self._image.symbol
        ranges = (
            (symbol("__data_start").address, symbol("__bss_end").address),
            (self._arena, self._arena + self.firmware.arena_bytes),
            (self._stack_limit, self._stack_top),
        )
        return Snapshot(tuple((low, self.machine.read(low, high - low)) for low, high in ranges))

    def restore(self, snapshot: Snapshot) -> None:
        """Put RAM back as it was; translated code, tables and warm caches stay."""
        for address, held in snapshot.pieces:
            self.machine.write(address, held)

    def _invoke(self, inputs: Sequence[NDArray[Any]]) -> None:
        self._put(inputs)
        self.machine.call(self._entry, self._arena)

    def _put(self, inputs: Sequence[NDArray[Any]]) -> None:
        for info, value in zip(self.firmware.inputs, inputs, strict=True):
            self.machine.write(self._arena + info.offset_bytes, value.tobytes())

    def _arena_written(self) -> int:
        """Return how far into the arena, or beyond it, anything was written since reset."""
        end = self._arena + self.firmware.arena_bytes + _WATCHED_BYTES
        return self.machine.highest_written(self._arena, end) - self._arena

    def _is_start_cold(self) -> bool:
        """Tell whether filling empty caches may show in the cycles of one inference."""
        cycles = self.machine.tracer.millicycles / 1000
        return self.machine.chip.cold_start_cycles > COLD_SHARE * cycles

    def _read(self, info: TensorInfo) -> NDArray[Any]:
        raw = self.machine.read(self._arena + info.offset_bytes, info.size_bytes)
        return np.frombuffer(raw, info.dtype).reshape(info.shape)

    def _layer_of_contexts(self) -> list[int | None]:
        """Return the layer of each context; whatever is outside of layers is the runtime, None."""
        starts = {self._image.symbol(one.symbol).address: one.index for one in self.firmware.layers}
        found: list[int | None] = [None]
        for context in self.machine.tracer.contexts()[1:]:
            found.append(starts.get(context.function, found[context.parent]))
        return found


def _by_layer(
    by_context: Mapping[int, Counters], layer_of: Sequence[int | None]
) -> dict[int | None, Counters]:
    """Add up contexts by layer; None is the code between layers."""
    parts: defaultdict[int | None, list[Counters]] = defaultdict(list)
    for context, counters in by_context.items():
        parts[layer_of[context]].append(counters)
    return {layer: Counters.total(own) for layer, own in parts.items()}


def check_inputs(
    infos: Sequence[TensorInfo], inputs: Sequence[NDArray[Any]], where: str
) -> tuple[NDArray[Any], ...]:
    """Return the inputs in the model's shapes, or say why they do not go with it.

    Real numbers for an input of integers, signed or not, are quantized with its scale and zero
    point.
    """
    if len(inputs) != len(infos):
        raise ModelError(
            f"{len(inputs)} inputs were given, the model has {len(infos)}",
            where=where,
            fix="give one array an input",
        )
    ready = []
    for info, value in zip(infos, inputs, strict=True):
        wanted = np.dtype(info.dtype)
        if value.dtype.kind == "f" and wanted.kind in "iu":
            if np.isnan(value).any():
                raise ModelError(
                    f"an input for {info.dtype} {list(info.shape)} holds NaN",
                    where=where,
                    fix="give numbers that can be quantized",
                )
            value = info.quantize(value.astype(np.float32))
        if value.dtype != wanted or value.size * wanted.itemsize != info.size_bytes:
            raise ModelError(
                f"an input of {value.dtype} {list(value.shape)} does not go with "
                f"{info.dtype} {list(info.shape)}",
                where=where,
                fix="give the array that the model was made for (float32 is quantized for you)",
            )
        ready.append(np.ascontiguousarray(value.reshape(info.shape)))
    return tuple(ready)


def random_inputs(infos: Sequence[TensorInfo], seed: int = 0) -> tuple[NDArray[Any], ...]:
    """Make seeded random inputs: all integers of the type, or reals in [-1, 1)."""
    rng = np.random.default_rng(seed)
    made = []
    for info in infos:
        dtype = np.dtype(info.dtype)
        if dtype.kind == "f":
            made.append(rng.uniform(-1, 1, info.shape).astype(dtype))
        elif dtype.kind == "b":
            made.append(rng.integers(0, 2, info.shape).astype(dtype))
        else:
            limits = np.iinfo(dtype)
            made.append(rng.integers(limits.min, limits.max + 1, info.shape, dtype))
    return tuple(made)


def _region_use(firmware: Firmware, board: Board, stack_bytes: int) -> tuple[RegionUse, ...]:
    """Add up sections and the stack, by region and cause."""
    used: dict[str, Counter[str]] = {region.name: Counter() for region in board.regions}
    for section in firmware.sections:
        if section.flash_region is not None:
            cause = "runtime" if section.cause == "static" else section.cause
            used[section.flash_region][cause] += section.flash_bytes
        if section.ram_region is not None:
            used[section.ram_region][section.cause] += section.ram_bytes
    used[board.placement.stack]["stack"] += stack_bytes
    return tuple(
        RegionUse(
            region.name,
            region.kind,
            region.base,
            region.size_bytes,
            region.reserved_bytes,
            region.wait_states,
            dict(used[region.name]),
        )
        for region in board.regions
    )
