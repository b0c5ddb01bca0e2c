"""Runs -> functions: self and inclusive cycles, calls, call paths and the hottest instructions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from tinysim.simulator.machine import Machine
from tinysim.simulator.profile import Counters, FunctionProfile, Hotspot

HOTTEST = 20


def function_profiles(
    machine: Machine, by_context: Mapping[int, Counters]
) -> tuple[FunctionProfile, ...]:
    """Add up cycles by function, the most expensive (itself) first."""
    contexts = machine.tracer.contexts()
    own: defaultdict[int, list[Counters]] = defaultdict(list)
    inclusive: Counter[int] = Counter()
    calls: Counter[int] = Counter()
    for index, context in enumerate(contexts):
        calls[context.function] += context.calls
        counters = by_context.get(index)
        if counters is None:
            continue
        own[context.function].append(counters)
        above = set()  # a recursive function counts once a path
        while index:
            above.add(contexts[index].function)
            index = contexts[index].parent
        for function in above:
            inclusive[function] += counters.cycles
    found = [
        FunctionProfile(
            name=machine.image.function_at(function),
            address=function,
            calls=calls[function],
            own=Counters.total(parts),
            inclusive_cycles=inclusive[function],
        )
        for function, parts in own.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.own.cycles, one.address)))


def call_paths(
    machine: Machine, by_context: Mapping[int, Counters]
) -> tuple[tuple[tuple[str, ...], int], ...]:
    """Return every call path with its own cycles, as flame graphs want them."""
    contexts = machine.tracer.contexts()
    paths = []
    for index, counters in sorted(by_context.items()):
        names: list[str] = []
        while index:
            names.append(machine.image.function_at(contexts[index].function))
            index = contexts[index].parent
        paths.append((tuple(reversed(names)) or ("?",), counters.cycles))
    return tuple(paths)


def hottest(machine: Machine) -> tuple[Hotspot, ...]:
    """Return the instructions that were executed most, with their disassembly."""
    executed: Counter[int] = Counter()
    for run in machine.tracer.counts():
        for one in machine.prices.decoder.between(run.start, run.end):
            executed[one.address] += run.count
    top = sorted(executed.items(), key=lambda item: (-item[1], item[0]))[:HOTTEST]
    return tuple(
        Hotspot(
            address=address,
            executions=times,
            text=machine.prices.decoder.between(address, address + 1)[0].text,
            function=machine.image.function_at(address),
        )
        for address, times in top
    )
