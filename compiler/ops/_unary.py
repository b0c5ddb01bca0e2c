"""What the operators of one operand share: tables for int8, kernels by type for the rest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    Overlap,
    wanted,
    wanted_shape,
)
from tinysim.compiler.ops._elementwise import QUANTIZED, Params, quantized_problems
from tinysim.compiler.ops._overlap import element_overlaps

#: Functions of ``kernels/unary_f32.h``, by number there.
FUNCTIONS = (
    "ABS",
    "NEG",
    "SQUARE",
    "SQRT",
    "RSQRT",
    "EXP",
    "LOG",
    "SIN",
    "COS",
    "FLOOR",
    "CEIL",
    "ROUND",
    "LOGISTIC",
    "TANH",
    "ELU",
    "HARD_SWISH",
    "GELU",
    "GELU_TANH",
)


@dataclass(frozen=True)
class Unary(Operator):
    """``out = f(x)`` element by element.

    Every int8 function becomes a table of 256 values: one kernel, ``lookup_s8``, computes all.
    """

    is_elementwise = True

    def overlaps(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Mapping[int, Overlap]:
        """Let the output lie over the input."""
        return element_overlaps(inputs, outputs[0])

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, quantization and shapes."""
        if len(inputs) != 1 or len(outputs) != 1:
            yield f"has {len(inputs)} inputs and {len(outputs)} outputs, expected 1 and 1"
            return
        x, out = inputs[0], outputs[0]
        yield from wanted(x, "input", *self.kernels)
        if x is None:
            return
        yield from wanted(out, "output", x.dtype)
        yield from wanted_shape(x, "input", out.shape)
        if x.dtype not in self.kernels or out.dtype is not x.dtype:
            return
        if x.dtype in QUANTIZED:
            for tensor, role in ((x, "input"), (out, "output")):
                yield from quantized_problems(tensor, role)
            if any(t.quant is None or len(t.quant.scale) != 1 for t in (x, out)):
                return
        yield from self.limits(x, out)

    def limits(self, x: Tensor, out: Tensor) -> Iterator[str]:
        """Yield what else an operator cannot take."""
        yield from ()

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Look up, or compute in numpy."""
        x, out = inputs[0], outputs[0]
        assert x is not None and values[0] is not None
        with np.errstate(all="ignore"):
            if x.dtype is DType.INT8:
                return (self.table(x, out)[values[0].astype(np.int64) + 128],)
            y = self.compute(values[0], x, out)
        return (y.astype(out.dtype.value),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Call the kernel of the input's type."""
        x, out = inputs[0], outputs[0]
        assert x is not None
        params: Params = {"elements": out.elements}
        computed = (x,) if x.data is None else ()
        constants: tuple[Array, ...] = () if x.data is None else (x.data,)
        kernel = self.kernels[x.dtype][0]
        if x.dtype is DType.INT8:
            return (
                KernelCall(kernel, params, computed, outputs, (*constants, self.table(x, out))),
            )
        params |= self.arithmetic(x, out)
        constants += self.tables(x)
        return (KernelCall(kernel, params, computed, outputs, constants),)

    def table(self, x: Tensor, out: Tensor) -> Array:
        """Return the int8 outputs for the inputs -128 to 127."""
        with np.errstate(all="ignore"):
            y = self.quantized(np.arange(-128, 128, dtype=np.int64), x, out)
        return np.clip(y, -128, 127).astype(np.int8)

    def tables(self, x: Tensor) -> tuple[Array, ...]:
        """Return the constants of the kernels that are not for int8."""
        return ()

    def quantized(self, q: Array, x: Tensor, out: Tensor) -> Array:
        """Return quantized outputs, as integers that need not fit yet, for quantized inputs."""
        raise NotImplementedError

    @abstractmethod
    def arithmetic(self, x: Tensor, out: Tensor) -> Params:
        """Return the parameters, besides ``elements``, of a kernel that is not for int8."""

    @abstractmethod
    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute what is not int8."""


@dataclass(frozen=True)
class FloatFunction(Unary):
    """A function that ``unary_f32`` computes, filed there under the operator's name."""

    kernels = {DType.FLOAT32: ("unary_f32",)}

    def arithmetic(self, x: Tensor, out: Tensor) -> Params:
        """Return the function's number."""
        return {"function": FUNCTIONS.index(self.tflite)}
