"""What quantization does to each layer: signal to noise, worst layers first.

Both sides are tinysim's own inference on the host: the integers as the device computes them, bit by
bit, and the same model in floats. The converter makes the same operators of both, one after the
other, so that they are matched by their order.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.compiler.graph import DType, Graph, Node, Tensor
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import Reference
from tinysim.errors import RecipeError

COLUMNS = ("layer", "operator", "shape", "SQNR", "lost here")
#: Operators that only change how a number is stored.
_STORING = ("Quantize", "Dequantize")


@dataclass(frozen=True)
class LayerError:
    """One layer's output beside that of the same layer in floats.

    Parameters
    ----------
    sqnr_db
        Power of the floats over that of the differences, in decibels: 6 more are a bit more.
        Infinite if there is no difference.
    lost_db
        How much less this is than that of its noisiest input: what the layer itself adds.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    sqnr_db: float
    lost_db: float

    @property
    def layer(self) -> str:
        """Name of the Keras layer, of the last one if several became one operator."""
        places = self.name.split(";")[0].split("/")
        return places[1].removesuffix("_1") if len(places) > 2 else self.name


def layer_errors(
    integers: bytes, floats: bytes, samples: NDArray[np.float32]
) -> tuple[LayerError, ...]:
    """Return the errors of all layers, the worst first.

    Parameters
    ----------
    integers, floats
        The same model as ``convert`` makes it with an integer scheme, and as ``float32``; for one
        with fake quantization that is ``qat.as_floats``.
    samples
        As the model takes them.

    Raises
    ------
    RecipeError
        If these are not the same model, or there are no samples.
    """
    quantized, real = _read(integers), _read(floats)
    if [_kind(node) for node in _computing(quantized)] != [_kind(n) for n in _computing(real)]:
        raise RecipeError(
            "the layers are not the same",
            where="a model in integers and in floats",
            fix="convert both from the same Keras model",
        )
    if not len(samples):
        raise RecipeError("there are none", where="samples", fix="give some")
    powers: dict[int, list[float]] = {}
    for sample in samples:
        _add_powers(powers, quantized, real, sample[None])
    ratios = {key: _decibels(signal, noise) for key, (signal, noise) in powers.items()}
    found = [_error(node, ratios) for node in _computing(quantized)]
    return tuple(sorted(found, key=lambda error: error.sqnr_db))


def rows(errors: Sequence[LayerError]) -> tuple[tuple[str, ...], ...]:
    """Return a table's rows of text, see ``COLUMNS``."""
    return tuple(
        (
            e.layer,
            e.op,
            "x".join(map(str, e.shape)),
            f"{e.sqnr_db:.1f} dB",
            f"{e.lost_db:.1f} dB",
        )
        for e in errors
    )


def _read(content: bytes) -> Graph:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        return read_model(path)


def _kind(node: Node) -> tuple[str, tuple[int, ...]]:
    return type(node.op).__name__, node.outputs[0].shape


def _computing(graph: Graph) -> Iterator[Node]:
    return (node for node in graph.nodes if type(node.op).__name__ not in _STORING)


def _add_powers(
    powers: dict[int, list[float]], quantized: Graph, real: Graph, sample: NDArray[np.float32]
) -> None:
    """Add one sample's powers of signal and noise to those of each tensor of integers."""
    stored = _stored(sample, quantized.inputs[0])
    pairs = zip(_values(quantized, stored), _values(real, sample), strict=True)
    for (tensor, integers), (_, floats) in pairs:
        signal, noise = powers.setdefault(tensor.id, [0.0, 0.0])
        exact = floats.astype(np.float64)
        differences = exact - _real(integers, tensor)
        powers[tensor.id] = [
            signal + float((exact**2).sum()),
            noise + float((differences**2).sum()),
        ]


def _values(graph: Graph, entry: NDArray[Any]) -> Iterator[tuple[Tensor, NDArray[Any]]]:
    """Yield the graph's input and what each layer writes first, with its tensor."""
    yield graph.inputs[0], entry
    for node, values in zip(graph.nodes, Reference(graph).trace((entry,)), strict=True):
        if type(node.op).__name__ not in _STORING:
            yield node.outputs[0], values[0]


def _stored(sample: NDArray[np.float32], tensor: Tensor) -> NDArray[Any]:
    if tensor.dtype is DType.FLOAT32:
        return sample
    limits = np.iinfo(tensor.dtype.value)
    steps = np.round(sample / tensor.scale) + tensor.zero_point
    stored: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(tensor.dtype.value)
    return stored


def _real(values: NDArray[Any], tensor: Tensor) -> NDArray[np.float64]:
    if tensor.dtype is DType.FLOAT32:
        return values.astype(np.float64)
    return (values.astype(np.float64) - tensor.zero_point) * tensor.scale


def _decibels(signal: float, noise: float) -> float:
    if not noise:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def _error(node: Node, ratios: dict[int, float]) -> LayerError:
    own = ratios[node.outputs[0].id]
    before = [ratios[tensor.id] for tensor in node.inputs if tensor and tensor.id in ratios]
    lost = min(before, default=own) - own
    return LayerError(
        name=node.name,
        op=type(node.op).__name__,
        shape=node.outputs[0].shape,
        sqnr_db=own,
        lost_db=0.0 if math.isnan(lost) else lost,
    )
