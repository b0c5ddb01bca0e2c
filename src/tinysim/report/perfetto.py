"""Trace Event JSON on simulated time, for Perfetto (ui.perfetto.dev) and chrome://tracing.

One process is the board. The thread ``layers`` has a slice a layer; ``functions`` has the same
slices with the functions inside: one slice for all calls on a path, its own cycles first. Durations
are counted; the order inside a layer is not known, nor where the cycles between layers pass: they
come last. Counters say what lies in the arena and what energy has been spent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tinysim.report._stacks import BETWEEN, Stack, layer_label, layer_stacks
from tinysim.simulator.profile import Counters, LayerProfile, Profile

Event = dict[str, Any]

BOARD = 1
LAYERS, FUNCTIONS = 1, 2


def render(profile: Profile) -> str:
    """Render as a JSON object, an event a line."""
    events = ",\n".join(json.dumps(event) for event in _events(profile))
    about = {
        "model": profile.model_name,
        "model_sha256": profile.model_sha256,
        "board": profile.board,
        "clock_hz": profile.clock_hz,
        "cycles": profile.cycles,
        "grade": profile.timing.grade,
        "tinysim_version": profile.tinysim_version,
    }
    head = f'"displayTimeUnit": "ns",\n"otherData": {json.dumps(about)}'
    return f'{{\n{head},\n"traceEvents": [\n{events}\n]\n}}\n'


@dataclass(frozen=True)
class _Clock:
    """Cycles as microseconds, in whole nanoseconds: slices that touch in cycles touch in time."""

    hz: int

    def us(self, cycles: int) -> float:
        return round(cycles * 1_000_000_000 / self.hz) / 1000

    def slice(self, thread: int, name: str, start: int, end: int, args: Event) -> Event:
        first, last = self.us(start), self.us(end)
        return {
            "ph": "X",
            "pid": BOARD,
            "tid": thread,
            "cat": "simulated",
            "name": name,
            "ts": first,
            "dur": round(last - first, 3),
            "args": args,
        }

    def counter(self, name: str, cycles: int, **values: float) -> Event:
        return {"ph": "C", "pid": BOARD, "name": name, "ts": self.us(cycles), "args": values}


def _events(profile: Profile) -> Iterator[Event]:
    """Yield names, then layers in order of execution with what happens in each."""
    clock = _Clock(profile.clock_hz)
    for what, thread, name in (
        ("process_name", 0, f"{profile.model_name} on {profile.board}"),
        ("thread_name", LAYERS, "layers"),
        ("thread_name", FUNCTIONS, "functions"),
    ):
        yield {"ph": "M", "pid": BOARD, "tid": thread, "name": what, "args": {"name": name}}
    now = 0
    for layer, below in zip(profile.layers, layer_stacks(profile), strict=True):
        end = now + layer.counters.cycles
        label = layer_label(layer)
        yield clock.slice(LAYERS, label, now, end, _layer_args(profile, layer))
        yield from _functions(clock, _tree(label, below), now)
        yield from _counters(profile, clock, layer.index, now)
        now = end
    if profile.runtime.cycles:
        args = _counter_args(profile.runtime)
        yield clock.slice(LAYERS, BETWEEN, now, profile.cycles, args)
    yield from _counters(profile, clock, len(profile.layers), profile.cycles)


def _layer_args(profile: Profile, layer: LayerProfile) -> Event:
    energy_j = profile.energy_j(layer.counters.cycles)
    return {
        "op": layer.op,
        "kernel": layer.kernel,
        "shape": "x".join(map(str, layer.output_shape)),
        "macs": layer.macs,
        **_counter_args(layer.counters),
        **({} if energy_j is None else {"energy_j": energy_j}),
        "tensor": layer.tensor or layer.name,
    }


def _counter_args(counters: Counters) -> Event:
    return {
        "cycles": counters.cycles,
        "instructions": counters.instructions,
        "issue_cycles": counters.issue_cycles,
        "stalls": {cause: cycles for cause, cycles in counters.stalls.items() if cycles},
    }


def _counters(profile: Profile, clock: _Clock, layer: int, now: int) -> Iterator[Event]:
    """Yield the state as a layer begins; behind the last one, as the inference ends."""
    if profile.tensors:
        alive_bytes = _alive_bytes(profile, layer)
        yield clock.counter("arena alive (bytes)", now, bytes=alive_bytes)
    spent_j = profile.energy_j(now)
    if spent_j is not None:
        yield clock.counter("energy (J)", now, joules=spent_j)


def _alive_bytes(profile: Profile, layer: int) -> int:
    """Return the bytes that hold something in a layer; tensors may lie over each other."""
    alive = [one for one in profile.tensors if one.first_layer <= layer <= one.last_layer]
    covered = end = 0
    for tensor in sorted(alive, key=lambda tensor: tensor.offset_bytes):
        last = tensor.offset_bytes + tensor.size_bytes
        covered += max(0, last - max(end, tensor.offset_bytes))
        end = max(end, last)
    return covered


@dataclass
class _Function:
    """A function on one path: its own cycles and what it called."""

    name: str
    own_cycles: int = 0
    callees: dict[str, _Function] = field(default_factory=dict)

    @property
    def cycles(self) -> int:
        return self.own_cycles + sum(callee.cycles for callee in self.callees.values())


def _tree(label: str, stacks: list[tuple[Stack, int]]) -> _Function:
    root = _Function(label)
    for stack, cycles in stacks:
        here = root
        for name in stack:
            here = here.callees.setdefault(name, _Function(name))
        here.own_cycles += cycles
    return root


def _functions(clock: _Clock, function: _Function, start: int) -> Iterator[Event]:
    """Yield a function's slice, then those of what it called, behind its own cycles."""
    args = {"cycles": function.cycles, "own_cycles": function.own_cycles}
    yield clock.slice(FUNCTIONS, function.name, start, start + function.cycles, args)
    now = start + function.own_cycles
    for callee in function.callees.values():
        yield from _functions(clock, callee, now)
        now += callee.cycles
