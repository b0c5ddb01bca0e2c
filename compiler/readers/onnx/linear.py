"""Matrix products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinysim.compiler.graph import Array, DType, Quant, Tensor
from tinysim.compiler.readers.onnx.layer import Layer
from tinysim.compiler.readers.onnx.registry import reads
from tinysim.compiler.readers.onnx.source import Refusal


def product(
    layer: Layer,
    x: Tensor,
    weights: Array,
    bias: Tensor | None,
    filter_quant: Quant | None = None,
    out_quant: Quant | None = None,
) -> Tensor:
    """Append ``x [..., I] @ weights [I, O] + bias [O]``."""
    if weights.ndim != 2 or not x.shape or x.shape[-1] != weights.shape[0]:
        raise Refusal(f"input {list(x.shape)} and weights {list(weights.shape)}")
    options: dict[str, Any] = {"rounding": "float"} if x.dtype is DType.INT8 else {}
    filter_ = layer.constant(weights.T, weights.dtype.name, filter_quant)
    return layer.emit(
        "FULLY_CONNECTED",
        (x, filter_, bias),
        (*x.shape[:-1], weights.shape[1]),
        quant=out_quant,
        activation="NONE",
        weights_format=0,
        **options,
    )


@reads("MatMul")
def _mat_mul(layer: Layer) -> Tensor:
    """Take a constant right side as weights; a constant left one is turned round."""
    a, b = layer.x(0), layer.x(1)
    if a.dtype is not DType.FLOAT32 or b.dtype is not DType.FLOAT32:
        raise Refusal("float32 is computed")
    if b.data is not None and len(b.shape) == 2:
        return product(layer, a, b.data, None)
    if len(a.shape) < 2 or len(b.shape) < 2:
        raise Refusal(f"a product of {list(a.shape)} and {list(b.shape)} has no kernel")
    if a.shape[-1] != b.shape[-2]:
        raise Refusal(f"{list(a.shape)} and {list(b.shape)} do not go together")
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    dims = (*batch, a.shape[-2], b.shape[-1])
    return layer.emit("BATCH_MATMUL", (a, b), dims, adj_x=False, adj_y=False)


@reads("Gemm")
def _gemm(layer: Layer) -> Tensor:
    """``alpha * A' @ B' + beta * C``; the factors go into the constants."""
    a, alpha, beta = layer.x(0), layer.attribute("alpha", 1.0), layer.attribute("beta", 1.0)
    if a.dtype is not DType.FLOAT32 or len(a.shape) != 2:
        raise Refusal(f"input {list(a.shape)} of {a.dtype.value}, a float32 matrix is computed")
    if layer.attribute("transA", 0):
        a = layer.transpose(a, (1, 0))
    if not layer.is_constant(1):
        return _general(layer, a, alpha, beta)
    weights = layer.array(1)
    if weights.ndim != 2 or weights.dtype != np.float32:
        raise Refusal(f"weights {list(weights.shape)} of {weights.dtype}")
    weights = weights.T if layer.attribute("transB", 0) else weights
    if alpha != 1:
        weights = (weights * np.float32(alpha)).astype(np.float32)
    bias = None
    if (
        layer.has(2)
        and layer.is_constant(2)
        and (layer.array(2).ndim < 2 or layer.array(2).shape[0] == 1)
    ):
        row = np.broadcast_to(layer.array(2).reshape(-1), (weights.shape[1],))
        bias = layer.constant(row * np.float32(beta) if beta != 1 else row, "float32")
    y = product(layer, a, weights, bias)
    return _added(layer, y, beta) if layer.has(2) and bias is None else y


def _general(layer: Layer, a: Tensor, alpha: float, beta: float) -> Tensor:
    """Return the product of two matrices that are computed at run time."""
    if alpha != 1:
        raise Refusal("alpha with computed matrices has no kernel")
    b = layer.x(1)
    b = layer.transpose(b, (1, 0)) if layer.attribute("transB", 0) else b
    if len(b.shape) != 2 or a.shape[1] != b.shape[0]:
        raise Refusal(f"{list(a.shape)} and {list(b.shape)} do not go together")
    dims = (a.shape[0], b.shape[1])
    y = layer.emit("BATCH_MATMUL", (a, b), dims, adj_x=False, adj_y=False)
    return _added(layer, y, beta) if layer.has(2) else y


def _added(layer: Layer, y: Tensor, beta: float) -> Tensor:
    """Add what does not fit a bias."""
    c = layer.x(2)
    if beta != 1:
        if c.data is None:
            raise Refusal("beta with a computed C has no kernel")
        c = replace(c, data=(c.data * np.float32(beta)).astype(np.float32))
    return layer.emit("ADD", (y, c), np.broadcast_shapes(y.shape, c.shape), activation="NONE")
