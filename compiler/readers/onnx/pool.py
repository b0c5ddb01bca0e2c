"""Windows that reduce each channel by itself."""

from __future__ import annotations

from typing import Any

from tinysim.compiler.graph import DType, Quant, Tensor
from tinysim.compiler.ops._window import Pads
from tinysim.compiler.readers.onnx.image import (
    Pair,
    from_nhwc,
    padding_name,
    pads_of,
    pair,
    positions,
    to_nhwc,
)
from tinysim.compiler.readers.onnx.layer import Layer
from tinysim.compiler.readers.onnx.registry import reads
from tinysim.compiler.readers.onnx.source import Refusal


def pooled(layer: Layer, kind: str, x: Tensor, quant: Quant | None = None, **more: Any) -> Tensor:
    """Append a pooling operator between transpositions."""
    rank = len(x.shape)
    image = to_nhwc(layer, x)
    _, h, w, c = image.shape
    kernel = pair(layer, "kernel_shape", rank - 2, 0)
    stride = pair(layer, "strides", rank - 2)
    if pair(layer, "dilations", rank - 2) != (1, 1):
        raise Refusal("dilations have no kernel")
    if layer.attribute("storage_order", 0):
        raise Refusal("storage_order 1 is not read")
    pads = pads_of(layer, (h, w), kernel, stride, rank - 2)
    counts = layer.attribute("count_include_pad", 0)
    if layer.attribute("ceil_mode", 0):
        pads, further = _ceiled((h, w), kernel, stride, pads)
        if further and counts:
            raise Refusal("ceil_mode with count_include_pad has no kernel")
    options: dict[str, Any] = {
        "padding": padding_name(pads, (h, w), kernel, stride),
        "stride_h": stride[0],
        "stride_w": stride[1],
        "filter_h": kernel[0],
        "filter_w": kernel[1],
        "activation": "NONE",
        **more,
    }
    if kind == "QLINEAR_AVERAGE_POOL":
        options |= {"counts_padding": bool(counts)}
    elif counts and pads != Pads(0, 0, 0, 0):
        options |= {"counts_padding": True}
    dims = (x.shape[0], *positions((h, w), kernel, stride, pads), c)
    return from_nhwc(layer, layer.emit(kind, (image,), dims, quant=quant, **options), rank)


def _ceiled(size: Pair, kernel: Pair, stride: Pair, pads: Pads) -> tuple[Pads, bool]:
    """Return the padding with which rounding down gives what rounding up would.

    A window that would begin behind the input and its padding is left out.
    """
    further = []
    for n, k, s, before, after in zip(
        size, kernel, stride, (pads.top, pads.left), (pads.bottom, pads.right), strict=True
    ):
        count = -(-(n + before + after - k) // s) + 1
        if (count - 1) * s >= n + before:
            count -= 1
        further.append(max(0, (count - 1) * s + k - n - before - after))
    bottom, right = pads.bottom + further[0], pads.right + further[1]
    return Pads(pads.top, pads.left, bottom, right), any(further)


@reads("MaxPool")
def _max_pool(layer: Layer) -> Tensor:
    x = layer.x()
    if x.dtype is DType.INT8 and layer.opset < 12:
        raise Refusal("bytes are pooled from set 12 on")
    return pooled(layer, "MAX_POOL_2D", x)


@reads("AveragePool")
def _average_pool(layer: Layer) -> Tensor:
    x = layer.x()
    if x.dtype is not DType.FLOAT32:
        raise Refusal("float32 is computed")
    return pooled(layer, "AVERAGE_POOL_2D", x)


@reads("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(layer: Layer) -> Tensor:
    """Reduce H and W, which stay as dimensions of 1."""
    x = layer.x()
    if x.dtype is not DType.FLOAT32:
        raise Refusal("float32 is computed")
    image = to_nhwc(layer, x)
    kind = "MEAN" if layer.node.kind == "GlobalAveragePool" else "REDUCE_MAX"
    dims = (image.shape[0], 1, 1, image.shape[3])
    y = layer.emit(kind, (image, layer.constant([1, 2])), dims)
    return from_nhwc(layer, y, len(x.shape))
