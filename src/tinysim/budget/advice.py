"""What would keep a broken limit soonest, from the profile alone: three things, with numbers.

Nothing is promised: what a flag or a smaller layer brings, the next run says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice

from tinysim.budget.measure import samples_wanted
from tinysim.budget.units import write
from tinysim.firmware import TensorPlacement
from tinysim.simulator.profile import Counters, LayerProfile, Profile, RegionUse

MAX_FIXES = 3
#: So many layers or tensors are named at once.
MAX_NAMED = 3
#: Stalls below this share of all cycles are not worth a word.
STALL_SHARE_MIN = 0.05
NAME_WIDTH = 40
#: Operators whose multiplications say how many weights they hold.
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
#: What keeps the core from waiting, by cause.
_CURES = {
    "flash": "what lies in RAM does not wait for flash",
    "data": "an arena in faster memory waits less",
    "divide": "operators without division have none",
    "fpu": "int8 has none",
}


def time_fixes(
    profile: Profile, excess_cycles: float, layers: Sequence[LayerProfile] | None = None
) -> tuple[str, ...]:
    """Say how to save cycles, in some layers or in all."""
    layers = profile.layers if layers is None else layers
    return _first(
        _shrink(profile, excess_cycles, layers),
        _faster_flags(profile),
        _stalls(layers),
        _banks(profile),
    )


def ram_fixes(profile: Profile, excess_bytes: float) -> tuple[str, ...]:
    """Say how to save RAM."""
    return _first(
        _alive(profile, excess_bytes),
        _smaller_plan(profile),
        _floats(profile),
        _largest(profile, "ram"),
    )


def stack_fixes(profile: Profile, excess_bytes: float) -> tuple[str, ...]:
    """Say how to save stack."""
    return _first(
        _small_flag(profile, f"save {write(excess_bytes, 'B')}: the stack is the kernels'")
    )


def flash_fixes(profile: Profile, excess_bytes: float) -> tuple[str, ...]:
    """Say how to save flash."""
    code = write(profile.used_bytes("flash", "code"), "B")
    return _first(
        _small_flag(profile, f"save {write(excess_bytes, 'B')}: code takes {code}"),
        _weights(profile),
        _floats(profile),
        _largest(profile, "flash"),
    )


def accuracy_fixes(share: float, samples: int, limit: float) -> tuple[str, ...]:
    """Say how many more samples must be right, or measured."""
    missing = math.ceil(limit * samples - round(share * samples) - 1e-9)
    if missing > 0:
        return (f"{missing:,} more of the {samples:,} samples must be right",)
    if share > limit:
        return (f"so much right of {samples_wanted(share, limit):,} samples would be sure",)
    return ()


def region_fixes(profile: Profile, region: RegionUse, excess_bytes: float) -> tuple[str, ...]:
    """Say how to save bytes of a region."""
    return (flash_fixes if region.kind == "flash" else ram_fixes)(profile, excess_bytes)


def _first(*sources: Iterator[str]) -> tuple[str, ...]:
    return tuple(islice((fix for source in sources for fix in source), MAX_FIXES))


def _shrink(
    profile: Profile, excess_cycles: float, layers: Sequence[LayerProfile]
) -> Iterator[str]:
    """Name the slowest layers, as few as would be enough at half of their cycles."""
    named: list[LayerProfile] = []
    cycles = 0
    for layer in sorted(layers, key=lambda one: (-one.counters.cycles, one.index))[:MAX_NAMED]:
        named.append(layer)
        cycles += layer.counters.cycles
        if cycles >= 2 * excess_cycles:
            break
    if not cycles:
        return
    shares = ", ".join(
        f"{_label(layer)} ({_percent(layer.counters.cycles, profile.cycles)} of all)"
        for layer in named
    )
    goal = f"save {excess_cycles:,.0f} cycles ({write(excess_cycles / profile.clock_hz, 's')})"
    if excess_cycles < cycles:
        yield f"{goal}: {_percent(excess_cycles, cycles)} of what is spent in {shares}"
    else:
        yield f"{goal}: more than is spent in {shares}"


def _faster_flags(profile: Profile) -> Iterator[str]:
    if "-Os" in profile.toolchain.flags:
        yield "--optimize speed: it is compiled for size, with portable kernels"
    if any(layer.op == "PATCHED" for layer in profile.layers):
        yield "without --patches: bands compute some rows twice"
    if profile.tuning is None:
        yield "--tune: tries every kernel for every layer on this board"


def _stalls(layers: Sequence[LayerProfile]) -> Iterator[str]:
    """Name the cause that most cycles of some layers are lost to, and the layer that loses most."""
    total = Counters.total(layer.counters for layer in layers)
    cause = max(total.stalls, key=lambda one: total.stalls[one])
    lost = total.stalls[cause]
    if lost < STALL_SHARE_MIN * max(1, total.cycles):
        return
    most = max(layers, key=lambda layer: layer.counters.stalls.get(cause, 0))
    here = most.counters.stalls.get(cause, 0)
    where = "" if len(layers) == 1 else f", {here:,} of them in {_label(most)}"
    cure = f"; {_CURES[cause]}" if cause in _CURES else ""
    yield f"{lost:,} cycles ({_percent(lost, total.cycles)}) are {cause} stalls{where}{cure}"


def _banks(profile: Profile) -> Iterator[str]:
    for bank, cycles in profile.bank_cycles.items():
        yield f"--avoid {bank}: this bank of RAM costs {cycles:,} cycles"


def _alive(profile: Profile, excess_bytes: float) -> Iterator[str]:
    """Name the largest tensors of the layer at which most of the arena is in use."""
    if not profile.tensors:
        return
    places = range(-1, len(profile.layers) + 1)
    peak = max(places, key=lambda place: _covered_bytes(_alive_at(profile, place)))
    alive = sorted(_alive_at(profile, peak), key=lambda one: (-one.size_bytes, one.offset_bytes))
    names = ", ".join(
        f"{write(one.size_bytes, 'B')} {one.kind} {_short(one.name)} "
        f"({'x'.join(map(str, one.shape))} {one.dtype})"
        for one in alive[:MAX_NAMED]
    )
    where = _label(profile.layers[peak]) if 0 <= peak < len(profile.layers) else "the model's ends"
    used = write(_covered_bytes(alive), "B")
    yield f"save {write(excess_bytes, 'B')}: of {used} in use at {where}, the largest are {names}"
    is_early = 0 <= peak < len(profile.layers) / 2
    if is_early and not any(layer.op == "PATCHED" for layer in profile.layers):
        yield f"--patches: the peak is early, at {where}; bands may hold less of the first layers"


def _alive_at(profile: Profile, place: int) -> list[TensorPlacement]:
    return [one for one in profile.tensors if one.first_layer <= place <= one.last_layer]


def _covered_bytes(tensors: Sequence[TensorPlacement]) -> int:
    """Return the bytes that tensors lie on: an output may lie on its input."""
    covered = end = 0
    for one in sorted(tensors, key=lambda one: one.offset_bytes):
        last = one.offset_bytes + one.size_bytes
        covered += max(0, last - max(end, one.offset_bytes))
        end = max(end, last)
    return covered


def _smaller_plan(profile: Profile) -> Iterator[str]:
    gap = profile.arena_bytes - profile.arena_lower_bound_bytes
    if gap > 0:
        yield f"--planner exact: the arena is {write(gap, 'B')} above its lower bound"


def _floats(profile: Profile) -> Iterator[str]:
    floats = sum(tensor.dtype == "float32" for tensor in profile.tensors)
    if floats:
        what = f"{floats} of {len(profile.tensors)} tensors are float32"
        yield f"quantize: {what}, int8 takes a quarter"


def _small_flag(profile: Profile, why: str) -> Iterator[str]:
    if "-Os" not in profile.toolchain.flags:
        yield f"{why}; --optimize size takes portable kernels, smaller and much slower"


def _weights(profile: Profile) -> Iterator[str]:
    """Name the layers with most weights: their multiplications of one place of the output."""
    held = sorted(
        ((_held(layer), layer) for layer in profile.layers if layer.op in _WEIGHTED),
        key=lambda item: (-item[0], item[1].index),
    )[:MAX_NAMED]
    if held:
        names = ", ".join(f"{_label(layer)} ({count:,})" for count, layer in held)
        total = write(profile.used_bytes("flash", "weights"), "B")
        yield f"weights take {total}; most values are in {names}"


def _held(layer: LayerProfile) -> int:
    """Return how many weights a layer multiplies with."""
    places = 1
    for size in layer.output_shape[:-1]:
        places *= size
    return layer.macs // max(1, places)


def _largest(profile: Profile, kind: str) -> Iterator[str]:
    """Say what most of a kind of memory is for."""
    causes: dict[str, int] = {}
    for region in profile.regions:
        if region.kind == kind:
            for cause, size in region.used.items():
                causes[cause] = causes.get(cause, 0) + size
    ordered = sorted(causes.items(), key=lambda item: (-item[1], item[0]))[:MAX_NAMED]
    names = ", ".join(f"{cause} {write(size, 'B')}" for cause, size in ordered if size)
    if names:
        yield f"{kind} holds {names}"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


def _label(layer: LayerProfile) -> str:
    return f"layer {layer.index} {layer.op}"


def _short(name: str) -> str:
    """Shorten a tensor's name from the left, where converters put paths."""
    tail = "".join(char if char.isprintable() else "?" for char in name.split(";")[0])
    return tail if len(tail) <= NAME_WIDTH else "…" + tail[1 - NAME_WIDTH :]
