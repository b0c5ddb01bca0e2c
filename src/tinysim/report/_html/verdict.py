"""What one wants to know first: does it fit, how fast, how much energy, is it right."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.report._html.words import GRADES, exact, joules, number, percent, seconds, size
from tinysim.simulator.profile import Profile, RegionUse

#: How a figure stands: nothing to say, good, or bad.
PLAIN, GOOD, BAD = "plain", "good", "bad"


@dataclass(frozen=True)
class Figure:
    """One of the numbers at the top."""

    label: str
    value: str
    details: tuple[str, ...]
    state: str = PLAIN


def headline(profile: Profile) -> str:
    """Say in one sentence whether it fits."""
    if profile.fits:
        free = min((1 - _filled(region) for region in profile.regions if region.used), default=1.0)
        return f"Everything fits; the fullest memory has {percent(max(0.0, free))} left."
    parts = (
        f"{region.name} is too small by {exact(region.overflow_bytes)}; most of it is "
        f"{region.largest}, {exact(region.used[region.largest])}"
        for region in profile.overflows
    )
    return "; ".join(parts) + "."


def figures(profile: Profile) -> tuple[Figure, ...]:
    """Return the numbers at the top."""
    return (
        _latency(profile),
        _energy(profile),
        _memory(profile, "ram", "RAM"),
        _memory(profile, "flash", "Flash"),
        _output(profile),
    )


def _latency(profile: Profile) -> Figure:
    fastest, slowest = profile.latency_band_s
    timing = profile.timing
    return Figure(
        "Latency",
        seconds(profile.latency_s),
        (
            f"{seconds(fastest)} to {seconds(slowest)} on the board",
            f"grade {timing.grade}: {GRADES.get(timing.grade, 'unknown')}",
            f"{number(profile.cycles)} cycles",
        ),
    )


def _energy(profile: Profile) -> Figure:
    if profile.energy is None:
        return Figure("Energy", "unknown", ("this board has no measured power",))
    energy = profile.energy
    return Figure(
        "Energy",
        joules(energy.typical_j),
        (f"{joules(energy.low_j)} to {joules(energy.high_j)} an inference",),
    )


def _memory(profile: Profile, kind: str, label: str) -> Figure:
    regions = [one for one in profile.regions if one.kind == kind and one.used_bytes]
    used = sum(one.used_bytes for one in regions)
    over = sum(one.overflow_bytes for one in regions)
    usable = sum(one.usable_bytes for one in regions)
    details = [f"{exact(used)} of {size(usable)}, {percent(used / max(1, usable))}"]
    if over:
        details.append(f"too much by {exact(over)}")
    elif kind == "ram":
        details.append(f"arena {size(profile.arena_bytes)}, stack {size(profile.stack_bytes)}")
    else:
        weights = profile.used_bytes(kind, "weights")
        details.append(f"weights {size(weights)}, the rest {size(used - weights)}")
    return Figure(label, size(used), tuple(details), BAD if over else PLAIN)


def _output(profile: Profile) -> Figure:
    check = profile.output_check
    value, state = {
        "exact": ("equal", GOOD),
        "close": (f"within {check.max_ulp} ULP", GOOD),
        "mismatch": ("WRONG", BAD),
    }.get(check.status, ("not checked", PLAIN))
    distance = (f"differs by {check.max_ulp}",) if state == BAD else ()
    return Figure("Output", value, (*distance, f"against {check.oracle}"), state)


def _filled(region: RegionUse) -> float:
    return region.used_bytes / max(1, region.usable_bytes)
