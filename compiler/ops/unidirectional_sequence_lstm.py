"""UNIDIRECTIONAL_SEQUENCE_LSTM: the plain LSTM of Keras, whose two states outlive the inference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor
from tinysim.compiler.ops import (
    CHANNEL,
    MAX_RATIO,
    Inputs,
    KernelCall,
    Operator,
    Options,
    wanted,
    wanted_constant,
    wanted_quant,
    wanted_ratio,
    wanted_shape,
)
from tinysim.compiler.ops._lstm import Sizes, float_reference, integer_reference
from tinysim.compiler.ops._sigmoid_table import sigmoid_table
from tinysim.compiler.quantize import quantize_multiplier, reduced_multiplier, wrap_int32

#: Places of weights and biases, the gates in the order input, forget, cell, output.
_INPUT_WEIGHTS, _HIDDEN_WEIGHTS, _BIASES = range(1, 5), range(5, 9), range(12, 16)
#: Places of what only other kinds of LSTM have.
_ABSENT = {9: "peephole", 16: "projection", 20: "layer norm"}
_ABSENT |= {10: "peephole", 11: "peephole", 17: "projection", 21: "layer norm"}
_ABSENT |= {22: "layer norm", 23: "layer norm"}
_HIDDEN, _CELL = 18, 19

#: Largest ratio of scales that 64-bit requantization can express (a left shift of 8).
MAX_WIDE_RATIO = 2.0**8

#: Types of the biases, by that of the input.
_BIAS_TYPES = {DType.INT8: DType.INT32, DType.INT16: DType.INT64}

#: Scales of what goes into a gate's function and of what comes out.
_GATE_SCALE, _UNIT_SCALE = 2.0**-12, 2.0**-15


@dataclass(frozen=True)
class UnidirectionalSequenceLstm(Operator):
    """``h = o * tanh(c)``, ``c = f * c + i * g`` at each step, ``out`` is every ``h``.

    Each gate is ``sigmoid(W x + b + R h)``, ``g`` is ``tanh`` of it. Shapes: input
    ``[B, T, I]`` (``[T, B, I]`` if time is major), W ``[U, I]``, R ``[U, U]``, b ``[U]``, states
    ``B * U`` elements, output as the input with U in the place of I.
    """

    tflite = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    kernels = {
        DType.INT8: ("lstm_s8",),
        DType.INT16: ("lstm_s16",),
        DType.FLOAT32: ("lstm_f32",),
    }
    state_inputs = (_HIDDEN, _CELL)

    cell_activation: str
    time_major: bool
    cell_clip: float

    @classmethod
    def from_tflite(cls, options: Options) -> UnidirectionalSequenceLstm:
        """Take the cell gate's function, the order of the axes and the cell's limit."""
        return cls(
            options["FusedActivationFunction"],
            bool(options["TimeMajor"]),
            float(options["CellClip"]),
        )

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Check that it is the plain LSTM, and its types, shapes and quantization."""
        if len(inputs) != 24:
            yield f"has {len(inputs)} inputs, expected 24"
            return
        if self.cell_activation != "TANH":
            yield f"the cell gate's function is {self.cell_activation}, expected TANH"
        if not (math.isfinite(self.cell_clip) and self.cell_clip >= 0):
            yield f"the cell is clipped at {self.cell_clip}"
        kinds = {kind for index, kind in _ABSENT.items() if inputs[index] is not None}
        yield from (f"an LSTM with {kind} has no kernel" for kind in sorted(kinds))
        needed = (0, *_INPUT_WEIGHTS, *_HIDDEN_WEIGHTS, *_BIASES, _HIDDEN, _CELL)
        if any(inputs[index] is None for index in needed):
            yield "input, weights, biases or states are missing"
            return
        yield from self._tensor_problems(inputs, outputs[0])

    def _tensor_problems(self, inputs: Inputs, out: Tensor) -> Iterator[str]:
        x, hidden, cell = inputs[0], inputs[_HIDDEN], inputs[_CELL]
        assert x is not None and hidden is not None and cell is not None
        yield from wanted(x, "input", *self.kernels)
        is_float = x.dtype is DType.FLOAT32
        yield from wanted(out, "output", x.dtype)
        yield from wanted(hidden, "hidden state", x.dtype)
        yield from wanted(cell, "cell state", DType.FLOAT32 if is_float else DType.INT16)
        weights = inputs[_INPUT_WEIGHTS[0]]
        assert weights is not None
        if len(x.shape) != 3 or len(weights.shape) != 2:
            yield "input must have 3 dimensions, weights 2"
            return
        units, (batches, features) = weights.shape[0], (self._sizes(inputs).batches, x.shape[2])
        yield from wanted_shape(out, "output", (*x.shape[:2], units))
        if hidden.elements != batches * units or cell.elements != batches * units:
            yield f"states do not go with {batches} times {units} units"
        multiplied = DType.FLOAT32 if is_float else DType.INT8
        groups = (
            (_INPUT_WEIGHTS, "input weights", (units, features), multiplied),
            (_HIDDEN_WEIGHTS, "hidden weights", (units, units), multiplied),
            (_BIASES, "bias", (units,), _BIAS_TYPES.get(x.dtype, x.dtype)),
        )
        for places, role, shape, dtype in groups:
            for index in places:
                yield from wanted(inputs[index], role, dtype)
                yield from wanted_constant(inputs[index], role)
                yield from wanted_shape(inputs[index], role, shape)
        if not is_float:
            yield from self._quant_problems(inputs)

    def _quant_problems(self, inputs: Inputs) -> Iterator[str]:
        weights = (*_INPUT_WEIGHTS, *_HIDDEN_WEIGHTS)
        for index in (0, _HIDDEN, _CELL, *weights):
            yield from wanted_quant(inputs[index], f"input {index}")
        if any((t := inputs[i]) is None or not t.quant for i in (0, _HIDDEN, _CELL, *weights)):
            return
        if any((tensor := inputs[index]) and tensor.zero_point for index in (*weights, _CELL)):
            yield "weights or cell state have a zero point"
        x, hidden, cell = inputs[0], inputs[_HIDDEN], inputs[_CELL]
        assert x is not None and hidden is not None and cell is not None
        power = math.log2(cell.scale)
        if abs(power - round(power)) > 1e-3 or not -30 <= round(power) <= 2:
            yield f"cell scale {cell.scale:g} is no power of two between 2**-30 and 4"
        limit = MAX_RATIO
        if x.dtype is DType.INT16:
            limit = MAX_WIDE_RATIO
            if x.zero_point or hidden.zero_point:
                yield "input or hidden state are int16 with a zero point"
        for index in weights:
            yield from wanted_ratio(_gate_ratio(inputs, index), f"scale of weights {index}", limit)
        yield from wanted_ratio(_UNIT_SCALE**2 / cell.scale, "gate scale over cell scale")
        yield from wanted_ratio(_UNIT_SCALE**2 / hidden.scale, "gate scale over hidden scale")

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """``4 * B * T * U * (I + U)``."""
        sizes = self._sizes(inputs)
        rows = sizes.batches * sizes.steps
        return 4 * rows * sizes.units * (sizes.features + sizes.units)

    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Run all steps with the states as they are."""
        x, hidden, cell = values[0], values[_HIDDEN], values[_CELL]
        assert x is not None and hidden is not None and cell is not None
        (call,) = self.lower(inputs, outputs)
        sizes = self._sizes(inputs)
        by_time = x if self.time_major else x.swapaxes(0, 1)
        compute = float_reference if x.dtype == np.float32 else integer_reference
        state = (sizes.batches, sizes.units)
        steps, h, c = compute(
            sizes, call.params, call.constants, by_time, hidden.reshape(state), cell.reshape(state)
        )
        out = steps if self.time_major else steps.swapaxes(0, 1)
        return out, h.reshape(hidden.shape), c.reshape(cell.shape)

    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Stack the gates' weights; zero points go into the biases."""
        x, hidden, cell = inputs[0], inputs[_HIDDEN], inputs[_CELL]
        assert x is not None and hidden is not None and cell is not None
        sizes = self._sizes(inputs)
        by_input, by_hidden, bias = (
            np.stack([_data(inputs[index]) for index in places])
            for places in (_INPUT_WEIGHTS, _HIDDEN_WEIGHTS, _BIASES)
        )
        params: dict[str, int | float] = {
            "batches": sizes.batches,
            "steps": sizes.steps,
            "features": sizes.features,
            "units": sizes.units,
            "batch_stride": 1 if self.time_major else sizes.steps,
            "step_stride": sizes.batches if self.time_major else 1,
        }
        written = (outputs[0], hidden, cell)
        if x.dtype is DType.FLOAT32:
            params["cell_clip"] = self.cell_clip or math.inf
            return (KernelCall("lstm_f32", params, (x,), written, (by_input, by_hidden, bias)),)
        params |= self._quant_params(hidden, cell)
        is_wide = x.dtype is DType.INT16
        scaling = np.zeros((4, 2), CHANNEL)
        for gate in range(4):
            for part, places in enumerate((_INPUT_WEIGHTS, _HIDDEN_WEIGHTS)):
                multiplier, shift = quantize_multiplier(_gate_ratio(inputs, places[gate]))
                used = reduced_multiplier(multiplier) if is_wide else multiplier
                scaling[gate, part] = (0, used, shift)
        constants = (by_input, by_hidden, bias, scaling, sigmoid_table())
        if is_wide:
            del params["hidden_offset"]
            return (KernelCall("lstm_s16", params, (x,), written, constants),)
        first = bias.astype(np.int64) - x.zero_point * by_input.sum(axis=2, dtype=np.int64)
        second = -hidden.zero_point * by_hidden.sum(axis=2, dtype=np.int64)
        biases = wrap_int32(np.stack([first, second], axis=1)).astype(np.int32)
        constants = (by_input, by_hidden, biases, scaling, sigmoid_table())
        return (KernelCall("lstm_s8", params, (x,), written, constants),)

    def _quant_params(self, hidden: Tensor, cell: Tensor) -> dict[str, int]:
        kept = quantize_multiplier(_UNIT_SCALE * cell.scale / cell.scale)
        taken = quantize_multiplier(_UNIT_SCALE * _UNIT_SCALE / cell.scale)
        shown = quantize_multiplier(_UNIT_SCALE * _UNIT_SCALE / hidden.scale)
        clip = min(int(self.cell_clip / cell.scale), 32767) if self.cell_clip > 0 else 32768
        left = round(math.log2(cell.scale)) + 12
        return {
            "kept_multiplier": kept[0],
            "kept_shift": kept[1],
            "taken_multiplier": taken[0],
            "taken_shift": taken[1],
            "hidden_multiplier": shown[0],
            "hidden_shift": shown[1],
            "hidden_offset": hidden.zero_point,
            "cell_clip": clip,
            "tanh_multiplier": 3 << max(left, 0),
            "tanh_shift": max(-left, 0),
        }

    def _sizes(self, inputs: Inputs) -> Sizes:
        x, weights = inputs[0], inputs[_INPUT_WEIGHTS[0]]
        assert x is not None and weights is not None
        steps, batches = x.shape[:2] if self.time_major else x.shape[1::-1]
        return Sizes(batches, steps, x.shape[2], weights.shape[0])


def _data(tensor: Tensor | None) -> Array:
    assert tensor is not None and tensor.data is not None
    return tensor.data


def _gate_ratio(inputs: Inputs, index: int) -> float:
    """Return a product's scale over the gates'; the product is of single precision in TFLM."""
    source, weights = inputs[0 if index in _INPUT_WEIGHTS else _HIDDEN], inputs[index]
    assert source is not None and weights is not None
    with np.errstate(all="ignore"):
        return float(np.float32(source.scale) * np.float32(weights.scale)) / _GATE_SCALE
