"""What each layer costs, as bars: cycles, stalls by cause, multiply-accumulates, energy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tinysim.report._html.words import CAUSES, joules, number, percent, share
from tinysim.simulator.profile import Counters, Profile


@dataclass(frozen=True)
class Piece:
    """A part of a bar: its kind, where it begins, how long it is (of 100), what it says."""

    kind: str
    start: float
    width: float
    text: str


@dataclass(frozen=True)
class Bar:
    """A layer's bar; ``index`` is None for the code between layers."""

    index: int | None
    pieces: tuple[Piece, ...]
    value: str
    detail: str


@dataclass(frozen=True)
class Chart:
    """One of the charts: a bar a layer, and what its colours mean."""

    key: str
    label: str
    summary: str
    bars: tuple[Bar, ...]
    legend: Mapping[str, str]


def charts(profile: Profile) -> tuple[Chart, ...]:
    """Return the charts that one can switch between."""
    made = [_cycles(profile), _stalls(profile), _macs(profile)]
    return (*made, _energy(profile)) if profile.energy else tuple(made)


def pieces(parts: Mapping[str, int], whole: float) -> tuple[Piece, ...]:
    """Put parts one after another; ``whole`` is as long as a bar can be."""
    laid, start = [], 0.0
    for kind, amount in parts.items():
        width = 100 * amount / max(1, whole)
        laid.append(Piece(kind, round(start, 3), round(width, 3), f"{kind} {amount:,}"))
        start += width
    return tuple(laid)


def _rows(profile: Profile) -> list[tuple[int | None, Counters, int]]:
    rows = [(layer.index, layer.counters, layer.macs) for layer in profile.layers]
    return [*rows, (None, profile.runtime, 0)]


def _largest(values: Iterable[int]) -> int:
    return max(values, default=1)


def _stalled(counters: Counters) -> int:
    return sum(counters.stalls.values())


def _cycles(profile: Profile) -> Chart:
    most = _largest(counters.cycles for _, counters, _ in _rows(profile))
    bars = tuple(
        Bar(
            index,
            pieces({"issue": counters.issue_cycles, "stalled": _stalled(counters)}, most),
            number(counters.cycles),
            percent(share(counters.cycles, profile)),
        )
        for index, counters, _ in _rows(profile)
    )
    issue = share(profile.total.issue_cycles, profile)
    return Chart(
        "cycles",
        "Cycles",
        f"{number(profile.cycles)} cycles: in {percent(issue)} an instruction starts, in "
        f"{percent(1 - issue if profile.cycles else 0.0)} the core waits.",
        bars,
        {"issue": CAUSES["issue"], "stalled": "no instruction can start"},
    )


def _stalls(profile: Profile) -> Chart:
    most = _largest(_stalled(counters) for _, counters, _ in _rows(profile))
    bars = []
    for index, counters, _ in _rows(profile):
        parts = {cause: counters.stalls.get(cause, 0) for cause in CAUSES if cause != "issue"}
        stalled = _stalled(counters)
        of_own = percent(stalled / max(1, counters.cycles))
        laid = pieces({cause: parts[cause] for cause in parts if parts[cause]}, most)
        bars.append(Bar(index, laid, number(stalled), of_own))
    total = profile.total.stalls
    causes = {cause: CAUSES[cause] for cause in CAUSES if total.get(cause)}
    first = sorted(causes, key=lambda cause: -total[cause])[:3]
    named = ", ".join(f"{cause} {percent(share(total[cause], profile))}" for cause in first)
    summary = "Nothing stalls."
    if first:
        summary = f"Of all cycles, {named}. Beside each layer: the share of its own cycles."
    return Chart("stalls", "Stalls by cause", summary, tuple(bars), causes)


def _macs(profile: Profile) -> Chart:
    most = _largest(macs for _, _, macs in _rows(profile))
    bars = tuple(
        Bar(
            index,
            pieces({"macs": macs}, most) if macs else (),
            number(macs) if macs else "none",
            f"{counters.cycles / macs:.2f} cycles" if macs else "",
        )
        for index, counters, macs in _rows(profile)
    )
    busy = sum(counters.cycles for _, counters, macs in _rows(profile) if macs)
    each = f", {busy / profile.macs:.2f} cycles each where there are any" if profile.macs else ""
    summary = f"{number(profile.macs)} multiply-accumulates{each}."
    return Chart("macs", "MACs", summary, bars, {})


def _energy(profile: Profile) -> Chart:
    assert profile.energy is not None
    most = _largest(counters.cycles for _, counters, _ in _rows(profile))
    typical = profile.energy.typical_j
    bars = tuple(
        Bar(
            index,
            pieces({"energy": counters.cycles}, most),
            joules(typical * share(counters.cycles, profile)),
            percent(share(counters.cycles, profile)),
        )
        for index, counters, _ in _rows(profile)
    )
    summary = (
        f"{joules(typical)} an inference, shared out by time: power hardly differs between layers."
    )
    return Chart("energy", "Energy", summary, bars, {})
