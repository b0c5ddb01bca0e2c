"""Memory over time: the plan of the arena as boxes, one a tensor, in the units of the picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tinysim.firmware import TensorPlacement
from tinysim.report._html.words import exact, layers, shape, short, size
from tinysim.simulator.profile import Profile

#: The picture, in its own units: all of it, and where its parts lie.
WIDTH, HEIGHT = 1120, 500
LEFT, RIGHT, TOP, BOTTOM = 74, 1104, 30, 364
STRIP_TOP, STRIP_BOTTOM = 408, 468
#: Steps along the axis get a label every so often, at the most.
STEP_LABELS = 32

KINDS = {
    "input": "input of the model",
    "activation": "between layers",
    "output": "output of the model",
    "state": "kept between inferences",
    "scratch": "of one layer: work space, copied weights",
}


@dataclass(frozen=True)
class Box:
    """A tensor as a rectangle, with as much of its name as goes in."""

    tensor: TensorPlacement
    x: float
    y: float
    width: float
    height: float
    label: str
    size: str
    text: str


@dataclass(frozen=True)
class Step:
    """A layer along the axis: what is in use while it runs, as a bar below the picture."""

    x: float
    width: float
    label: str
    in_use_bytes: int
    y: float
    height: float
    is_peak: bool


@dataclass(frozen=True)
class Level:
    """A line across the picture."""

    kind: str
    y: float
    label: str


@dataclass(frozen=True)
class Picture:
    """The arena: boxes, steps, ticks and lines, and what would make it smaller."""

    boxes: tuple[Box, ...]
    steps: tuple[Step, ...]
    ticks: tuple[tuple[float, str], ...]
    levels: tuple[Level, ...]
    kinds: dict[str, str]
    summary: str
    advice: str


def picture(profile: Profile) -> Picture:
    """Lay out the arena's plan."""
    top = max(profile.arena_bytes, profile.arena_lower_bound_bytes, profile.arena_written_bytes, 1)
    used = _in_use(profile, profile.tensors)
    present = {one.kind for one in profile.tensors}
    return Picture(
        boxes=tuple(_box(one, profile, top) for one in _large_first(profile.tensors)),
        steps=_steps(profile, used),
        ticks=tuple((_y(value, top), _tick(value)) for value in _tick_values(top)),
        levels=_levels(profile, top),
        kinds={kind: text for kind, text in KINDS.items() if kind in present},
        summary=_summary(profile, used),
        advice=_advice(profile, used),
    )


def _large_first(tensors: Iterable[TensorPlacement]) -> list[TensorPlacement]:
    """Put what is small in front of what it overlaps."""
    return sorted(tensors, key=lambda one: -one.size_bytes * (one.last_layer - one.first_layer + 1))


def _in_use(profile: Profile, tensors: Iterable[TensorPlacement]) -> list[int]:
    """Return the bytes that tensors cover at each step; what lies over another counts once."""
    ordered = sorted(tensors, key=lambda one: one.offset_bytes)
    found = []
    for step in range(-1, len(profile.layers) + 1):
        covered = end = 0
        for one in ordered:
            if one.first_layer <= step <= one.last_layer:
                upper = one.offset_bytes + one.size_bytes
                covered += max(0, upper - max(end, one.offset_bytes))
                end = max(end, upper)
        found.append(covered)
    return found


def _x(step: int, profile: Profile) -> float:
    return LEFT + (RIGHT - LEFT) * (step + 1) / (len(profile.layers) + 2)


def _y(offset_bytes: float, top: int) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * offset_bytes / top, 2)


def _box(tensor: TensorPlacement, profile: Profile, top: int) -> Box:
    left, right = _x(tensor.first_layer, profile), _x(tensor.last_layer + 1, profile)
    upper, lower = _y(tensor.offset_bytes + tensor.size_bytes, top), _y(tensor.offset_bytes, top)
    width, height = round(right - left - 1, 2), max(1.0, round(lower - upper - 1, 2))
    name = tensor.kind if tensor.kind == "scratch" else short(tensor.name)
    free = _x(_covered_from(tensor, profile.tensors), profile) - left
    label = _cut(name, int((free - 10) / 6.2)) if height >= 13 else ""
    written = size(tensor.size_bytes)
    fits = height >= 29 and label and len(written) * 6.4 < free - 8
    text = (
        f"{tensor.kind} {short(tensor.name)}, {shape(tensor.shape)} {tensor.dtype}: "
        f"{exact(tensor.size_bytes)} at {exact(tensor.offset_bytes)}, {_when(tensor, profile)}"
    )
    x, y = round(left + 0.5, 2), min(upper, BOTTOM - height)
    return Box(tensor, x, y, width, height, label, written if fits else "", text)


