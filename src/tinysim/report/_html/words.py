"""Numbers and names as the page writes them, and what its words for cycles mean."""

from __future__ import annotations

from tinysim.report import _table
from tinysim.simulator.profile import Counters, Profile

#: Where a cycle went -> what that means, in the order in which bars stack them.
CAUSES = {
    "issue": "an instruction starts: the work itself",
    "load": "waiting for a loaded value",
    "store": "a store that takes longer",
    "transfer": "further words of multiple loads and stores",
    "address": "waiting for an address that was just computed",
    "multiply": "multiplications longer than one cycle",
    "divide": "divisions",
    "fpu": "the floating-point unit",
    "branch": "refilling the pipeline behind branches",
    "fetch": "instructions that straddle words",
    "flash": "instruction memory's wait states",
    "data": "data memory's wait states and bus conflicts",
    "system": "barriers and system instructions",
}

#: Keeps a number and its unit together.
SPACE = "\N{NO-BREAK SPACE}"

GRADES = {
    "A": "checked on this board",
    "B": "checked on boards with this core",
    "C": "from manuals only",
}


def number(value: int) -> str:
    """Write a whole number with separators."""
    return f"{value:,}"


def exact(value_bytes: int) -> str:
    """Write bytes to the last one."""
    return f"{value_bytes:,}{SPACE}B"


def percent(share: float) -> str:
    """Write a share; what is not nothing is not shown as nothing."""
    text = "<0.1" if 0 < share < 0.0005 else f"{share * 100:.1f}"
    return f"{text}{SPACE}%"


def size(value_bytes: float) -> str:
    """Write bytes in the largest unit that keeps them readable."""
    for factor, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if value_bytes >= factor:
            return f"{value_bytes / factor:.4g}{SPACE}{unit}"
    return f"{value_bytes:.0f}{SPACE}B"


def seconds(value_s: float) -> str:
    """Write a time, in one piece."""
    return _table.si(value_s, "s").replace(" u", " µ").replace(" ", SPACE)


def joules(value_j: float) -> str:
    """Write an energy, in one piece."""
    return _table.si(value_j, "J").replace(" u", " µ").replace(" ", SPACE)


def short(name: str) -> str:
    """Shorten a name as converters make them: of what was fused, the end of the first path."""
    return "/".join(name.split(";")[0].split("/")[-2:])


def shape(sizes: tuple[int, ...]) -> str:
    """Write a tensor's shape."""
    return "\N{MULTIPLICATION SIGN}".join(map(str, sizes)) or "scalar"


def layers(indices: tuple[int, ...]) -> str:
    """Name layers by their indices, runs of them by the first and last."""
    spans: list[list[int]] = []
    for index in indices:
        if spans and spans[-1][1] == index - 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    text = ", ".join(str(a) if a == b else f"{a}\N{EN DASH}{b}" for a, b in spans)
    return f"layer{'s' if len(indices) > 1 else ''} {text}" if spans else "outside of layers"


def by_cause(counters: Counters) -> dict[str, int]:
    """Return the cycles of each cause that has some, in the order of ``CAUSES``."""
    found = {"issue": counters.issue_cycles, **counters.stalls}
    return {cause: found[cause] for cause in CAUSES if found.get(cause)}


def mostly(counters: Counters) -> str:
    """Return the cause of most stalled cycles."""
    return max(counters.stalls, key=lambda cause: counters.stalls[cause], default="")


def share(cycles: int, profile: Profile) -> float:
    """Return a share of all cycles."""
    return cycles / max(1, profile.cycles)


FILTERS = {
    "number": number,
    "exact": exact,
    "percent": percent,
    "size": size,
    "seconds": seconds,
    "joules": joules,
    "short": short,
    "shape": shape,
    "layers": layers,
    "by_cause": by_cause,
    "mostly": mostly,
}
