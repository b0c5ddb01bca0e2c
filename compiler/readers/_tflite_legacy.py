"""Number formats that no kernel takes, turned into those that some do when a file is read.

uint8 tensors become int8 with everything shifted by 128, which changes no real number; the model's
ends stay uint8. Integer weights beside float inputs (hybrid models) become float32, and so do
constants that the file stores in fewer bytes, as integers or in half precision, before DEQUANTIZE.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tinysim.compiler.graph import Array, DType, Node, Quant, Tensor
from tinysim.compiler.ops import Operator
from tinysim.compiler.ops.quantize import Quantize

#: Operators that take uint8 as it is.
CONVERTING = ("QUANTIZE", "DEQUANTIZE", "CAST")
#: Operators whose constant weights may be integers while the input is float.
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL")
#: Weights that would take more as floats fit no board.
MAX_FLOAT_BYTES = 2**26


def legacy_tensors(
    tensors: Sequence[Tensor], uses: Sequence[tuple[str, Sequence[int]]]
) -> frozenset[int]:
    """Return the uint8 tensors to be made int8: all quantized ones, if any operator needs it.

    ``uses`` are the operators' names and the indices of their tensors.
    """
    quantized = {t.id for t in tensors if t.dtype is DType.UINT8 and t.quant is not None}
    needed = any(
        kind not in CONVERTING and not quantized.isdisjoint(indices) for kind, indices in uses
    )
    return frozenset(quantized if needed else ())


def as_int8(tensor: Tensor) -> Tensor:
    """Return a uint8 tensor as int8: the same real numbers, stored 128 lower."""
    assert tensor.quant is not None
    quant = replace(tensor.quant, zero_point=tuple(z - 128 for z in tensor.quant.zero_point))
    data = None if tensor.data is None else (tensor.data ^ 0x80).view(np.int8)
    return replace(tensor, dtype=DType.INT8, quant=quant, data=data)


def edges(
    original: Sequence[Tensor], changed: frozenset[int], first_id: int, is_input: bool
) -> Iterator[tuple[Tensor, Node | None]]:
    """Yield each end of the graph in its own type, with the node that converts it if it changed."""
    for index, tensor in enumerate(original):
        if tensor.id not in changed:
            yield tensor, None
            continue
        outer, inner = replace(tensor, id=first_id + index), as_int8(tensor)
        pair = ((outer,), (inner,)) if is_input else ((inner,), (outer,))
        op: Operator = Quantize.from_tflite({})
        yield outer, Node(tensor.name, op, *pair)


def float_weights(kind: str, inputs: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...] | None:
    """Return the inputs of a hybrid layer with its weights as floats; None if it is none."""
    x, weights = (*inputs, None, None)[:2]
    if kind not in WEIGHTED or x is None or weights is None or weights.data is None:
        return None
    if x.dtype is not DType.FLOAT32 or (data := as_floats(weights)) is None:
        return None
    return (x, replace(weights, dtype=DType.FLOAT32, quant=None, data=data), *inputs[2:])


def as_floats(tensor: Tensor) -> Array | None:
    """Return what a constant of 8-bit integers stands for; None if it is none, or too large."""
    if tensor.data is None or tensor.dtype not in (DType.INT8, DType.UINT8):
        return None
    if tensor.quant is None or 4 * tensor.elements > MAX_FLOAT_BYTES:
        return None
    shape = _along(tensor.quant, tensor.shape)
    if shape is None:
        return None
    scale = np.array(tensor.quant.scale, np.float32).reshape(shape)
    zero = np.array(tensor.quant.zero_point, np.float32).reshape(shape)
    with np.errstate(over="ignore"):
        return (tensor.data.astype(np.float32) - zero) * scale


def _along(quant: Quant, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the shape in which scales broadcast against their tensor."""
    count = len(quant.scale)
    if count == 1:
        return (1,) * len(shape)
    if not 0 <= quant.axis < len(shape) or shape[quant.axis] != count:
        return None
    return tuple(count if axis == quant.axis else 1 for axis in range(len(shape)))
