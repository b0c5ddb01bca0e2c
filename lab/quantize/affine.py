"""Affine uint8 as Deutel et al. have it (study 001, section 3.2, equations 2 to 5, page 4).

``q = clamp(round(x / scale) + zero_point, 0, 255)``, with ``scale = (max - min) / 255`` and a zero
point for every tensor, weights as well as activations. Their brackets in equation 2 are read as
rounding to nearest: with the floor every product would be too small by half a step on average, and
the ONNX page that they name rounds, too.

TFLite wrote such files before it took to int8, and tinysim still reads them: it stores every number
128 lower, zero points too, which changes no real number. So a uint8 model is made of the
converter's int8 model with one scale a tensor. Its activations are the same numbers 128 higher.
Its weights are not: int8 weights have no zero point, but lie symmetrically around 0, so those are
quantized anew from the floats, and biases to the scale that follows (``scale_a * scale_b`` of
equation 5). The kernels then subtract a zero point from weights, too, which costs cycles.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError

#: TFLite's numbers of the operators with weights: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED.
_WEIGHTED = (3, 4, 9)
#: TFLite's numbers of types.
_UINT8, _INT8 = 3, 9


@dataclass(frozen=True)
class Affine:
    """One scale and zero point: ``real = scale * (q - zero_point)``."""

    scale: float
    zero_point: int

    @classmethod
    def of(cls, data: NDArray[Any]) -> Affine:
        """Return what covers the data and 0, which is then exact."""
        least, most = min(0.0, float(data.min())), max(0.0, float(data.max()))
        scale = (most - least) / 255 or 1.0
        return cls(scale, round(-least / scale))

    def quantize(self, real: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the nearest numbers, within 0 to 255."""
        steps = np.round(np.asarray(real, np.float64) / self.scale) + self.zero_point
        return np.clip(steps, 0, 255).astype(np.uint8)

    def dequantize(self, quantized: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the real numbers."""
        return self.scale * (quantized.astype(np.float64) - self.zero_point)


def as_uint8(integers: bytes, floats: bytes) -> bytes:
    """Return a model in affine uint8.

    Parameters
    ----------
    integers
        The model in int8, one scale a tensor.
    floats
        The same in float32, for the weights.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    made, real = map(flatbuffer_utils.convert_bytearray_to_object, (integers, floats))
    for layer, source in zip(_weighted(made), _weighted(real), strict=True):
        _set_weights(made, layer, _constant(real, source.inputs[1], np.float32))
    for tensor in made.subgraphs[0].tensors:
        if tensor.type == _INT8:
            _raise(made, tensor)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(made))


def _weighted(model: Any) -> Iterator[Any]:
    """Yield the operators with weights, in order."""
    for operator in model.subgraphs[0].operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode in _WEIGHTED:
            yield operator


def _constant(model: Any, index: int, dtype: type) -> NDArray[Any]:
    """Return a constant tensor's numbers."""
    tensor = model.subgraphs[0].tensors[index]
    return np.frombuffer(bytes(model.buffers[tensor.buffer].data), dtype).reshape(tensor.shape)


def _set_weights(model: Any, layer: Any, weights: NDArray[np.float32]) -> None:
    """Quantize a layer's weights anew; its bias follows."""
    tensors = model.subgraphs[0].tensors
    tensor = tensors[layer.inputs[1]]
    if list(tensor.shape) != list(weights.shape):
        raise RecipeError(
            f"weights {tensor.name.decode()} are {list(weights.shape)} as floats",
            where=f"a layer whose weights are {list(tensor.shape)} as integers",
            fix="take another scheme for this model",
        )
    affine, before = Affine.of(weights), float(tensor.quantization.scale[0])
    _store(model, tensor, affine.quantize(weights))
    tensor.type = _UINT8
    tensor.quantization = _quantization(tensor, affine.scale, affine.zero_point)
    if len(layer.inputs) < 3 or layer.inputs[2] < 0:
        return
    entry, bias = tensors[layer.inputs[0]], tensors[layer.inputs[2]]
    numbers = _constant(model, layer.inputs[2], np.int32) * (before / affine.scale)
    _store(model, bias, np.clip(np.round(numbers), -(2**31), 2**31 - 1).astype(np.int32))
    bias.quantization = _quantization(bias, entry.quantization.scale[0] * affine.scale, 0)


def _raise(model: Any, tensor: Any) -> None:
    """Store an int8 tensor 128 higher."""
    data = model.buffers[tensor.buffer].data
    if data is not None:
        _store(model, tensor, np.frombuffer(bytes(data), np.uint8) ^ 0x80)
    tensor.type = _UINT8
    (scale,), (zero_point,) = tensor.quantization.scale, tensor.quantization.zeroPoint
    tensor.quantization = _quantization(tensor, scale, int(zero_point) + 128)


def _store(model: Any, tensor: Any, data: NDArray[Any]) -> None:
    """Give a tensor a buffer of its own: equal constants share theirs."""
    buffer = copy(model.buffers[tensor.buffer])
    buffer.data = np.frombuffer(data.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1


def _quantization(tensor: Any, scale: float, zero_point: int) -> Any:
    made = copy(tensor.quantization)
    made.scale, made.zeroPoint = np.array([scale], np.float32), np.array([zero_point], np.int64)
    return made
