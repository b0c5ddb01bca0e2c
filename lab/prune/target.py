"""What pruning aims at: ``latency<50ms@nano33ble``, ``macs<25%``; and what a model costs in it.

A simulation takes about a second and hardly depends on weights, so that models can be tried on the
board before they are trained.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinysim.api import run
from tinysim.boards import load_board
from tinysim.budget import METRICS
from tinysim.budget.measure import measure
from tinysim.budget.units import read, read_unit, write
from tinysim.errors import RecipeError
from tinysim.lab.prune.counted import count_parameters, layer_macs, sizes_with
from tinysim.lab.prune.groups import Group
from tinysim.lab.prune.remove import remove
from tinysim.lab.quantize.convert import convert

if TYPE_CHECKING:
    import keras

    from tinysim.simulator.profile import Profile

#: Metrics that are counted, as shares of the model before.
COUNTED = ("parameters", "macs")
#: Metrics that are simulated on a board.
SIMULATED = tuple(name for name, unit in METRICS.items() if unit != "share" and name != "fits")

_WRITTEN = re.compile(r"\s*(\w+)\s*<=?\s*([^@<]+?)\s*(?:@\s*(\S+)\s*)?")
_EXAMPLE = "write it like latency<50ms@nano33ble, flash<256KiB@rpi_pico, parameters<10% or macs<25%"


class TargetError(RecipeError):
    """A target that pruning cannot reach: ``nearest`` is how near it comes."""

    exit_code = 1

    def __init__(self, what: str, *, where: str, fix: str, nearest: float) -> None:
        super().__init__(what, where=where, fix=fix)
        self.nearest = nearest


@dataclass(frozen=True)
class Target:
    """A metric must be no more than a value.

    The value is in the metric's unit; for what is counted, a share of the model before. Only what
    is simulated has a board.
    """

    metric: str
    value: float
    board: str | None = None

    def __str__(self) -> str:
        on = "" if self.board is None else f" on {self.board}"
        return f"{self.metric} < {write(self.value, self.unit)}{on}"

    @property
    def unit(self) -> str:
        """The unit of ``value``."""
        return METRICS.get(self.metric, "share")


def parse_target(text: str) -> Target:
    """Read a target.

    Raises
    ------
    RecipeError
        If it cannot be meant.
    BoardError
        If there is no such board.
    """
    where = f"target {text!r}"
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise RecipeError("it is no target", where=where, fix=_EXAMPLE)
    metric, value, board = match.groups()
    if metric not in (*COUNTED, *SIMULATED):
        raise RecipeError(
            f"{metric!r} is nothing to aim at",
            where=where,
            fix=f"one of {', '.join((*COUNTED, *SIMULATED))}",
        )
    if (metric in SIMULATED) != (board is not None):
        needs = "is simulated: it needs a board" if board is None else "is the same on all boards"
        raise RecipeError(f"{metric} {needs}", where=where, fix=_EXAMPLE)
    try:
        amount = read_unit(value, "share") if metric in COUNTED else read(value, metric)
    except ValueError as error:
        raise RecipeError(str(error), where=where, fix=_EXAMPLE) from error
    if not amount:
        raise RecipeError("nothing costs nothing", where=where, fix="aim at more than 0")
    if board is not None:
        load_board(board)
    return Target(metric, amount, board)


class Bench:
    """What models cost in one metric on one board, or counted.

    Models of the same shapes are simulated once, ``simulations`` counts them. The compiler is told
    to keep channels that are the same for every input: training may wake them.
    """

    def __init__(self, metric: str, board: str | None, calibration: NDArray[np.float32]) -> None:
        self.metric, self.board, self.calibration = metric, board, calibration
        self.simulations = 0
        self._known: dict[Any, Profile] = {}

    def cost(self, model: keras.Model) -> float:
        """Return what a model costs: in the metric's unit, or a count.

        Raises
        ------
        RecipeError
            If it is energy, and the board's power is not known.
        """
        return self.cost_with(model, (), {})

    def cost_with(
        self, model: keras.Model, groups: Sequence[Group], kept: Mapping[str, NDArray[np.int64]]
    ) -> float:
        """Return what a model costs when groups keep some of their units only."""
        if self.board is None:
            sizes = sizes_with(model, groups, kept)
            if self.metric == "macs":
                return float(sum(layer_macs(model, sizes).values()))
            return float(count_parameters(model, sizes))
        measured = measure(self.profile(remove(model, kept) if kept else model), self.metric)
        if measured is None:
            raise RecipeError(
                "its power is not known", where=f"board {self.board}", fix="aim at latency"
            )
        return measured.value

    def profile(self, model: keras.Model) -> Profile:
        """Simulate a model as int8 on the board, or return what a model of its shapes had."""
        assert self.board is not None
        key = tuple((weight.path, tuple(weight.shape)) for weight in model.weights)
        if key not in self._known:
            self.simulations += 1
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.tflite"
                path.write_bytes(convert(model, "int8", self.calibration))
                self._known[key] = run(path, self.board, keeps_constant_channels=True)
        return self._known[key]

    def said(self, cost: float) -> str:
        """Return a cost in words."""
        if self.board is None:
            return f"{round(cost):,} {'MACs' if self.metric == 'macs' else self.metric}"
        return f"{self.metric} {write(cost, METRICS[self.metric])} on {self.board}"

    def largest(self, model: keras.Model) -> str:
        """Return in words what most of a model's cost is."""
        if self.board is not None:
            return _largest(self.profile(model), self.metric)
        by_layer = {layer.name: layer.count_params() for layer in model.layers}
        counts = layer_macs(model) if self.metric == "macs" else by_layer
        name = max(counts, key=lambda one: counts[one])
        return f"{name} has {counts[name] / max(1, sum(counts.values())):.0%} of them"


def _largest(profile: Profile, metric: str) -> str:
    """Return in words what takes the most bytes, or cycles."""
    if METRICS[metric] == "B":
        kind = "flash" if metric in ("flash", "weights", "code") else "ram"
        region = max((r for r in profile.regions if r.kind == kind), key=lambda r: r.used_bytes)
        return f"{region.largest} takes {region.used[region.largest]:,} B of {region.name}"
    slowest = max(profile.layers, key=lambda layer: layer.counters.cycles)
    share = slowest.counters.cycles / max(1, profile.cycles)
    return f"{slowest.op} {slowest.name} takes {share:.0%} of the cycles"
