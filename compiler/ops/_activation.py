"""The range that a fused activation leaves, for every type of activations."""

from __future__ import annotations

import numpy as np

from tinysim.compiler.graph import DType, Tensor

_FLOAT_LIMIT = float(np.finfo(np.float32).max)

#: Real bounds; ``None`` is where the type itself ends.
_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


def float_bounds(activation: str) -> tuple[float, float]:
    """Return the float range of an activation; without one it is that of finite numbers."""
    low, high = _BOUNDS[activation]
    return -_FLOAT_LIMIT if low is None else low, _FLOAT_LIMIT if high is None else high


def integer_bounds(activation: str, out: Tensor) -> tuple[int, int]:
    """Return the range of an activation in steps of ``out``, an int8 or int16 tensor."""
    assert out.dtype in (DType.INT8, DType.INT16)
    limits = np.iinfo(out.dtype.value)
    low, high = _BOUNDS[activation]
    return (
        int(limits.min) if low is None else max(int(limits.min), _quantized(low, out)),
        int(limits.max) if high is None else min(int(limits.max), _quantized(high, out)),
    )


def _quantized(real: float, out: Tensor) -> int:
    """Quantize in single precision, halves away from zero."""
    steps = float(np.float32(real) / np.float32(out.scale))
    return out.zero_point + int(np.copysign(np.floor(abs(steps) + 0.5), steps))
