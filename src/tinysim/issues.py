"""What a run should not be trusted for, by codes that stay the same from version to version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinysim.simulator.profile import Profile

#: What issues make of a run, the mildest first: its numbers hold, hold if, or do not hold.
VALID, DEGRADED, INVALID = VALIDITIES = ("valid", "degraded", "invalid")

#: Code -> what it makes of the run, and what it means.
CODES = {
    "TS-OUTPUT-MISMATCH": (INVALID, "the device's output differs from the host's"),
    "TS-OUTPUT-UNCHECKED": (DEGRADED, "the device's output was not compared with the host's"),
    "TS-OUTPUT-ROUNDED": (VALID, "floats of the output are rounded otherwise than the host's"),
    "TS-FLASH-OVERFLOW": (DEGRADED, "the numbers are those of a board with more flash"),
    "TS-RAM-OVERFLOW": (DEGRADED, "the numbers are those of a board with more RAM"),
    "TS-GRADE-B": (VALID, "cycles were checked on this core, on another board"),
    "TS-GRADE-C": (DEGRADED, "cycles come from manuals and were checked on no board"),
    "TS-ENERGY-UNKNOWN": (VALID, "the board has no measured power"),
    "TS-BANK-CYCLES": (VALID, "a bank of RAM costs cycles that another would not"),
}


@dataclass(frozen=True)
class Issue:
    """One thing to know before a run is trusted; ``validity`` is the best that the run can be."""

    code: str
    validity: str
    message: str


def issues_of(profile: Profile) -> tuple[Issue, ...]:
    """Return all issues of a run, in the order of ``CODES``."""
    found = dict(_found(profile))
    return tuple(
        Issue(code, validity, f"{meaning}: {found[code]}" if found[code] else meaning)
        for code, (validity, meaning) in CODES.items()
        if code in found
    )


def validity_of(issues: Sequence[Issue]) -> str:
    """Return the worst that the issues make of a run."""
    return max((issue.validity for issue in issues), key=VALIDITIES.index, default=VALID)


def _found(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield codes, and what is to be said of this run besides their meaning."""
    check = profile.output_check
    output = {"mismatch": "MISMATCH", "close": "ROUNDED", "exact": ""}.get(
        check.status, "UNCHECKED"
    )
    if output:
        yield f"TS-OUTPUT-{output}", f"up to {check.max_ulp:,} apart" if check.max_ulp else ""
    for kind in ("flash", "ram"):
        over = [region for region in profile.overflows if region.kind == kind]
        if over:
            sizes = ", ".join(f"{region.name} by {region.overflow_bytes:,} B" for region in over)
            yield f"TS-{kind.upper()}-OVERFLOW", sizes
    if profile.timing.grade != "A":
        yield f"TS-GRADE-{profile.timing.grade}", profile.timing.source
    if profile.energy is None:
        yield "TS-ENERGY-UNKNOWN", ""
    if profile.bank_cycles:
        costs = (f"{bank} {cycles:,}" for bank, cycles in profile.bank_cycles.items())
        yield "TS-BANK-CYCLES", ", ".join(costs)