def _covered_from(tensor: TensorPlacement, others: Iterable[TensorPlacement]) -> int:
    """Return the step from which on another tensor lies over this one, or it is gone."""
    end = tensor.offset_bytes + tensor.size_bytes
    return min(
        (
            one.first_layer
            for one in others
            if tensor.first_layer < one.first_layer <= tensor.last_layer
            and one.offset_bytes < end
            and tensor.offset_bytes < one.offset_bytes + one.size_bytes
        ),
        default=tensor.last_layer + 1,
    )


def _cut(name: str, room: int) -> str:
    """Shorten a name to what goes into its box; a few letters say nothing."""
    if len(name) <= room:
        return name
    return name[: room - 1] + "…" if room > 5 else ""


def _when(tensor: TensorPlacement, profile: Profile) -> str:
    first, last = max(0, tensor.first_layer), min(len(profile.layers) - 1, tensor.last_layer)
    return layers(tuple(range(first, last + 1)))


def _steps(profile: Profile, used: list[int]) -> tuple[Step, ...]:
    count = len(profile.layers)
    every = -(-count // STEP_LABELS) or 1
    most = max(used, default=0)
    made = []
    for step, in_use in zip(range(-1, count + 1), used, strict=True):
        left, right = _x(step, profile), _x(step + 1, profile)
        height = round((STRIP_BOTTOM - STRIP_TOP) * in_use / max(1, most), 2)
        made.append(
            Step(
                x=round(left, 2),
                width=round(right - left, 2),
                label={-1: "in", count: "out"}.get(step, str(step) if step % every == 0 else ""),
                in_use_bytes=in_use,
                y=STRIP_BOTTOM - height,
                height=height,
                is_peak=step == used.index(most) - 1,
            )
        )
    return tuple(made)


def _tick_values(top: int) -> list[int]:
    """Return round numbers from 0 up, about five of them."""
    step = 1
    while step * 5 < top:
        step *= 2
    return list(range(0, top + 1, step))


def _tick(value: int) -> str:
    return f"{value / 1024:g} KiB" if value >= 1024 else f"{value} B"


def _levels(profile: Profile, top: int) -> tuple[Level, ...]:
    """Draw what was planned, what is possible and what was seen; those that are equal, once."""
    values = {
        "planned": profile.arena_bytes,
        "written": profile.arena_written_bytes,
        "lower bound": profile.arena_lower_bound_bytes,
    }
    made = []
    for value in sorted(set(values.values()), reverse=True):
        names = [name for name, one in values.items() if one == value]
        made.append(
            Level(names[0].split()[0], _y(value, top), f"{' = '.join(names)} {exact(value)}")
        )
    return tuple(made)


def _summary(profile: Profile, used: list[int]) -> str:
    gap = profile.arena_bytes - profile.arena_lower_bound_bytes
    plan = (
        "which no plan of this order of layers can beat"
        if gap <= 0
        else f"{exact(gap)} above what no plan of this order of layers can beat"
    )
    written = profile.arena_written_bytes
    seen = (
        "all of it was written, and nothing behind it"
        if written == profile.arena_bytes
        else f"{exact(written)} of it were written"
    )
    return f"The arena takes {exact(profile.arena_bytes)}, {plan}; {seen}."


def _advice(profile: Profile, used: list[int]) -> str:
    """Say which layer needs most, what is the largest then, and what could be won."""
    if not profile.tensors:
        return ""
    peak = used.index(max(used)) - 1
    alive = [one for one in profile.tensors if one.first_layer <= peak <= one.last_layer]
    largest = max(alive, key=lambda one: (one.size_bytes, one.name))
    without = _in_use(profile, [one for one in profile.tensors if one is not largest])
    what = f"{largest.kind} {short(largest.name)}, {shape(largest.shape)} {largest.dtype},"
    if largest.kind == "scratch":
        what = "scratch memory (work space, copied weights),"
    if max(without) < max(used):
        next_most = max(without)
        then = f"Were it smaller, the arena could shrink to {exact(next_most)}, which is what is "
        then += f"needed {_where(profile, without.index(next_most) - 1)}."
    else:
        as_much = [step - 1 for step, in_use in enumerate(without) if in_use == max(used)]
        inside = tuple(step for step in as_much if 0 <= step < len(profile.layers))
        where = layers(inside) if inside else _where(profile, as_much[0])
        then = f"Alone it would win nothing: without it, too, as much is needed ({where})."
    return (
        f"Most is in use {_where(profile, peak)}: {exact(max(used))} in {len(alive)} tensors. "
        f"The largest is the {what} {exact(largest.size_bytes)}. {then}"
    )


def _where(profile: Profile, step: int) -> str:
    if step < 0:
        return "before the first layer"
    if step == len(profile.layers):
        return "behind the last layer"
    return f"in layer {step} ({profile.layers[step].op})"
