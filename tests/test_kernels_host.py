"""The C kernels, built for the host under the undefined-behavior sanitizer.

Each must give bit for bit what its operator's numpy reference gives, and touch nothing else.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinysim.compiler import quantize
from tinysim.compiler.graph import Array, DType, Quant, Tensor
from tinysim.compiler.ops import CHANNEL, KernelCall, Operator, operator_class, operator_names
from tinysim.compiler.ops._weights import SlidingFilter
from tinysim.compiler.ops.add import Add
from tinysim.compiler.ops.average_pool_2d import AveragePool2D
from tinysim.compiler.ops.conv_2d import Conv2D
from tinysim.compiler.ops.depthwise_conv_2d import DepthwiseConv2D
from tinysim.compiler.ops.dequantize import Dequantize
from tinysim.compiler.ops.fully_connected import FullyConnected
from tinysim.compiler.ops.log_softmax import LogSoftmax
from tinysim.compiler.ops.max_pool_2d import MaxPool2D
from tinysim.compiler.ops.mean import Mean
from tinysim.compiler.ops.quantize import Quantize
from tinysim.compiler.ops.softmax import Softmax, _reciprocal
from tinysim.compiler.ops.transpose import Transpose
from tinysim.compiler.ops.transpose_conv import TransposeConv
from tinysim.kernels import header_names, read_kernel

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="no gcc on this host: the C kernels cannot be run natively"
)

examples = settings(deadline=None, max_examples=40)

WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
#: What portable headers take from the tuned ones, where the core has its instructions.
SHARED_HEADERS = ("dsp.h",)
SANITIZED = ["-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-shared", "-fPIC"]
CORES = ["cortex-m0plus", "cortex-m4"]

C_TYPES = {
    CHANNEL: "ts_channel",
    np.dtype("int8"): "int8_t",
    np.dtype("int16"): "int16_t",
    np.dtype("int32"): "int32_t",
    np.dtype("int64"): "int64_t",
    np.dtype("float32"): "float",
}
#: A tensor that is computed at run time: its values and quantization.
Computed = tuple[Array, Quant | None]

Pair = tuple[int, int]

FRAME_BYTES = 64
FRAME_VALUE = 0xA5

#: Arithmetic of the shared headers, over arrays: name -> (expression, arguments, result).
ARITHMETIC = {
    "high_mul": ("ts_high_mul(a[i], b[i])", "int32_t", "int32_t"),
    "shift_right": ("ts_rounding_shift_right(a[i], b[i])", "int32_t", "int32_t"),
    "requantize": ("ts_requantize(a[i], b[i], c[i])", "int32_t", "int32_t"),
    "requantize_once": ("ts_requantize_once(a[i], b[i], c[i])", "int32_t", "int32_t"),
    "requantize_float": ("ts_requantize_float(a[i], b[i], c[i])", "int32_t", "int32_t"),
    "requantize_wide": (
        "ts_requantize_wide(a[i], (int32_t)b[i], (int32_t)c[i])",
        "int64_t",
        "int64_t",
    ),
    "round_even": ("(float)ts_round_even(a[i])", "float", "float"),
    "exp": ("ts_exp_f32(a[i])", "float", "float"),
    "log": ("ts_log_f32(a[i])", "float", "float"),
    "reciprocal": ("ts_softmax_s8_reciprocal(a[i])", "int32_t", "int32_t"),
}


@dataclass(frozen=True, eq=False)
class Layer:
    """An operator on tensors, with the values of those that are computed at run time."""

    op: Operator
    inputs: tuple[Tensor | None, ...]
    output: Tensor
    values: tuple[Array, ...]

    @property
    def call(self) -> KernelCall:
        """The kernel's arguments."""
        (call,) = self.op.lower(self.inputs, (self.output,))
        return call

    @property
    def expected(self) -> Array:
        """The output by the reference; the layer must be one that the compiler accepts."""
        assert list(self.op.problems(self.inputs, (self.output,))) == []
        computed: Iterator[Array] = iter(self.values)
        values = tuple(
            None if t is None else next(computed) if t.data is None else t.data for t in self.inputs
        )
        with np.errstate(over="ignore"):
            return self.op.reference(self.inputs, (self.output,), values)[0]


# --- building and calling the C -------------------------------------------------------------------


