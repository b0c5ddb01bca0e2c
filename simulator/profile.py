"""What a simulation found: the only thing that reports see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from tinysim.firmware import TensorInfo, TensorPlacement, Toolchain
from tinysim.simulator.tuning import Tuning

#: Why a cycle passed without an instruction starting; the order in which reports list them.
STALLS = (
    "load",
    "store",
    "transfer",
    "address",
    "multiply",
    "divide",
    "fpu",
    "branch",
    "fetch",
    "flash",
    "data",
    "system",
)


@dataclass(frozen=True)
class Counters:
    """Cycles by cause: ``cycles == issue_cycles + sum(stalls.values())``."""

    instructions: int
    issue_cycles: int
    stalls: Mapping[str, int]

    @property
    def cycles(self) -> int:
        """All cycles."""
        return self.issue_cycles + sum(self.stalls.values())

    @staticmethod
    def total(parts: Iterable[Counters]) -> Counters:
        """Add counters up, cause by cause."""
        instructions = issue = 0
        stalls = dict.fromkeys(STALLS, 0)
        for part in parts:
            instructions += part.instructions
            issue += part.issue_cycles
            for cause, cycles in part.stalls.items():
                stalls[cause] += cycles
        return Counters(instructions, issue, stalls)


@dataclass(frozen=True)
class LayerProfile:
    """What one layer cost.

    ``tensor`` is the whole name of the first output in the model file, by which other tools know
    it; ``name`` is cut to be shown.
    """

    index: int
    name: str
    op: str
    kernel: str
    output_shape: tuple[int, ...]
    macs: int
    counters: Counters
    tensor: str = ""


@dataclass(frozen=True)
class Timing:
    """How far the cycle count can be trusted.

    ``grade``: A checked on this board, B checked on this core, C from manuals only. The error is
    ``(simulated - measured) / measured`` and expected within ``[error_low, error_high]``.
    """

    grade: str
    error_low: float
    error_high: float
    fidelity: int
    source: str


@dataclass(frozen=True)
class RegionUse:
    """How full one memory region is, by cause."""

    name: str
    kind: str
    base: int
    size_bytes: int
    reserved_bytes: int
    wait_states: int
    used: Mapping[str, int]

    @property
    def used_bytes(self) -> int:
        """Bytes used of the region."""
        return sum(self.used.values())

    @property
    def usable_bytes(self) -> int:
        """Bytes of the region that the application may use."""
        return self.size_bytes - self.reserved_bytes

    @property
    def overflow_bytes(self) -> int:
        """Bytes by which the region is too small; 0 if it is not."""
        return max(0, self.used_bytes - self.usable_bytes)

    @property
    def largest(self) -> str:
        """What takes most of the region."""
        return max(self.used, key=lambda cause: self.used[cause], default="nothing")


@dataclass(frozen=True)
class Energy:
    """Joules of one inference, and the supply mode that the power was measured in."""

    low_j: float
    typical_j: float
    high_j: float
    mode: str
    source: str


@dataclass(frozen=True)
class OutputCheck:
    """How the device's output compares with the host's: ``exact``, ``close`` or ``mismatch``.

    ``max_ulp`` is the largest distance: in units in the last place of the largest float, or in
    steps of integers.
    """

    status: str
    oracle: str
    max_ulp: int = 0


@dataclass(frozen=True)
class FunctionProfile:
    """What one function cost: itself, and with all that it called."""

    name: str
    address: int
    calls: int
    own: Counters
    inclusive_cycles: int


@dataclass(frozen=True)
class Hotspot:
    """An instruction and how often it was executed; ``line`` is of the source, if known."""

    address: int
    executions: int
    text: str
    function: str
    line: str = ""


@dataclass(frozen=True)
class HotInstruction:
    """An instruction of a loop and what all of its executions cost, waits for memory apart."""

    address: int
    text: str
    counters: Counters

    @property
    def executions(self) -> int:
        """How often it was executed."""
        return self.counters.instructions


@dataclass(frozen=True)
class HotLoop:
    """An innermost loop: where its cycles went, and its instructions in order of address.

    ``layers`` are the indices of the layers that run it; ``end`` is the first address behind it.
    ``counters`` have waits for memory, which are known of the loop, not of its instructions.
    """

    function: str
    start: int
    end: int
    layers: tuple[int, ...]
    iterations: int
    counters: Counters
    body: tuple[HotInstruction, ...]


@dataclass(frozen=True)
class Published:
    """What others have published for the same model on the same board."""

    stack: str
    latency_s: float
    energy_j: float | None
    source: str


@dataclass(frozen=True)
class FirmwareProfile:
    """What a stretch of foreign firmware cost on one board.

    ``window`` says what was measured. ``exception_cycles`` and ``sleep_cycles`` are spent outside
    of instructions and are part of ``cycles``.
    """

    tinysim_version: str
    image_name: str
    image_sha256: str
    board: str
    board_title: str
    core: str
    clock_hz: int
    clock_source: str
    timing: Timing
    window: str
    total: Counters
    exception_cycles: int
    sleep_cycles: int
    functions: tuple[FunctionProfile, ...]
    paths: tuple[tuple[tuple[str, ...], int], ...]
    hottest: tuple[Hotspot, ...]
    stack_bytes: int | None
    console: bytes
    notes: tuple[str, ...]

    @property
    def cycles(self) -> int:
        """All cycles of the window."""
        return self.total.cycles + self.exception_cycles + self.sleep_cycles

    @property
    def latency_s(self) -> float:
        """Seconds of the window at the clock that the firmware runs at."""
        return self.cycles / self.clock_hz


@dataclass(frozen=True, eq=False)
class Profile:
    """One inference on one board."""

    tinysim_version: str
    model_name: str
    model_sha256: str
    board: str
    board_title: str
    board_sha256: str
    core: str
    core_sha256: str
    clock_hz: int
    toolchain: Toolchain
    timing: Timing
    layers: tuple[LayerProfile, ...]
    runtime: Counters
    startup: Counters
    regions: tuple[RegionUse, ...]
    arena_bytes: int
    arena_lower_bound_bytes: int
    stack_bytes: int
    stack_written_bytes: int
    arena_written_bytes: int
    input_infos: tuple[TensorInfo, ...]
    output_infos: tuple[TensorInfo, ...]
    inputs: tuple[NDArray[Any], ...]
    outputs: tuple[NDArray[Any], ...]
    energy: Energy | None
    output_check: OutputCheck
    removed: tuple[str, ...]
    bank_cycles: Mapping[str, int] = field(default_factory=dict)
    tuning: Tuning | None = None
    tensors: tuple[TensorPlacement, ...] = ()
    functions: tuple[FunctionProfile, ...] = ()
    paths: tuple[tuple[tuple[str, ...], int], ...] = ()
    loops: tuple[HotLoop, ...] = ()
    published: tuple[Published, ...] = ()

    @property
    def total(self) -> Counters:
        """All layers and the runtime between them."""
        return Counters.total([*(layer.counters for layer in self.layers), self.runtime])

    @property
    def cycles(self) -> int:
        """Core cycles of one inference."""
        return self.total.cycles

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def latency_s(self) -> float:
        """Seconds of one inference at the board's clock."""
        return self.cycles / self.clock_hz

    @property
    def latency_band_s(self) -> tuple[float, float]:
        """Seconds between which a board is expected to take.

        The error is (simulated - measured) / measured, so measured = simulated / (1 + error).
        """
        timing = self.timing
        return self.latency_s / (1 + timing.error_high), self.latency_s / (1 + timing.error_low)

    def energy_j(self, cycles: int) -> float | None:
        """Joules that so many cycles typically take; None if the board's power is unknown."""
        return self.energy.typical_j * cycles / self.cycles if self.energy else None

    def used_bytes(self, kind: str, *causes: str) -> int:
        """Bytes used of all ``flash`` or ``ram`` regions, for the given causes or for all."""
        return sum(
            size
            for region in self.regions
            if region.kind == kind
            for cause, size in region.used.items()
            if not causes or cause in causes
        )

    @property
    def io_bytes(self) -> int:
        """Bytes of inputs and outputs; they lie inside the arena."""
        return sum(info.size_bytes for info in (*self.input_infos, *self.output_infos))

    @property
    def overflows(self) -> tuple[RegionUse, ...]:
        """Regions that are too small."""
        return tuple(region for region in self.regions if region.overflow_bytes)

    @property
    def fits(self) -> bool:
        """Whether everything fits the board."""
        return not self.overflows

    @property
    def verdict(self) -> str:
        """``FITS``, or by how many bytes it does not and what is largest."""
        if self.fits:
            return "FITS"
        parts = ", ".join(
            f"{region.name} over by {region.overflow_bytes:,} B (largest: {region.largest}, "
            f"{region.used[region.largest]:,} B)"
            for region in self.overflows
        )
        return f"DOES NOT FIT: {parts}"
