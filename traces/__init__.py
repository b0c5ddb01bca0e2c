"""Runs that were measured on real boards, and what the same program costs here.

One TOML file a board: the folder is the registry. Each row says what was measured under which
conditions, by whom, and what was simulated; programs themselves are mostly not ours to keep, so a
row knows its image by its hash (see ``rerun.py``).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.resources import files

from tinysim.errors import MeasurementError

_HERE = files("tinysim.traces")


@dataclass(frozen=True)
class Measurement:
    """One program on one board.

    ``toolchain`` is ``exact image`` where the very bytes that were measured are simulated.
    ``is_rebuilt`` says that another compiler made the program than the one that was measured: such
    rows are shown, and count only where there are no others. ``script`` is said to the firmware
    first, and the window is what ``call`` or ``function``, or ``start`` and ``end`` (places), say;
    it is measured the ``repeat``-th time. ``flash`` says how the memory was set up. Cycles are
    those of one execution of the window.
    """

    board: str
    workload: str
    toolchain: str
    flash: str
    clock_hz: int
    measured_cycles: int
    simulated_cycles: int
    image_sha256: str
    source: str
    is_rebuilt: bool = False
    call: str | None = None
    function: str | None = None
    start: str | None = None
    end: str | None = None
    repeat: int = 2
    script: str = ""

    @property
    def error(self) -> float:
        """``(simulated - measured) / measured``."""
        return self.simulated_cycles / self.measured_cycles - 1


@dataclass(frozen=True)
class Trace:
    """What was measured on a board; ``fingerprint`` is that of the tables it was simulated with."""

    board: str
    fingerprint: str
    measurements: tuple[Measurement, ...]


def measured_boards() -> tuple[str, ...]:
    """Return the names of the boards on which something was measured, sorted."""
    return tuple(sorted(path.name[:-5] for path in _HERE.iterdir() if path.name.endswith(".toml")))


@lru_cache
def load_trace(board: str) -> Trace:
    """Read ``traces/<board>.toml``.

    Raises
    ------
    MeasurementError
        If there is none, or a row is not complete.
    """
    where = f"traces/{board}.toml"
    if board not in measured_boards():
        raise MeasurementError(
            "nothing was measured on it", where=where, fix=f"known: {', '.join(measured_boards())}"
        )
    try:
        table = tomllib.loads((_HERE / f"{board}.toml").read_text(encoding="utf-8"))
        common = table.get("common", {})
        rows = [{"board": board, **common, **row} for row in table["measurement"]]
        trace = Trace(board, table["fingerprint"], tuple(Measurement(**row) for row in rows))
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        what = str(error).replace("Measurement.__init__() ", "a row ")
        raise MeasurementError(what, where=where, fix="complete the row") from error
    for row in trace.measurements:
        empty = [field.name for field in fields(row) if getattr(row, field.name) == ""]
        if set(empty) - {"script"} or min(row.measured_cycles, row.simulated_cycles) < 1:
            raise MeasurementError(
                f"{row.workload}: a value is missing", where=where, fix="complete the row"
            )
    return trace