def arguments(call: KernelCall) -> list[str]:
    """C parameters of a kernel behind ``params``, as types and names."""
    ins = [np.dtype(t.dtype.value) for t in call.inputs] + [c.dtype for c in call.constants]
    outs = [np.dtype(t.dtype.value) for t in call.outputs]
    types = [f"const {C_TYPES[dtype]}" for dtype in ins] + [C_TYPES[dtype] for dtype in outs]
    return [f"{name} *a{index}" for index, name in enumerate(types)]


def passed(call: KernelCall) -> str:
    """The arguments that go with ``arguments``."""
    return ", ".join(f"a{index}" for index in range(len(arguments(call))))


def host_source() -> str:
    """One exported function a kernel and a piece of arithmetic."""
    lines = [f'#include "{name}"' for name in header_names()]
    for kernel, layer in SAMPLES.items():
        parameters = ", ".join([f"const ts_{kernel}_params *params", *arguments(layer.call)])
        lines += [
            f"void run_{kernel}({parameters});",
            f"void run_{kernel}({parameters})",
            f"{{ ts_{kernel}(params, {passed(layer.call)}); }}",
        ]
    for name, (expression, taken, given_) in ARITHMETIC.items():
        used = [letter for letter in "abc" if f"{letter}[i]" in expression]
        parameters = ", ".join([*(f"const {taken} *{letter}" for letter in used), f"{given_} *out"])
        lines += [
            f"void many_{name}(int32_t count, {parameters});",
            f"void many_{name}(int32_t count, {parameters})",
            f"{{ for (int32_t i = 0; i < count; i++) {{ out[i] = {expression}; }} }}",
        ]
    return "\n".join(lines) + "\n"


def device_source() -> str:
    """Each kernel with its parameters as literals, as the compiler emits it."""
    lines = [f'#include "{name}"' for name in header_names()]
    for kernel, layer in SAMPLES.items():
        fields = ", ".join(f".{key} = {value!r}" for key, value in layer.call.params.items())
        lines += [
            f"void run_{kernel}({', '.join(arguments(layer.call))});",
            f"void run_{kernel}({', '.join(arguments(layer.call))})",
            f"{{ const ts_{kernel}_params params = {{{fields}}};",
            f"ts_{kernel}(&params, {passed(layer.call)}); }}",
        ]
    return "\n".join(lines) + "\n"


def build(folder: Path, compiler: str, flags: list[str], text: str) -> Path:
    """Compile ``text`` beside the headers; what the compiler says is what the test fails with."""
    for name in (*header_names(), *SHARED_HEADERS):
        (folder / name).write_text(read_kernel(name), encoding="utf-8")
    source, target = folder / "wrapper.c", folder / "wrapper.out"
    source.write_text(text, encoding="utf-8")
    command = [compiler, *WARNINGS, *flags, str(source), "-o", str(target)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return target


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """All kernels, behind exported functions."""
    folder = tmp_path_factory.mktemp("kernels")
    return ctypes.CDLL(str(build(folder, "gcc", SANITIZED, host_source())))


@dataclass(frozen=True, eq=False)
class Framed:
    """A copy of an array in a frame of bytes that nobody may touch."""

    whole: Array
    inner: Array

    @classmethod
    def around(cls, array: Array) -> Framed:
        """Copy ``array`` into a frame."""
        whole = np.full(array.nbytes + 2 * FRAME_BYTES, FRAME_VALUE, np.uint8)
        inner = whole[FRAME_BYTES : FRAME_BYTES + array.nbytes].view(array.dtype)
        inner[:] = array.ravel()
        return cls(whole, inner)

    @property
    def pointer(self) -> ctypes.c_void_p:
        """Where the array begins."""
        return ctypes.c_void_p(self.whole.ctypes.data + FRAME_BYTES)

    @property
    def is_intact(self) -> bool:
        """Whether the frame is as it was."""
        frame = np.concatenate([self.whole[:FRAME_BYTES], self.whole[-FRAME_BYTES:]])
        return bool((frame == FRAME_VALUE).all())


def packed(params: dict[str, int | float]) -> ctypes.Array[ctypes.c_char]:
    """The params structure in memory."""
    layout = "".join("f" if isinstance(value, float) else "i" for value in params.values())
    return ctypes.create_string_buffer(struct.pack(layout, *params.values()))


def run(host: ctypes.CDLL, layer: Layer, *, in_place: bool = False) -> Array:
    """Call the kernel of ``layer`` and return its output."""
    call = layer.call
    read = [Framed.around(array) for array in (*layer.values, *call.constants)]
    before = [framed.inner.tobytes() for framed in read]
    dtype = np.dtype(layer.output.dtype.value)
    written = read[0] if in_place else Framed.around(np.zeros(layer.output.elements, dtype))
    function = getattr(host, f"run_{call.kernel}")
    function.restype = None
    function(packed(dict(call.params)), *(framed.pointer for framed in read), written.pointer)
    assert all(framed.is_intact for framed in (*read, written)), "wrote beside its output"
    for framed, copy in zip(read, before, strict=True):
        assert framed is written or framed.inner.tobytes() == copy, "wrote to an input"
    return written.inner.reshape(layer.output.shape)


def many(host: ctypes.CDLL, name: str, *arrays: Array) -> Array:
    """Map a piece of shared arithmetic over arrays."""
    contiguous = [np.ascontiguousarray(array) for array in arrays]
    out = np.zeros_like(contiguous[0])
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*contiguous, out)]
    getattr(host, f"many_{name}")(ctypes.c_int32(out.size), *pointers)
    return out


