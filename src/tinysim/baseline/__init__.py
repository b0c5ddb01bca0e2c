"""Baselines: what a model cost when that was last accepted, and what has changed since.

A baseline is the JSON of a profile. ``Record`` is what comparisons take from it, ``Comparison``
what they find: counts are exact, so a single cycle shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: Totals that are compared -> their unit; the words of ``tinysim.budget.METRICS``, and a few more.
TOTALS = {
    "latency": "s",
    "cycles": "cycles",
    "energy": "J",
    "ram": "B",
    "arena": "B",
    "stack": "B",
    "static": "B",
    "flash": "B",
    "weights": "B",
    "code": "B",
    "runtime": "B",
    "instructions": "instructions",
    "macs": "MACs",
}


@dataclass(frozen=True)
class RecordedLayer:
    """One layer of a record."""

    index: int
    name: str
    op: str
    kernel: str
    output_shape: tuple[int, ...]
    cycles: int

    @property
    def identity(self) -> tuple[int, str, str, tuple[int, ...]]:
        """What must be the same for two layers to be compared; their kernels may differ."""
        return self.index, self.name, self.op, self.output_shape


@dataclass(frozen=True)
class Record:
    """What a profile says, as far as comparisons go.

    ``where`` names the file or model that it comes from, ``totals`` is by ``TOTALS`` (None:
    unknown), ``causes`` are cycles by cause and ``conditions`` what numbers depend on besides.
    """

    where: str
    model_name: str
    model_sha256: str
    board: str
    conditions: Mapping[str, str]
    totals: Mapping[str, float | None]
    causes: Mapping[str, int]
    layers: tuple[RecordedLayer, ...]
    between_layers_cycles: int


@dataclass(frozen=True)
class Delta:
    """A quantity before and after; None where it is unknown."""

    name: str
    unit: str
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """By how much it grew; None if either side is unknown."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def share(self) -> float | None:
        """Growth in shares of what was before; None where that makes no sense."""
        if self.change is None or not self.before:
            return None
        share = self.change / self.before
        return share if math.isfinite(share) else None

    @property
    def is_changed(self) -> bool:
        """Whether both sides differ at all."""
        return self.before != self.after


@dataclass(frozen=True)
class LayerDelta:
    """One layer before and after."""

    before: RecordedLayer
    after: RecordedLayer

    @property
    def cycles(self) -> Delta:
        """Its cycles."""
        return Delta(self.after.name, "cycles", self.before.cycles, self.after.cycles)

    @property
    def is_changed(self) -> bool:
        """Whether its cycles or its kernel differ."""
        return self.cycles.is_changed or self.before.kernel != self.after.kernel


@dataclass(frozen=True)
class Condition:
    """Something that numbers depend on, and that differs."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """What has changed between two records.

    ``layers`` is empty where the layers are not the same, and ``topology`` then says so.
    """

    before: Record
    after: Record
    conditions: tuple[Condition, ...]
    totals: tuple[Delta, ...]
    causes: tuple[Delta, ...]
    layers: tuple[LayerDelta, ...]
    between_layers: Delta
    topology: str | None

    @property
    def is_changed(self) -> bool:
        """Whether any number differs."""
        deltas = (*self.totals, *self.causes, self.between_layers)
        return (
            self.topology is not None
            or any(delta.is_changed for delta in deltas)
            or any(layer.is_changed for layer in self.layers)
        )

    def total(self, name: str) -> Delta:
        """Return one of the totals."""
        return next(delta for delta in self.totals if delta.name == name)
