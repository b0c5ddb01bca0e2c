"""What the binary operators share: checks, broadcasting, scales and the range that is left."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Options,
    Overlap,
    wanted,
    wanted_quant,
    wanted_shape,
)
from tinysim.compiler.ops._overlap import element_overlaps
from tinysim.compiler.quantize import quantize_multiplier, requantize

Params = dict[str, int | float]

#: Loops of a kernel, and the dimensions that a model may have.
LOOPS = 4
MAX_RANK = 6

QUANTIZED = (DType.INT8, DType.INT16)

_BOUNDS: dict[str, tuple[float, float]] = {
    "NONE": (-math.inf, math.inf),
    "RELU": (0.0, math.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}


@dataclass(frozen=True)
class Binary(Operator):
    """``out = f(a, b)`` element by element; shapes broadcast as NumPy's do.

    Either operand may be a constant. A kernel gets what is computed first, so a constant first
    operand changes places with the second, which ``arithmetic`` is told of.
    """

    is_elementwise = True
    #: Whether int8 and int16 stand for real numbers here (else they are compared as they are).
    rescales: ClassVar[bool] = False

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, quantization and shapes."""
        if len(inputs) != 2 or len(outputs) != 1:
            yield f"has {len(inputs)} inputs and {len(outputs)} outputs, expected 2 and 1"
            return
        (a, b), out = inputs, outputs[0]
        yield from wanted(a, "first input", *self.kernels)
        if a is None or b is None:
            yield "an input is missing"
            return
        yield from wanted(b, "second input", a.dtype)
        yield from wanted(out, "output", self.result(a.dtype))
        yield from broadcast_problems((a, b), out)
        if a.dtype not in self.kernels or (b.dtype, out.dtype) != (a.dtype, self.result(a.dtype)):
            return
        if self.rescales and a.dtype in QUANTIZED:
            for tensor, role in ((a, "first input"), (b, "second input"), (out, "output")):
                if tensor.dtype is DType.BOOL:
                    continue
                yield from quantized_problems(tensor, role)
                if tensor.quant is None or len(tensor.quant.scale) != 1:
                    return
        yield from self.limits(a, b, out)

    def result(self, dtype: DType) -> DType:
        """Return the output's type for operands of ``dtype``."""
        return dtype

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Yield what else an operator cannot take."""
        yield from ()

    def overlaps(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Mapping[int, Overlap]:
        """Let the output lie over an operand of its shape."""
        return element_overlaps(inputs, outputs[0])

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none: no sums of products."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Compute in numpy, which broadcasts by itself."""
        a, b = inputs
        assert a is not None and b is not None
        assert values[0] is not None and values[1] is not None
        params = self.arithmetic(a, b, outputs[0], is_reversed=False)
        with np.errstate(all="ignore"):
            y = self.compute(values[0], values[1], params)
        return (y.astype(outputs[0].dtype.value).reshape(outputs[0].shape),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the inputs' type, what is computed before what is constant."""
        first, second = inputs
        assert first is not None and second is not None
        is_reversed = first.data is not None and second.data is None
        if is_reversed:
            first, second = second, first
        params = loops(first.shape, second.shape)
        params |= self.arithmetic(first, second, outputs[0], is_reversed)
        computed = tuple(t for t in (first, second) if t.data is None)
        constants = tuple(t.data for t in (first, second) if t.data is not None)
        kernel = self.kernels[first.dtype][0]
        return (KernelCall(kernel, params, computed, outputs, constants),)

    @abstractmethod
    def arithmetic(self, first: Tensor, second: Tensor, out: Tensor, is_reversed: bool) -> Params:
        """Return the kernel's parameters; ``is_reversed`` if ``first`` is the second operand."""

    @abstractmethod
    def compute(self, a: Array, b: Array, params: Params) -> Array:
        """Return ``f(a, b)``, given the parameters of operands that keep their places."""


@dataclass(frozen=True)
class Activated(Binary):
    """A binary operator with a fused activation."""

    activation: str

    @classmethod
    def from_tflite(cls, options: Options) -> Self:
        """Take the fused activation."""
        return cls(options["FusedActivationFunction"])

    def limits(self, a: Tensor, b: Tensor, out: Tensor) -> Iterator[str]:
        """Check that the activation is one of TFLite's."""
        if self.activation not in _BOUNDS:
            yield f"fused activation {self.activation} has no kernel"

    def range_of(self, out: Tensor) -> Params:
        """Return the range that the activation leaves of the output's type."""
        if out.dtype is DType.FLOAT32:
            low, high = float_range(self.activation)
            return {"activation_min": low, "activation_max": high}
        least, most = integer_range(self.activation, out)
        return {"activation_min": least, "activation_max": most}


def broadcast_problems(inputs: tuple[Tensor, ...], out: Tensor) -> Iterator[str]:
    """Yield what keeps shapes from broadcasting in the loops that kernels have."""
    shapes = [tensor.shape for tensor in inputs]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        yield f"shapes {' and '.join(str(list(s)) for s in shapes)} do not broadcast"
        return
    yield from wanted_shape(out, "output", shape)
    if len(shape) > MAX_RANK:
        yield f"has {len(shape)} dimensions, the kernels take {MAX_RANK}"
    elif (count := len(merged(*shapes))) > LOOPS:
        yield f"broadcasts in {count} nested patterns, the kernels have {LOOPS} loops"


def merged(*shapes: tuple[int, ...]) -> list[tuple[int, tuple[bool, ...]]]:
    """Return sizes and who moves along them, of neighbours that all move alike made one."""
    rank = max(map(len, shapes))
    whole = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    found: list[tuple[int, tuple[bool, ...]]] = []
    for sizes in zip(*whole, strict=True):
        size = max(sizes)
        if size == 1:
            continue
        moves = tuple(extent != 1 for extent in sizes)
        if found and found[-1][1] == moves:
            size *= found.pop()[0]
        found.append((size, moves))
    return found


def loops(*shapes: tuple[int, ...]) -> Params:
    """Return the sizes of a kernel's loops and the strides of each operand, outermost first."""
    levels = merged(*shapes)
    levels = [(1, (False,) * len(shapes))] * (LOOPS - len(levels)) + levels
    params: Params = {f"size{i}": size for i, (size, _) in enumerate(levels)}
    for operand in range(len(shapes)):
        strides, step = [], 1
        for size, moves in reversed(levels):
            strides.append(step if moves[operand] else 0)
            step *= size if moves[operand] else 1
        for i, stride in enumerate(reversed(strides)):
            params[f"input{operand + 1}_stride{i}"] = stride
    return params


def quantized_problems(tensor: Tensor, role: str) -> Iterator[str]:
    """Yield a problem unless a tensor has one scale and, if int16, the zero point 0."""
    yield from wanted_quant(tensor, role)
    if tensor.dtype is DType.INT16 and tensor.quant is not None and any(tensor.quant.zero_point):
        yield f"{role} is int16 with a zero point, the kernels take symmetric int16"


def float_range(activation: str) -> tuple[float, float]:
    """Return the range that an activation leaves: at most the finite floats, as TFLite has it."""
    largest = float(np.finfo(np.float32).max)
    low, high = _BOUNDS[activation]
    return max(low, -largest), min(high, largest)


def integer_range(activation: str, out: Tensor) -> tuple[int, int]:
    """Return the range that an activation leaves of an integer type; real steps if quantized."""
    limits = np.iinfo(out.dtype.value)
    low, high = _BOUNDS[activation]
    if out.dtype in QUANTIZED:
        low, high = (_steps(bound, out.scale) + out.zero_point for bound in (low, high))
    return int(min(max(low, limits.min), limits.max)), int(max(min(high, limits.max), limits.min))


def _steps(real: float, scale: float) -> float:
    """Return the steps of ``scale`` in a real number, single precision, rounded half away."""
    with np.errstate(over="ignore"):
        steps = float(np.float32(real) / np.float32(scale))
    return steps if math.isinf(steps) else math.copysign(math.floor(abs(steps) + 0.5), steps)


def multiplier_params(name: str, real: float) -> Params:
    """Return a real multiplier as the two parameters that kernels take."""
    multiplier, shift = quantize_multiplier(real)
    return {f"{name}_multiplier": multiplier, f"{name}_shift": shift}


def rescaled(x: Array, offset: int, params: Params, name: str, left_shift: int) -> Array:
    """Bring an operand, raised by ``left_shift`` bits, to the operands' common scale."""
    raised = (x.astype(np.int64) + offset) << left_shift
    return requantize(raised, int(params[f"{name}_multiplier"]), int(params[f"{name}_shift"]))


def finished(acc: Array, params: Params) -> Array:
    """Requantize an int32 result to the output's scale and clamp."""
    scaled = requantize(acc, int(params["output_multiplier"]), int(params["output_shift"]))
    clamped: Array = np.clip(
        scaled + int(params["output_offset"]),
        int(params["activation_min"]),
        int(params["activation_max"]),
    )
    return clamped


def clamped_floats(y: Array, params: Params) -> Array:
    """Clamp as C does: NaN stays."""
    low, high = (np.float32(params[key]) for key in ("activation_min", "activation_max"))
    above = np.where(y < low, low, y)
    limited: Array = np.where(above > high, high, above)
    return limited