def assert_exact(actual: Array, expected: Array) -> None:
    """Same type, same shape, same values."""
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected.reshape(actual.shape))


# --- layers ---------------------------------------------------------------------------------------


def tensor(shape: tuple[int, ...], dtype: DType = DType.INT8, **kwargs: Any) -> Tensor:
    """A tensor of no particular name."""
    return Tensor(0, "", shape, dtype, **kwargs)


def constant(data: Array, quant: Quant | None = None) -> Tensor:
    """A tensor of the model file."""
    return tensor(data.shape, DType(data.dtype.name), quant=quant, data=data)


def per_tensor(scale: float, zero_point: int) -> Quant:
    """Quantization with a scale that a model file can hold."""
    return Quant((float(np.float32(scale)),), (zero_point,))


def zeros(*shape: int) -> Array:
    """An int8 array for a sample."""
    return np.zeros(shape, np.int8)


def layer_of(
    op: Operator, shape: tuple[int, ...], quant: Quant | None, *inputs: Computed | Tensor | None
) -> Layer:
    """An operator with an output of ``shape`` and ``quant``: float32 if without, else integers."""
    tensors: list[Tensor | None] = []
    for source in inputs:
        if isinstance(source, tuple):
            array, its_quant = source
            tensors.append(tensor(array.shape, DType(array.dtype.name), quant=its_quant))
        else:
            tensors.append(source)
    values = tuple(source[0] for source in inputs if isinstance(source, tuple))
    is_wide = bool(values) and values[0].dtype == np.int16
    dtype = DType.FLOAT32 if quant is None else DType.INT16 if is_wide else DType.INT8
    output = tensor(shape, dtype, quant=quant)
    return Layer(op, tuple(tensors), output, values)


HALF = per_tensor(0.5, 3)
PROBABILITY = per_tensor(1 / 256, -128)
WEIGHT = per_tensor(0.25, 0)
IMAGE = (zeros(2, 9, 8, 3), HALF)
WIDE_IMAGE = (np.zeros((2, 9, 8, 3), np.int16), per_tensor(0.5, 0))
FLOAT_IMAGE = (np.zeros((2, 9, 8, 3), np.float32), None)


def weighted(source: Computed) -> tuple[Layer, ...]:
    """Every operator with weights, on an input of ``IMAGE``'s shape."""
    quant = source[1]

    def weights(*shape: int) -> Tensor:
        if quant is None:
            return constant(np.zeros(shape, np.float32))
        return constant(zeros(*shape), WEIGHT)

    wanted = constant(np.array([2, 18, 8, 4], np.int32))
    return (
        layer_of(
            *(Conv2D("SAME", 2, 1, 1, 2, "RELU"), (2, 5, 8, 4), quant),
            *(source, weights(4, 3, 2, 3), None),
        ),
        layer_of(
            *(DepthwiseConv2D("SAME", 1, 2, 1, 1, "RELU6"), (2, 9, 4, 6), quant),
            *(source, weights(1, 3, 3, 6), None),
        ),
        layer_of(*(FullyConnected("NONE", 0), (144, 5), quant), *(source, weights(5, 3), None)),
        layer_of(
            *(TransposeConv("SAME", 2, 1, "RELU"), (2, 18, 8, 4), quant),
            *(wanted, weights(4, 3, 2, 3), source, None),
        ),
    )


