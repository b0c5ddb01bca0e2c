"""How many samples a model gets right: on the emulated board if they are few, else on the host."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.api import run_each
from tinysim.arrays import Samples, read_samples
from tinysim.cache import Cache, key_of
from tinysim.compiler import DEFAULT
from tinysim.compiler.graph import Graph
from tinysim.compiler.passes.rounding import with_rounding
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import Reference
from tinysim.errors import InternalError, ModelError
from tinysim.records import dumps, loads
from tinysim.simulator import check_inputs
from tinysim.simulator.profile import Profile

#: Instructions that samples may take on the emulated board: a few seconds.
MOST_INSTRUCTIONS = 200_000_000
#: Samples that are computed there anyway, to see that the host computes the same.
COMPARED = 3

CACHE = Cache("accuracy", most_entries=1000, most_bytes=2**20)
_PARTS = ("compiler", "check", "simulator")


@dataclass(frozen=True)
class Accuracy:
    """So many samples are right; ``said`` is by whose computation."""

    right: int
    total: int
    said: str

    @property
    def share(self) -> float:
        """Share of the samples that are right."""
        return self.right / self.total


def accuracy_of(
    model: Path,
    board: str,
    data: Path,
    profile: Profile,
    choices: Mapping[str, Any],
    use_cache: bool,
) -> Accuracy:
    """Compare the largest output with each sample's class.

    Samples are computed in their order, as on a board: a model that keeps a state keeps it.

    Raises
    ------
    ModelError
        If the samples cannot be read, or do not go with the model.
    """
    samples = read_samples(data)
    _check(profile, samples, data)
    total = len(samples.y)
    few = total * profile.total.instructions <= MOST_INSTRUCTIONS
    count = total if few else min(COMPARED, total)
    outputs = [*_on_board(model, board, samples.x[:count], choices, use_cache)]
    if few:
        return Accuracy(_right(outputs, samples.y), total, "all samples ran on the emulated board")
    right = _on_host(model, samples, profile, choices.get("rounding", DEFAULT.rounding), use_cache)
    said = f"the host's reference computed them; the first {count} ran on the emulated board, too"
    return Accuracy(right, total, said)


def _check(profile: Profile, samples: Samples, data: Path) -> None:
    """Refuse what accuracy says nothing of."""
    inputs, outputs = profile.input_infos, profile.output_infos
    classes = int(np.prod(outputs[0].shape))
    if len(inputs) != 1:
        what = f"holds one array of samples, and the model has {len(inputs)} inputs"
    elif classes < 2:
        what = "holds classes, and the model's output is a single number"
    elif not 0 <= samples.y.min() <= samples.y.max() < classes:
        what = f"holds classes that are not among the model's {classes}"
    else:
        return
    raise ModelError(what, where=str(data), fix="measure the accuracy elsewhere")


def _on_board(
    model: Path, board: str, x: NDArray[Any], choices: Mapping[str, Any], use_cache: bool
) -> Iterable[NDArray[Any]]:
    """Yield the first output of each sample; cycles are of no interest."""
    batches = [[sample] for sample in x]
    quick = {**choices, "fidelity": 1}
    for profile in run_each(model, board, batches, use_cache=use_cache, **quick):
        if profile.output_check.status == "mismatch":
            raise InternalError(
                "the device's output differs from the host's",
                where=f"{model.name} on {board}",
                fix="please report it with the model",
            )
        yield profile.outputs[0]


def _on_host(
    model: Path, samples: Samples, profile: Profile, rounding: str, use_cache: bool
) -> int:
    """Return how many samples the host's reference gets right; boards share the answer."""
    graph = with_rounding(read_model(model), rounding)
    arrays = (samples.x, samples.y)
    said = [(a.dtype.str, a.shape, hashlib.sha256(a.tobytes()).hexdigest()) for a in arrays]
    key = key_of(_PARTS, graph.sha256, model.suffix, rounding, said)
    if use_cache:
        with suppress(ValueError):
            return loads(_Count, CACHE.read(key) or b"").right
    right = _right(_references(graph, samples.x, profile), samples.y)
    if use_cache:
        CACHE.write(key, dumps(_Count(right)))
    return right


def _references(graph: Graph, x: NDArray[Any], profile: Profile) -> Iterable[NDArray[Any]]:
    reference = Reference(graph)
    for sample in x:
        yield reference.infer(check_inputs(profile.input_infos, [sample], "x"))[0]


def _right(outputs: Iterable[NDArray[Any]], classes: NDArray[Any]) -> int:
    """Count the outputs whose largest number stands in the place of the class."""
    return sum(int(o.argmax()) == int(y) for o, y in zip(outputs, classes, strict=True))


@dataclass(frozen=True)
class _Count:
    """An entry of the cache."""

    right: int
