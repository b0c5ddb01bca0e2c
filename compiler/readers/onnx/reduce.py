"""Operators that reduce whole axes."""

from __future__ import annotations

from tinysim.compiler.graph import DType, Tensor
from tinysim.compiler.readers.onnx.layer import Layer
from tinysim.compiler.readers.onnx.registry import reads
from tinysim.compiler.readers.onnx.source import Refusal

REDUCTIONS = {
    "ReduceMean": "MEAN",
    "ReduceSum": "SUM",
    "ReduceMax": "REDUCE_MAX",
    "ReduceMin": "REDUCE_MIN",
    "ReduceProd": "REDUCE_PROD",
}


@reads(*REDUCTIONS)
def _reduce(layer: Layer) -> Tensor:
    x = layer.x()
    if x.dtype is not DType.FLOAT32:
        raise Refusal("float32 is computed")
    axes = layer.axes(1, len(x.shape))
    if not axes:
        if layer.attribute("noop_with_empty_axes", 0):
            return x
        axes = tuple(range(len(x.shape)))
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    y = layer.emit(REDUCTIONS[layer.node.kind], (x, layer.constant(axes)), kept)
    if layer.attribute("keepdims", 1):
        return y
    return layer.reshape(y, [size for axis, size in enumerate(x.shape) if axis not in axes])


@reads("ArgMax", "ArgMin")
def _arg_extreme(layer: Layer) -> Tensor:
    """Return where the extreme of an axis stands, the first if there are several."""
    x = layer.x()
    if layer.attribute("select_last_index", 0):
        raise Refusal("select_last_index has no kernel")
    axis = layer.axis("axis", 0, len(x.shape))
    dims = [size for place, size in enumerate(x.shape) if place != axis]
    kind = "ARG_MAX" if layer.node.kind == "ArgMax" else "ARG_MIN"
    y = layer.emit(kind, (x, layer.constant(axis)), dims, dtype=DType.INT64)
    if layer.attribute("keepdims", 1):
        return layer.reshape(y, [*x.shape[:axis], 1, *x.shape[axis + 1 :]])
    return y