#: One layer a kernel.
SAMPLES: dict[str, Layer] = {
    layer.call.kernel: layer
    for layer in (
        *(layer for source in (IMAGE, WIDE_IMAGE, FLOAT_IMAGE) for layer in weighted(source)),
        layer_of(AveragePool2D("SAME", 2, 2, 3, 2, "NONE"), (2, 5, 4, 3), HALF, IMAGE),
        layer_of(MaxPool2D("VALID", 2, 2, 3, 2, "NONE"), (2, 4, 4, 3), HALF, IMAGE),
        layer_of(Add("RELU"), (2, 9, 8, 3), HALF, IMAGE, IMAGE),
        layer_of(
            *(Transpose(), (9, 2, 3, 8), HALF),
            *(IMAGE, constant(np.array([1, 0, 3, 2], np.int32))),
        ),
        layer_of(Mean(), (2, 3), PROBABILITY, IMAGE, constant(np.array([1, 2], np.int32))),
        layer_of(Softmax(1.0), (2, 9, 8, 3), PROBABILITY, IMAGE),
        layer_of(Quantize(), (5,), HALF, (np.zeros(5, np.float32), None)),
        layer_of(Quantize(), (2, 9, 8, 3), PROBABILITY, IMAGE),
        layer_of(Dequantize(), (2, 9, 8, 3), None, IMAGE),
        layer_of(LogSoftmax(), (3, 12), None, (np.zeros((3, 12), np.float32), None)),
    )
}


# --- strategies -----------------------------------------------------------------------------------

