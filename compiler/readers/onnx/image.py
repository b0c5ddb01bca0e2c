"""Convolution, and the way between ONNX's order of axes ``[N, C, H, W]`` and ``[N, H, W, C]``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinysim.compiler.graph import Array, DType, Quant, Tensor
from tinysim.compiler.ops._window import Pads
from tinysim.compiler.readers.onnx.layer import Layer
from tinysim.compiler.readers.onnx.registry import reads
from tinysim.compiler.readers.onnx.source import Refusal

Pair = tuple[int, int]


def to_nhwc(layer: Layer, x: Tensor) -> Tensor:
    """Return an image with its channels last; what has one axis gets ``H = 1``."""
    if len(x.shape) == 3:
        x = layer.reshape(x, (*x.shape[:2], 1, x.shape[2]))
    if len(x.shape) != 4:
        raise Refusal(f"input {list(x.shape)} is no image of one or two axes")
    return layer.transpose(x, (0, 2, 3, 1))


def from_nhwc(layer: Layer, x: Tensor, rank: int) -> Tensor:
    """Return an image with its channels first, of ``rank`` dimensions."""
    moved = layer.transpose(x, (0, 3, 1, 2))
    return layer.reshape(moved, (*moved.shape[:2], moved.shape[3])) if rank == 3 else moved


def pair(layer: Layer, name: str, axes: int, default: int = 1) -> Pair:
    """Return an attribute along H and W; an image of one axis has H = 1."""
    found = layer.ints(name) or (default,) * axes
    if len(found) != axes or any(not 1 <= value <= 2**16 for value in found):
        raise Refusal(f"attribute {name} is {list(found)}")
    return (1, found[0]) if axes == 1 else (found[0], found[1])


def pads_of(layer: Layer, size: Pair, extent: Pair, stride: Pair, axes: int) -> Pads:
    """Return the padding that ``pads`` or ``auto_pad`` asks for."""
    auto = layer.attribute("auto_pad", "NOTSET")
    if auto == "VALID":
        return Pads(0, 0, 0, 0)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max(0, (-(-n // s) - 1) * s + e - n)
            for n, s, e in zip(size, stride, extent, strict=True)
        ]
        less, more = [t // 2 for t in total], [t - t // 2 for t in total]
        first, last = (less, more) if auto == "SAME_UPPER" else (more, less)
        return Pads(first[0], first[1], last[0], last[1])
    found = layer.ints("pads") or (0,) * 2 * axes
    if auto != "NOTSET" or len(found) != 2 * axes or any(not 0 <= v <= 2**16 for v in found):
        raise Refusal(f"padding {auto} {list(found)}")
    return Pads(0, found[0], 0, found[1]) if axes == 1 else Pads(*found)


def padding_name(pads: Pads, size: Pair, extent: Pair, stride: Pair) -> str | Pads:
    """Return TFLite's name for a padding that it has one for."""
    if pads == Pads(0, 0, 0, 0):
        return "VALID"
    total = [
        max(0, (-(-n // s) - 1) * s + e - n) for n, s, e in zip(size, stride, extent, strict=True)
    ]
    same = Pads(total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2)
    return "SAME" if pads == same else pads


def positions(size: Pair, extent: Pair, stride: Pair, pads: Pads) -> Pair:
    """Return how often a window fits along H and W."""
    h = (size[0] + pads.top + pads.bottom - extent[0]) // stride[0] + 1
    w = (size[1] + pads.left + pads.right - extent[1]) // stride[1] + 1
    return h, w


def convolution(
    layer: Layer,
    x: Tensor,
    weights: Array,
    bias: Tensor | None,
    filter_quant: Quant | None = None,
    out_quant: Quant | None = None,
) -> Tensor:
    """Append a convolution with ``weights [O, I / group, H, W]``, of bytes or float32."""
    rank = len(x.shape)
    if weights.ndim != rank or rank not in (3, 4):
        raise Refusal(f"input {list(x.shape)} and weights {list(weights.shape)}")
    weights = weights[:, :, None] if rank == 3 else weights
    image = to_nhwc(layer, x)
    _, h, w, channels = image.shape
    outputs, inputs, *kernel = weights.shape
    group = layer.attribute("group", 1)
    if group < 1 or channels != inputs * group or outputs % group:
        raise Refusal(f"{group} groups of {inputs} channels, the input has {channels}")
    stated = layer.ints("kernel_shape")
    if stated and stated != tuple(kernel[-len(stated) :]):
        raise Refusal(f"kernel_shape {list(stated)}, the weights have {kernel}")
    stride, dilation = (pair(layer, name, rank - 2) for name in ("strides", "dilations"))
    extent = ((kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1)
    pads = pads_of(layer, (h, w), extent, stride, rank - 2)
    options: dict[str, Any] = {
        "padding": padding_name(pads, (h, w), extent, stride),
        "stride_h": stride[0],
        "stride_w": stride[1],
        "dilation_h": dilation[0],
        "dilation_w": dilation[1],
        "activation": "NONE",
    }
    if x.dtype is DType.INT8:
        options["rounding"] = "float"
    is_depthwise = inputs == 1 and group > 1
    order = (1, 2, 3, 0) if is_depthwise else (0, 2, 3, 1)
    if filter_quant is not None:
        filter_quant = replace(filter_quant, axis=3 if is_depthwise else 0)
    filter_ = layer.constant(weights.transpose(order), weights.dtype.name, filter_quant)
    dims = (x.shape[0], *positions((h, w), extent, stride, pads), outputs)
    kind = "DEPTHWISE_CONV_2D" if is_depthwise else "CONV_2D"
    y = layer.emit(kind, (image, filter_, bias), dims, quant=out_quant, **options)
    return from_nhwc(layer, y, rank)


@reads("Conv")
def _conv(layer: Layer) -> Tensor:
    weights = layer.array(1)
    if weights.dtype != np.float32 or layer.x().dtype is not DType.FLOAT32:
        raise Refusal("float32 is computed")
    return convolution(layer, layer.x(), weights, layer.x(2) if layer.has(2) else None)


@reads("ConvTranspose")
def _conv_transpose(layer: Layer) -> Tensor:
    """Weights ``[I, O, H, W]``; the output's size is what the padding leaves."""
    x, weights = layer.x(), layer.array(1)
    rank = len(x.shape)
    if weights.ndim != rank or weights.dtype != np.float32 or rank not in (3, 4):
        raise Refusal(f"input {list(x.shape)} and weights {list(weights.shape)}")
    weights = weights[:, :, None] if rank == 3 else weights
    if layer.attribute("group", 1) != 1 or pair(layer, "dilations", rank - 2) != (1, 1):
        raise Refusal("groups or dilations have no kernel")
    image = to_nhwc(layer, x)
    size = image.shape[1:3]
    if weights.shape[0] != image.shape[3]:
        raise Refusal(f"weights {list(weights.shape)} for {image.shape[3]} channels")
    stride, kernel = pair(layer, "strides", rank - 2), weights.shape[2:]
    further = layer.ints("output_padding") or (0,) * (rank - 2)
    if len(further) != rank - 2 or any(not 0 <= value < 2**16 for value in further):
        raise Refusal(f"output_padding {list(further)}")
    full = [
        (n - 1) * s + k + e
        for n, s, k, e in zip(size, stride, kernel, (0, *further)[-2:], strict=True)
    ]
    if "output_shape" in layer.node.attributes or layer.attribute("auto_pad", "NOTSET") not in (
        "NOTSET",
        "VALID",
    ):
        raise Refusal("output_shape and auto_pad are not read: give pads")
    pads = pads_of(layer, (1, 1), (1, 1), (1, 1), rank - 2)
    dims = (x.shape[0], full[0] - pads.top - pads.bottom, full[1] - pads.left - pads.right)
    out = (*dims, weights.shape[1])
    filter_ = layer.constant(weights.transpose(1, 2, 3, 0), "float32")
    bias = layer.x(2) if layer.has(2) else None
    y = layer.emit(
        "TRANSPOSE_CONV",
        (layer.constant(out), filter_, image, bias),
        out,
        image,
        padding="VALID" if pads == Pads(0, 0, 0, 0) and not any(further) else pads,
        stride_h=stride[0],
        stride_w=stride[1],
        activation="NONE",
    )
    return from_nhwc(layer, y, rank)


@reads("DepthToSpace", "SpaceToDepth")
def _depth_space(layer: Layer) -> Tensor:
    x = layer.x()
    block = layer.attribute("blocksize", 0)
    if len(x.shape) != 4 or not 1 <= block <= 2**12:
        raise Refusal(f"blocks of {block} in {list(x.shape)}")
    n, c, h, w = x.shape
    if layer.node.kind == "SpaceToDepth":
        dims = (n, h // block, w // block, c * block * block)
        y = layer.emit("SPACE_TO_DEPTH", (to_nhwc(layer, x),), dims, block=block)
    elif layer.attribute("mode", "DCR") != "DCR":
        raise Refusal("mode CRD has no kernel, DCR has")
    else:
        dims = (n, h * block, w * block, c // (block * block))
        y = layer.emit("DEPTH_TO_SPACE", (to_nhwc(layer, x),), dims, block=block)
    return from_nhwc(layer, y, 4)
