"""Under what conditions the numbers hold: what would have to be the same to get them again."""

from __future__ import annotations

from collections.abc import Iterator

from tinysim.report._html.words import GRADES, number
from tinysim.report._table import tuning_lines
from tinysim.simulator.profile import Profile

#: How closely time was followed.
FIDELITY = {
    1: "the core alone",
    2: "the core and instruction fetches",
    3: "the core, instruction fetches and data",
}


def conditions(profile: Profile) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what each condition is called, and its lines."""
    return tuple((term, tuple(lines)) for term, lines in _rows(profile) if lines)


def _rows(profile: Profile) -> Iterator[tuple[str, list[str]]]:
    timing, tools = profile.timing, profile.toolchain
    yield "Model", [profile.model_name, _hash(profile.model_sha256)]
    yield "Board", [f"{profile.board_title} ({profile.board})", _hash(profile.board_sha256)]
    yield "Core", [f"{profile.core} at {profile.clock_hz / 1e6:g} MHz", _hash(profile.core_sha256)]
    yield "Wait states", [f"{one.name}: {one.wait_states}" for one in profile.regions]
    yield "Compiler", [tools.version, " ".join(tools.flags)]
    yield (
        "Timing",
        [
            f"grade {timing.grade}, {GRADES.get(timing.grade, 'unknown')}: {timing.source}",
            f"error {timing.error_low:+.1%} to {timing.error_high:+.1%} of the measured time",
            f"fidelity {timing.fidelity}: {FIDELITY.get(timing.fidelity, 'unknown')}",
        ],
    )
    if profile.energy:
        yield "Power", [profile.energy.mode, profile.energy.source]
    yield "Output compared with", [profile.output_check.oracle]
    startup = profile.startup
    yield "Start-up, not counted above", [f"{number(startup.cycles)} cycles before the inference"]
    yield "Removed from the model", list(profile.removed)
    yield "Tuning", [] if profile.tuning is None else tuning_lines(profile.tuning)
    yield "tinysim", [profile.tinysim_version]


def _hash(sha256: str) -> str:
    return f"SHA-256 {sha256}"