ACTIVATIONS = st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
ZERO_POINTS = st.integers(-128, 127) | st.sampled_from([-128, 0, 127])
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def int8_arrays(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    """Any values, one extreme, or both extremes mixed."""
    rng = np.random.default_rng(draw(SEEDS))
    choices: dict[str, Callable[[], Array]] = {
        "any": lambda: rng.integers(-128, 128, shape),
        "lowest": lambda: np.full(shape, -128),
        "highest": lambda: np.full(shape, 127),
        "extremes": lambda: rng.choice([-128, 127], shape),
    }
    kind = draw(st.sampled_from(["any", "any", "any", *choices]))
    return choices[kind]().astype(np.int8)


@st.composite
def quants(draw: st.DrawFn, least: float = -8, most: float = 4) -> Quant:
    """A scale between two powers of two, and a zero point."""
    return per_tensor(2.0 ** draw(st.floats(least, most)), draw(ZERO_POINTS))


@st.composite
def biases(draw: st.DrawFn, channels: int) -> Tensor | None:
    """None, small, or as large as int32 goes."""
    size = draw(st.sampled_from([0, 1, 2**14, 2**31]))
    if size == 0:
        return None
    rng = np.random.default_rng(draw(SEEDS))
    if size == 2**31 and draw(st.booleans()):
        return constant(rng.choice([-(2**31), 2**31 - 1], channels).astype(np.int32))
    return constant(rng.integers(-size, size, channels).astype(np.int32))


@st.composite
def weight_quants(draw: st.DrawFn, x: Quant, channels: int, products: int) -> tuple[Quant, Quant]:
    """Quantizations of filter and output: mostly such that outputs spread over int8."""
    scales = [2.0**-7]
    if draw(st.booleans()):
        spread = draw(st.lists(st.floats(-3, 3), min_size=channels, max_size=channels))
        scales = [2.0 ** (exponent - 7) for exponent in spread]
    weights = Quant(tuple(float(np.float32(scale)) for scale in scales), (0,) * len(scales))
    octaves = draw(st.floats(-2, 2) | st.floats(-2, 2) | st.floats(-28, 24))
    spread_of_sums = 5000 * products**0.5
    scale = x.scale[0] * 2.0**-7 * spread_of_sums / 64 * 2.0**octaves
    return weights, per_tensor(scale, draw(ZERO_POINTS))


@st.composite
def windows(draw: st.DrawFn, *, most_dilation: int = 3) -> tuple[str, Pair, Pair, Pair, Pair]:
    """Padding, strides, filter, dilations, and a size of the input that gives outputs."""
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    strides, filter_ = draw(pairs), draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilations = draw(st.tuples(st.integers(1, most_dilation), st.integers(1, most_dilation)))
    spans = [(filter_[axis] - 1) * dilations[axis] + 1 for axis in (0, 1)]
    least = spans if padding == "VALID" else [1, 1]
    size = (draw(st.integers(least[0], least[0] + 7)), draw(st.integers(least[1], least[1] + 7)))
    return padding, strides, filter_, dilations, size


@st.composite
def convolutions(draw: st.DrawFn, kind: type[SlidingFilter]) -> Layer:
    """Either convolution, of any geometry."""
    padding, strides, filter_, dilations, size = draw(windows())
    n, c, growth = draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    o = growth * c if kind is DepthwiseConv2D else growth
    shape = (1, *filter_, o) if kind is DepthwiseConv2D else (o, *filter_, c)
    x, weights = draw(int8_arrays((n, *size, c))), draw(int8_arrays(shape))
    op = kind(padding, *strides, *dilations, draw(ACTIVATIONS))
    x_quant = draw(quants())
    weight_quant, out_quant = draw(weight_quants(x_quant, o, prod(shape) // o))
    out = (n, *op.window(constant(weights)).output_size(*size), o)
    bias = draw(biases(o))
    return layer_of(op, out, out_quant, (x, x_quant), constant(weights, weight_quant), bias)


@st.composite
def products(draw: st.DrawFn) -> Layer:
    """A matrix times some vectors."""
    n, i, o = draw(st.integers(1, 4)), draw(st.integers(1, 70)), draw(st.integers(1, 9))
    x, weights = draw(int8_arrays((n, i))), draw(int8_arrays((o, i)))
    x_quant = draw(quants())
    weight_quant, out_quant = draw(weight_quants(x_quant, o, i))
    op, bias = FullyConnected(draw(ACTIVATIONS), 0), draw(biases(o))
    return layer_of(op, (n, o), out_quant, (x, x_quant), constant(weights, weight_quant), bias)


@st.composite
def pools(draw: st.DrawFn, kind: type[AveragePool2D | MaxPool2D]) -> Layer:
    """Either pooling."""
    padding, strides, filter_, _, size = draw(windows(most_dilation=1))
    n, c = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    op, quant = kind(padding, *strides, *filter_, draw(ACTIVATIONS)), draw(quants())
    out = (n, *op.window.output_size(*size), c)
    return layer_of(op, out, quant, (draw(int8_arrays((n, *size, c))), quant))


@st.composite
def additions(draw: st.DrawFn) -> Layer:
    """Two tensors of scales that may lie far apart."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 9)))
    wide = quants(-12, 4)
    a, b = ((draw(int8_arrays(shape)), draw(wide)) for _ in range(2))
    return layer_of(Add(draw(ACTIVATIONS)), shape, draw(wide), a, b)


@st.composite
def means(draw: st.DrawFn) -> Layer:
    """Averages over neighbouring axes, counted from either end."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    first = draw(st.integers(0, len(shape) - 1))
    last = draw(st.integers(first, len(shape) - 1))
    axes = [axis - draw(st.sampled_from([0, len(shape)])) for axis in range(first, last + 1)]
    table = np.array(draw(st.permutations(axes)), np.int32)
    out = shape[:first] + shape[last + 1 :]
    x, wide = draw(int8_arrays(shape)), quants(-12, 8)
    return layer_of(Mean(), out, draw(wide), (x, draw(wide)), constant(table))


@st.composite
def softmaxes(draw: st.DrawFn) -> Layer:
    """Rows from one element on; scales from flat to winner-takes-all."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 60)))
    op, x = Softmax(draw(st.floats(0.25, 4))), draw(int8_arrays(shape))
    return layer_of(op, shape, PROBABILITY, (x, draw(quants(-12, 6))))


@st.composite
def requantizations(draw: st.DrawFn) -> Layer:
    """From int8 to int8, multipliers from far below one to far above."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 9)))
    wide = quants(-20, 10)
    return layer_of(Quantize(), shape, draw(wide), (draw(int8_arrays(shape)), draw(wide)))


@st.composite
def quantizations(draw: st.DrawFn) -> Layer:
    """From float32: anything but NaN, and what lies at and beside the ties."""
    quant = draw(quants(-20, 10))
    anything = draw(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40))
    ties = (np.arange(-300, 300) + 0.5) * quant.scale[0]
    around = [np.nextafter(ties.astype(np.float32), np.float32(end)) for end in (-np.inf, np.inf)]
    x = np.concatenate([np.array(anything), ties, *around]).astype(np.float32)
    return layer_of(Quantize(), x.shape, quant, (x, None))


@st.composite
def dequantizations(draw: st.DrawFn) -> Layer:
    """All int8 values under some scale, even one that makes subnormal floats."""
    x = np.arange(-128, 128, dtype=np.int8)
    return layer_of(Dequantize(), x.shape, None, (x, draw(quants(-20, 10) | quants(-140, 100))))


@st.composite
def log_softmaxes(draw: st.DrawFn) -> Layer:
    """Rows of finite floats, near each other or far apart."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 40)))
    rng = np.random.default_rng(draw(SEEDS))
    x = rng.normal(0, 10 ** draw(st.floats(-3, 4)), shape).astype(np.float32)
    return layer_of(LogSoftmax(), shape, None, (x, None))


# --- kernels against references -------------------------------------------------------------------


@examples
@given(layer=convolutions(Conv2D))
def test_conv_2d_s8_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=convolutions(DepthwiseConv2D))
def test_depthwise_conv_2d_s8_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@pytest.mark.parametrize("dilations", [(1, 1), (1, 2), (2, 1), (3, 2)])
@pytest.mark.parametrize("strides", [(1, 2), (2, 1)])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("kind", [Conv2D, DepthwiseConv2D])
def test_a_convolution_of_any_geometry_equals_its_reference(
    host: ctypes.CDLL, kind: type[SlidingFilter], padding: str, strides: Pair, dilations: Pair
) -> None:
    rng = np.random.default_rng(7)
    x = rng.integers(-128, 128, (2, 11, 9, 3)).astype(np.int8)
    shape = (1, 3, 4, 6) if kind is DepthwiseConv2D else (6, 3, 4, 3)
    weights = rng.integers(-128, 128, shape).astype(np.int8)
    op = kind(padding, *strides, *dilations, "NONE")
    out = (2, *op.window(constant(weights)).output_size(11, 9), 6)
    quant, constants = per_tensor(64.0, -5), (constant(weights, WEIGHT), None)
    layer = layer_of(op, out, quant, (x, HALF), *constants)
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=products())
def test_fully_connected_s8_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=pools(AveragePool2D))
def test_average_pool_2d_s8_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=pools(MaxPool2D))
def test_max_pool_2d_s8_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=additions())
def test_add_s8_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=means())
def test_sum_s8_equals_the_reference_of_mean(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=softmaxes())
def test_softmax_s8_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=requantizations())
def test_requantize_s8_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=quantizations())
def test_quantize_f32_s8_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=dequantizations())
def test_dequantize_s8_f32_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=log_softmaxes())
def test_log_softmax_f32_equals_its_reference(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer), layer.expected)


@examples
@given(layer=additions() | requantizations() | softmaxes() | log_softmaxes())
def test_kernels_that_may_work_in_place_do(host: ctypes.CDLL, layer: Layer) -> None:
    assert_exact(run(host, layer, in_place=True), layer.expected)


@pytest.mark.parametrize("filling", [-128, 127])
def test_an_accumulator_wraps_as_a_register_does(host: ctypes.CDLL, filling: int) -> None:
    x, weights = np.full((1, 70_000), filling, np.int8), np.full((1, 70_000), -128, np.int8)
    x_quant, out_quant = per_tensor(1, 127 if filling < 0 else -128), per_tensor(2.0**24, 0)
    tensors = ((x, x_quant), constant(weights, per_tensor(1, 0)), None)
    layer = layer_of(FullyConnected("NONE", 0), (1, 1), out_quant, *tensors)
    assert_exact(run(host, layer), layer.expected)


@pytest.mark.parametrize("depth", [511, 512, 600, 4096, 8191])
def test_softmax_of_a_long_flat_row_is_its_reference(host: ctypes.CDLL, depth: int) -> None:
    layer = layer_of(Softmax(1.0), (1, depth), PROBABILITY, (zeros(1, depth), HALF))
    assert_exact(run(host, layer), layer.expected)


def test_quantizing_no_number_gives_the_lowest(host: ctypes.CDLL) -> None:
    x = np.array([np.nan, -np.nan], np.float32)
    layer = layer_of(Quantize(), (2,), per_tensor(1, 0), (x, None))
    assert run(host, layer).tolist() == [-128, -128]


# --- shared arithmetic ----------------------------------------------------------------------------

EDGES = np.array([-(2**31), 1 - 2**31, -(2**30), -2, -1, 0, 1, 2, 2**30, 2**31 - 1], np.int32)


def int32_arrays(seed: int, count: int) -> Array:
    """Edges, small ones and any."""
    rng = np.random.default_rng(seed)
    anything = rng.integers(-(2**31), 2**31, count, np.int64) >> rng.integers(0, 31, count)
    return np.concatenate([EDGES, anything]).astype(np.int32)


@examples
@given(seed=SEEDS, shift=st.integers(-31, 30), multiplier=st.integers(2**30, 2**31 - 1))
def test_requantize_equals_the_compiler_s(
    host: ctypes.CDLL, seed: int, shift: int, multiplier: int
) -> None:
    acc = int32_arrays(seed, 1000)
    multipliers, shifts = np.full_like(acc, multiplier), np.full_like(acc, shift)
    expected = quantize.requantize(acc, multiplier, shift)
    np.testing.assert_array_equal(many(host, "requantize", acc, multipliers, shifts), expected)


@examples
@given(seed=SEEDS, shift=st.integers(-31, 30), multiplier=st.integers(2**30, 2**31 - 1))
def test_requantize_once_equals_the_compiler_s(
    host: ctypes.CDLL, seed: int, shift: int, multiplier: int
) -> None:
    acc = int32_arrays(seed, 1000)
    multipliers, shifts = np.full_like(acc, multiplier), np.full_like(acc, shift)
    found = many(host, "requantize_once", acc, multipliers, shifts)
    np.testing.assert_array_equal(found, quantize.requantize_once(acc, multiplier, shift))
    if shift <= 0:
        exact = [(int(x) * multiplier * 2 + 2 ** (31 - shift)) >> (32 - shift) for x in acc]
        np.testing.assert_array_equal(found, exact)


@examples
@given(seed=SEEDS, scale=st.floats(2.0**-32, 2.0**29, width=32))
def test_requantize_float_is_a_float_product_rounded_to_even(
    host: ctypes.CDLL, seed: int, scale: float
) -> None:
    multiplier, shift = quantize.quantize_multiplier(scale)
    acc = int32_arrays(seed, 1000)
    multipliers, shifts = np.full_like(acc, multiplier), np.full_like(acc, shift)
    found = many(host, "requantize_float", acc, multipliers, shifts)
    product = np.rint(acc.astype(np.float32) * np.float32(scale)).astype(np.float64)
    expected = np.clip(product, -(2**31), 2**31 - 1)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found, quantize.requantize_float(acc, multiplier, shift))


@examples
@given(seed=SEEDS, shift=st.integers(-31, 8), multiplier=st.integers(2**30, 2**31 - 1))
def test_requantize_wide_equals_the_compiler_s(
    host: ctypes.CDLL, seed: int, shift: int, multiplier: int
) -> None:
    rng = np.random.default_rng(seed)
    acc = rng.integers(-(2**63), 2**63 - 1, 1000, np.int64) >> rng.integers(0, 63, 1000)
    reduced = quantize.reduced_multiplier(multiplier)
    assert 2**14 <= reduced < 2**15
    constants = np.full_like(acc, reduced), np.full_like(acc, shift)
    expected = quantize.requantize_wide(acc, reduced, shift)
    np.testing.assert_array_equal(many(host, "requantize_wide", acc, *constants), expected)


def test_halves_are_rounded_to_even(host: ctypes.CDLL) -> None:
    near = np.arange(-2000, 2000, dtype=np.float32) / 4
    large = np.float32(2.0) ** np.arange(20, 32, dtype=np.float32)
    x = np.concatenate([near, large - 0.5, large + 0.5, -large - 0.5, 0.5 - large])
    x = np.concatenate([x, np.nextafter(x, np.float32(0)), np.nextafter(x, np.float32(1e38))])
    x = x.astype(np.float32)
    expected = np.clip(np.rint(x).astype(np.float64), -(2**31), 2**31 - 1).astype(np.float32)
    np.testing.assert_array_equal(many(host, "round_even", x), expected)


def test_high_mul_equals_the_compiler_s(host: ctypes.CDLL) -> None:
    a, b = (grid.ravel() for grid in np.meshgrid(int32_arrays(1, 300), int32_arrays(2, 300)))
    b = np.maximum(b, 1 - 2**31).astype(np.int32)  # the one product that saturates is excluded
    np.testing.assert_array_equal(many(host, "high_mul", a, b), quantize.high_mul(a, b))


def test_rounding_shift_right_equals_the_compiler_s(host: ctypes.CDLL) -> None:
    x, exponent = np.meshgrid(int32_arrays(3, 1000), np.arange(32, dtype=np.int32))
    expected = quantize.rounding_shift_right(x.astype(np.int64), exponent)
    np.testing.assert_array_equal(many(host, "shift_right", x, exponent), expected)


def test_reciprocal_equals_the_compiler_s(host: ctypes.CDLL) -> None:
    sums = np.random.default_rng(6).integers(2**31, 2**32, 2000, np.int64)
    sums[:3] = 2**31, 2**31 + 1, 2**32 - 1
    expected = [_reciprocal(sum_)[1] for sum_ in sums.tolist()]
    halves = (sums >> 1).astype(np.int32)
    np.testing.assert_array_equal(many(host, "reciprocal", halves), expected)


def any_floats(seed: int, count: int) -> Array:
    """Floats of all exponents, subnormal ones included, and the special ones."""
    bits = np.random.default_rng(seed).integers(0, 2**32, count, np.uint32)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, 1e-45, 3.4028235e38], np.float32)
    return np.concatenate([special, bits.view(np.float32)])


@pytest.mark.parametrize("name", ["exp", "log"])
def test_exponential_and_logarithm_are_correctly_rounded(host: ctypes.CDLL, name: str) -> None:
    rng = np.random.default_rng(5)
    usual = {"exp": rng.uniform(-105, 90, 100_000), "log": rng.uniform(0, 3, 100_000)}[name]
    x = np.concatenate([any_floats(4, 100_000), usual.astype(np.float32)])
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x.astype(np.float64)).astype(np.float32)
    actual = many(host, name, x)
    np.testing.assert_array_equal(actual, expected)


# --- headers --------------------------------------------------------------------------------------


def test_every_kernel_of_an_operator_has_a_header() -> None:
    classes = [operator_class(name) for name in operator_names()]
    named = {
        f"{kernel}.h"
        for cls in classes
        if cls is not None and not cls.is_view
        for kernels in cls.kernels.values()
        for kernel in kernels
    }
    assert named <= set(header_names())


@pytest.mark.parametrize("kernel", SAMPLES)
def test_the_fields_of_params_are_the_keys_of_the_call(kernel: str) -> None:
    text = read_kernel(f"{kernel}.h")
    found = re.search(rf"typedef struct \{{([^}}]*)\}} ts_{kernel}_params;", text)
    assert found is not None
    fields = re.findall(r"^ +(\w+) (\w+);", found[1], re.MULTILINE)
    wanted = SAMPLES[kernel].call.params.items()
    assert fields == [("float" if isinstance(v, float) else "int32_t", k) for k, v in wanted]


@pytest.mark.parametrize("name", header_names())
def test_a_header_is_guarded_and_freestanding(name: str) -> None:
    text = read_kernel(name)
    guard = f"TS_{name.removesuffix('.h').upper()}_H"
    assert f"#ifndef {guard}\n#define {guard}\n" in text
    included = set(re.findall(r"#include [<\"](.*)[>\"]", text))
    assert included <= {"stdint.h", "stddef.h", "stdbool.h", *header_names(), *SHARED_HEADERS}


@pytest.mark.parametrize("core", CORES)
@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc: not built for a board"
)
def test_every_header_is_free_of_warnings_on_the_device(tmp_path: Path, core: str) -> None:
    text = "".join(f'#include "{name}"\n' for name in header_names())
    flags = ["-O2", "-mthumb", f"-mcpu={core}", "-c", "-Wno-unused-function"]
    build(tmp_path, "arm-none-eabi-gcc", flags, text)


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc: not built for a board"
)
@pytest.mark.parametrize("level", ["-O2", "-Os"])
@pytest.mark.parametrize("core", CORES)
def test_specialised_kernels_need_only_the_compiler_s_runtime(
    tmp_path: Path, core: str, level: str
) -> None:
    flags = [level, "-mthumb", f"-mcpu={core}", "-c"]
    target = build(tmp_path, "arm-none-eabi-gcc", flags, device_source())
    command = ["arm-none-eabi-nm", "--undefined-only", "--format=just-symbols", str(target)]
    symbols = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    runtime = re.compile(r"__aeabi_\w+|__clzsi2|__gnu_thumb1_case_\w+|mem(cpy|set|move)")
    assert [symbol for symbol in symbols if not runtime.fullmatch(symbol)] == []
