"""Variants compete: tuned kernels that may take the place of a portable one, one module a kernel.

An operator lowers to portable kernel calls, whatever the core is. Here each call meets the variants
that replace its kernel: each offers candidates, with weights packed to its liking and the cycles
that it expects, and the cheapest wins. To add one, drop a module in: a subclass of ``Variant``
files itself under the kernel that it replaces.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import ClassVar

from tinysim.compiler.ops import KernelCall
from tinysim.firmware import Target

#: Share of a model's cycles from which on a tuned kernel is worth its code to those who look at
#: both, if portable kernels took its layers: these are so much slower, more or less.
WORTHWHILE_SHARE, PORTABLE_SLOWDOWN = 0.005, 5.0
#: What that code is: of convolutions and dense layers 520 to 1,500 bytes more than portable code's,
#: by the linker's map, of M0+ and M4.
TUNED_CODE_BYTES = 1000


#: What becomes of weights that are zero: left out where that saves what ``--optimize`` is after,
#: never, or wherever there are enough of them for an encoding.
SPARSE = ("auto", "never", "always")
#: Share of a layer's constants that ``auto`` wants to save: more than what quantization alone would
#: bring, which leaves up to 31 % of zeros (MLPerf Tiny's AD) in layers that nobody pruned.
SPARSE_SAVES = 0.25
#: Share of a layer's cycles that ``speed`` wants to be left: estimates are off by up to a fifth.
SPARSE_FASTER = 0.8

#: Flash for constants that ``balanced`` does not count: padding of small layers.
SLACK_BYTES = 256


@dataclass(frozen=True)
class SparseCode:
    """What a kernel that leaves out zeros takes of flash at most, on any core."""

    layer_bytes: int
    shared_bytes: int


@dataclass(frozen=True, eq=False)
class Candidate:
    """A way to compute a call: its name, unique among the call's, and what it should cost.

    ``cycles`` is an estimate for one call without waiting for memory. It is None for the portable
    kernel, the last resort. Kernels that leave out weights that are zero are there to save flash,
    and say in ``sparse`` what their code takes of it.
    """

    name: str
    call: KernelCall
    cycles: float | None
    sparse: SparseCode | None = None

    @property
    def constant_bytes(self) -> int:
        """Flash for weights and tables."""
        return sum(array.nbytes for array in self.call.constants)


class Variant(ABC):
    """A tuned kernel: what it takes the place of, where it runs, when it can."""

    #: The portable kernel, as ``KernelCall.kernel`` names it.
    replaces: ClassVar[str]
    _registry: ClassVar[dict[str, list[Variant]]] = {}

    def __init_subclass__(cls) -> None:
        if "replaces" in cls.__dict__:
            Variant._registry.setdefault(cls.replaces, []).append(cls())

    @abstractmethod
    def runs_on(self, target: Target) -> bool:
        """Whether a core has the instructions."""

    @abstractmethod
    def candidates(self, call: KernelCall, target: Target) -> Iterator[Candidate]:
        """Yield ways to compute a portable call; none if this one is not for it.

        Integers come out the same to the bit, floats as near to the truth.
        A candidate's call has the portable call's inputs, outputs and offsets.
        """


def candidates(call: KernelCall, target: Target) -> tuple[Candidate, ...]:
    """Return all ways to compute a call on a core, the portable kernel last."""
    found = [
        candidate
        for variant in Variant._registry.get(call.kernel, [])
        if variant.runs_on(target)
        for candidate in variant.candidates(call, target)
    ]
    return (*found, Candidate(call.kernel, call, None))


def affordable(found: Sequence[Candidate], optimize: str) -> tuple[Candidate, ...]:
    """Return the candidates that ``--optimize`` allows, in their order.

    ``balanced`` and ``size`` leave out what wants more flash for constants than the leanest
    candidate, a quarter and ``SLACK_BYTES``.
    """
    if optimize == "speed":
        return tuple(found)
    limit = min(candidate.constant_bytes for candidate in found) * 1.25 + SLACK_BYTES
    return tuple(candidate for candidate in found if candidate.constant_bytes <= limit)


def choose(found: Sequence[Candidate], optimize: str) -> Candidate:
    """Pick by the cost rule: the fewest cycles of what ``--optimize`` allows.

    For ``size`` that is the portable kernel: tuned ones bring code, and pad weights.
    """
    if optimize == "size":
        return found[-1]
    tuned = [one for one in affordable(found, optimize) if one.cycles is not None]
    return min(tuned, key=lambda candidate: candidate.cycles or 0.0, default=found[-1])


def alternatives(
    calls: Sequence[tuple[KernelCall, ...]], target: Target, optimize: str, sparse: str
) -> tuple[tuple[str, ...], ...]:
    """Return, by node, the candidates that ``--optimize`` allows and that the rule passes over.

    Where the rule leaves out zeros, to save flash, there are none.
    """
    passed = []
    for parts in _ruled(calls, target, optimize, sparse):
        names: dict[str, None] = {}
        for found, chosen in parts:
            if chosen.sparse is None:
                others = (one for one in affordable(found, optimize) if one is not chosen)
                names |= {one.name: None for one in others}
        passed.append(tuple(names))
    return tuple(passed)


def select(
    calls: Sequence[tuple[KernelCall, ...]],
    target: Target,
    optimize: str,
    sparse: str,
    picks: Mapping[int, str],
) -> tuple[tuple[KernelCall, ...], ...]:
    """Replace portable calls by the variants that the cost rule wants.

    ``sparse`` is one of ``SPARSE``. ``picks`` names candidates by index of the node, where the rule
    is not to decide.
    """
    selected = []
    for index, parts in enumerate(_ruled(calls, target, optimize, sparse)):
        chosen = []
        for call, (_, ruled) in zip(calls[index], parts, strict=True):
            found = candidates(call, target) if index in picks else ()
            named = [one for one in found if one.name == picks[index]]
            chosen.append((named[0] if named else ruled).call)
        selected.append(tuple(chosen))
    return tuple(selected)


#: A call's candidates that keep zeros, and the one that is to compute it.
_Ruled = tuple[tuple[Candidate, ...], Candidate]


def _ruled(
    calls: Sequence[tuple[KernelCall, ...]], target: Target, optimize: str, sparse: str
) -> list[list[_Ruled]]:
    """Return candidates and choice for each node's calls.

    What keeps zeros competes first. Then, with ``auto``, the leanest encoding without zeros takes
    its place where it saves ``SPARSE_SAVES`` of a layer's constants and more than the layer's code;
    and only if all that it saves in the model is more than the code that layers share. For
    ``balanced`` a cycle counts like the flash that it is worth; ``speed`` takes the fastest one
    where that is faster for sure.
    """
    ruled = [
        [(found, choose(found, optimize)) for found in parts]
        for parts in _offers(calls, target, optimize)
    ]
    if sparse == "never":
        return ruled
    encoded = {
        (node, part): found
        for node, parts in enumerate(calls)
        for part, call in enumerate(parts)
        if (found := [one for one in candidates(call, target) if one.sparse])
    }
    if (sparse, optimize) == ("auto", "speed"):
        for (node, part), found in encoded.items():
            offered, dense = ruled[node][part]
            lean = [one for one in found if one.constant_bytes < dense.constant_bytes]
            best = min(lean, key=lambda one: one.cycles or math.inf, default=dense)
            longer = SPARSE_FASTER * (dense.cycles or math.inf)  # the portable kernel is slower
            if (best.cycles or math.inf) < longer:
                ruled[node][part] = (offered, best)
        return ruled
    price = _bytes_a_cycle(ruled, encoded) if optimize == "balanced" else 0.0
    saved: Counter[SparseCode] = Counter()
    leaner: dict[tuple[int, int], tuple[Candidate, SparseCode]] = {}
    for (node, part), found in encoded.items():
        best = min(found, key=lambda one: one.constant_bytes + price * (one.cycles or 0.0))
        dense, code = ruled[node][part][1], best.sparse
        assert code is not None
        before = dense.constant_bytes
        fewer = before - best.constant_bytes
        least = max(SPARSE_SAVES * before, code.layer_bytes + price * _longer(best, dense))
        if sparse == "always" or fewer > least:
            leaner[node, part] = best, code
            saved[code] += fewer - code.layer_bytes
    for (node, part), (best, code) in leaner.items():
        if sparse == "always" or saved[code] > code.shared_bytes:
            ruled[node][part] = (ruled[node][part][0], best)
    return ruled


def _bytes_a_cycle(
    ruled: list[list[_Ruled]], encoded: Mapping[tuple[int, int], Sequence[Candidate]]
) -> float:
    """Return the flash that a cycle is worth to ``balanced``: what it pays for a tuned kernel.

    A layer that the portable kernel computes takes at least what it would take without zeros.
    """
    total = 0.0
    for node, parts in enumerate(ruled):
        for part, (_, dense) in enumerate(parts):
            others = (one.cycles or 0.0 for one in encoded.get((node, part), ()))
            total += dense.cycles or min(others, default=0.0)
    return TUNED_CODE_BYTES / (WORTHWHILE_SHARE * total) if total else 0.0


def _longer(best: Candidate, dense: Candidate) -> float:
    """Return how many cycles more ``best`` takes; none against the portable kernel."""
    if best.cycles is None or dense.cycles is None:
        return 0.0
    return max(0.0, best.cycles - dense.cycles)


def _offers(
    calls: Sequence[tuple[KernelCall, ...]], target: Target, optimize: str
) -> list[list[tuple[Candidate, ...]]]:
    """Return each node's candidates that keep zeros, without kernels not worth their code.

    Only ``speed`` pays for code that hardly runs: a loop for fully connected layers is long, and a
    classifier at a model's end is done in no time by the portable kernel, too.
    """
    offers = [[_with_zeros(candidates(call, target)) for call in parts] for parts in calls]
    while optimize != "speed":
        cycles: Counter[str] = Counter()
        for found in (found for parts in offers for found in parts):
            chosen = choose(found, optimize)
            cycles[chosen.call.kernel] += int(chosen.cycles or 0)
        least = WORTHWHILE_SHARE / PORTABLE_SLOWDOWN * cycles.total()
        idle = {kernel for kernel, count in cycles.items() if 0 < count < least}
        if not idle:
            break
        offers = [[_without(idle, found) for found in parts] for parts in offers]
    return offers


def _with_zeros(found: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    return tuple(one for one in found if one.sparse is None)


def _without(kernels: set[str], found: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    *tuned, portable = found
    return (*(one for one in tuned if one.call.kernel not in kernels), portable)


for _module in iter_modules(__path__):
    if not _module.name.startswith("_"):
        import_module(f"{__name__}.{_module.name}")
