"""Resize: by the TFLite operator that reads the same places, if there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.readers.onnx.image import from_nhwc, to_nhwc
from tinysim.compiler.readers.onnx.layer import Layer
from tinysim.compiler.readers.onnx.registry import reads
from tinysim.compiler.readers.onnx.source import Refusal

#: ``align_corners`` and ``half_pixel_centers`` of the TFLite operators.
VARIANTS = ((False, False), (True, False), (False, True))
MAX_SIZE = 2**14


@reads("Resize", "Upsample")
def _resize(layer: Layer) -> Tensor:
    x = layer.x()
    if len(x.shape) != 4:
        raise Refusal(f"input {list(x.shape)} is no image of two axes")
    scales, dims = _target(layer, x)
    if dims[:2] != x.shape[:2] or any(not 1 <= size <= MAX_SIZE for size in dims):
        raise Refusal(f"{list(x.shape)} to {list(dims)} has no kernel")
    mode = layer.attribute("mode", "nearest")
    if mode not in ("nearest", "linear"):
        raise Refusal(f"mode {mode} has no kernel")
    wanted = [_places(layer, mode, n, m, scales[2 + i]) for i, (n, m) in enumerate(_hw(x, dims))]
    for align, half in VARIANTS:
        known = [_tflite_places(mode, n, m, align, half) for n, m in _hw(x, dims)]
        if all(np.allclose(a, b, rtol=0, atol=1e-5) for a, b in zip(wanted, known, strict=True)):
            kind = "RESIZE_NEAREST_NEIGHBOR" if mode == "nearest" else "RESIZE_BILINEAR"
            image = to_nhwc(layer, x)
            out = (dims[0], dims[2], dims[3], dims[1])
            size = layer.constant(dims[2:])
            options: dict[str, Any] = {"align_corners": align, "half_pixel_centers": half}
            return from_nhwc(layer, layer.emit(kind, (image, size), out, **options), 4)
    raise Refusal("no kernel reads the places that its coordinate mode asks for")


def _hw(x: Tensor, dims: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return old and new length of H and W."""
    return [(x.shape[2], dims[2]), (x.shape[3], dims[3])]


def _target(layer: Layer, x: Tensor) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return scales and new shape."""
    if "axes" in layer.node.attributes or layer.attribute(
        "keep_aspect_ratio_policy", "stretch"
    ) != ("stretch"):
        raise Refusal("axes and keep_aspect_ratio_policy are not read")
    if layer.attribute("antialias", 0):
        raise Refusal("antialias has no kernel")
    if layer.node.kind == "Resize" and layer.has(3) and layer.array(3).size:
        dims = layer.ints_of(3)
        if len(dims) != 4:
            raise Refusal(f"sizes {list(dims)}")
        return tuple(m / n for n, m in zip(x.shape, dims, strict=True)), dims
    if layer.opset < 9:
        found: tuple[float, ...] = layer.attribute("scales", ())
    else:
        index = 2 if layer.node.kind == "Resize" and layer.opset >= 11 else 1
        found = tuple(float(value) for value in layer.array(index).ravel()[:9])
    if len(found) != 4 or not all(0 < scale < MAX_SIZE for scale in found):
        raise Refusal(f"scales {list(found)}")
    return found, tuple(int(np.floor(n * s)) for n, s in zip(x.shape, found, strict=True))


def _places(layer: Layer, mode: str, old: int, new: int, scale: float) -> Array:
    """Return which place of the input each output reads, as ONNX defines it."""
    is_old = layer.node.kind == "Upsample" or layer.opset < 11
    how = layer.attribute(
        "coordinate_transformation_mode", "asymmetric" if is_old else "half_pixel"
    )
    out: Array = np.arange(new)
    places: Array
    if how == "asymmetric":
        places = out / scale
    elif how == "half_pixel" or (how == "pytorch_half_pixel" and new > 1):
        places = (out + 0.5) / scale - 0.5
    elif how == "pytorch_half_pixel":
        places = np.zeros(1)
    elif how == "align_corners":
        places = out * (old - 1) / (new - 1) if new > 1 else np.zeros(1)
    else:
        raise Refusal(f"coordinate mode {how} has no kernel")
    if mode == "nearest":
        rounding: dict[str, Callable[[Array], Array]] = {
            "floor": np.floor,
            "ceil": np.ceil,
            "round_prefer_floor": lambda p: np.ceil(p - 0.5),
            "round_prefer_ceil": lambda p: np.floor(p + 0.5),
        }
        name = layer.attribute("nearest_mode", "floor" if is_old else "round_prefer_floor")
        if name not in rounding:
            raise Refusal(f"nearest_mode {name}")
        places = rounding[name](places)
    clipped: Array = np.clip(places, 0, old - 1)
    return clipped


def _tflite_places(mode: str, old: int, new: int, align: bool, half: bool) -> Array:
    """Return which place of the input each output reads, as TFLite defines it."""
    out = np.arange(new)
    scale = (old - 1) / (new - 1) if align and new > 1 else old / new
    if mode == "nearest":
        places = (out + 0.5 * half) * scale
        places = np.floor(places + 0.5) if align else np.floor(places)
    else:
        places = (out + 0.5) * scale - 0.5 if half else out * scale
    clipped: Array = np.clip(places, 0, old - 1)
    return clipped
