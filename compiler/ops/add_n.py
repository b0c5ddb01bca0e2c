"""ADD_N: the sum of any number of tensors of one shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    Inputs,
    KernelCall,
    Operator,
    wanted,
    wanted_quant,
    wanted_ratio,
    wanted_shape,
)
from tinysim.compiler.ops._elementwise import Params, multiplier_params
from tinysim.compiler.ops.add import Add
from tinysim.compiler.ops.cumsum import LEFT_SHIFT
from tinysim.compiler.quantize import requantize, wrap_int32


@dataclass(frozen=True)
class AddN(Operator):
    """``out = sum of inputs``; int8 inputs have one quantization.

    As in TFLM, sums of int8 begin with the zero point, taken off once more.
    """

    tflite = "ADD_N"
    kernels = {DType.INT8: ("add_n_s8",), DType.FLOAT32: ("add_f32",)}

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check types, shapes and quantization."""
        out = outputs[0]
        if len(inputs) < 2:
            yield f"has {len(inputs)} inputs, expected 2 or more"
        for index, x in enumerate(inputs):
            yield from wanted(x, f"input {index}", *self.kernels)
            yield from wanted(x, f"input {index}", out.dtype)
            yield from wanted_shape(x, f"input {index}", out.shape)
            if x is not None and x.data is not None:
                yield f"input {index} is a constant, the kernels sum what is computed"
        if out.dtype is DType.INT8 and inputs and inputs[0] is not None:
            problems = list(wanted_quant(out, "output"))
            for index, x in enumerate(inputs):
                problems += wanted_quant(x, f"input {index}")
                if x is not None and x.quant != inputs[0].quant:
                    problems.append(f"input {index} has another quantization than the first")
            yield from problems
            if not problems:
                ratio = 2.0 * inputs[0].scale / out.scale
                yield from wanted_ratio(ratio, "input scale over output scale", 2.0**20)

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count none."""
        return 0

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Sum in order."""
        terms = [value for value in values if value is not None]
        if terms[0].dtype == np.float32:
            with np.errstate(all="ignore"):
                return (np.add.accumulate(terms)[-1],)
        p = {key: int(value) for key, value in self.lower(inputs, outputs)[0].params.items()}
        total = p["input_offset"] + sum(term.astype(np.int64) + p["input_offset"] for term in terms)
        raised = wrap_int32(np.asarray(total) << LEFT_SHIFT)
        y = requantize(raised, p["output_multiplier"], p["output_shift"]) + p["output_offset"]
        return (np.clip(y, -128, 127).astype(np.int8),)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Add floats to the output one by one, int8 to sums in the scratch buffer."""
        out, terms = outputs[0], tuple(x for x in inputs if x is not None)
        if out.dtype is DType.FLOAT32:
            pairs = [(terms[0], terms[1]), *((out, term) for term in terms[2:])]
            return tuple(call for pair in pairs for call in Add("NONE").lower(pair, outputs))
        calls = []
        for index, term in enumerate(terms):
            params: Params = {
                "elements": out.elements,
                "is_first": int(index == 0),
                "is_last": int(index == len(terms) - 1),
                "input_offset": -term.zero_point,
                "output_offset": out.zero_point,
            }
            params |= multiplier_params("output", 2.0 * term.scale / (2.0**20 * out.scale))
            scratch = 4 * out.elements
            calls.append(KernelCall("add_n_s8", params, (term,), outputs, (), scratch))
        return tuple(calls)
