"""Cases for the ONNX reader: one operator or a few of them each, with sample inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.onnx_models import Array, Inputs, build, node

RNG = np.random.default_rng(20261121)


def real(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def floats(*values: float) -> Array:
    return np.array(values, np.float32)


def longs(*values: int) -> Array:
    return np.array(values, np.int64)


X = {"x": real(1, 4, 7, 6)}
ROW = {"x": real(2, 12)}
CONV = {"w": real(6, 4, 3, 2), "b": real(6)}
UNARY = "Abs Ceil Cos Exp Floor HardSwish Neg Relu Sigmoid Sin Tanh Elu HardSigmoid LeakyRelu"
STATISTICS = {"s": real(4), "b": real(4), "m": real(4), "v": np.abs(real(4)) + 1}

#: Name, nodes, inputs, constants, operator set, units in the last place of the largest output.
FLOAT: list[tuple[str, list[Any], Inputs, Inputs, int, float]] = [
    ("conv", [node("Conv", "x w b")], X, CONV, 17, 4),
    ("conv pads", [node("Conv", "x w b", pads=[1, 0, 2, 1], strides=[2, 1])], X, CONV, 17, 4),
    (
        "conv same upper",
        [node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 2])],
        X,
        CONV,
        7,
        4,
    ),
    ("conv same lower", [node("Conv", "x w", auto_pad="SAME_LOWER")], X, CONV, 17, 4),
    ("conv dilated", [node("Conv", "x w b", dilations=[2, 3])], X, CONV, 17, 4),
    ("conv groups", [node("Conv", "x w", group=2)], X, {"w": real(6, 2, 3, 3)}, 17, 4),
    ("depthwise", [node("Conv", "x w", group=4)], X, {"w": real(8, 1, 3, 3)}, 17, 4),
    (
        "conv 1-D",
        [node("Conv", "x w", pads=[1, 2])],
        {"x": real(1, 4, 9)},
        {"w": real(5, 4, 3)},
        17,
        4,
    ),
    (
        "transposed",
        [node("ConvTranspose", "x w b", strides=[2, 3], pads=[1, 0, 1, 2])],
        X,
        {"w": real(4, 5, 3, 4), "b": real(5)},
        17,
        6,
    ),
    ("batch norm", [node("BatchNormalization", "x s b m v", epsilon=1e-3)], X, STATISTICS, 15, 4),
    (
        "max pool",
        [node("MaxPool", "x", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1])],
        X,
        {},
        17,
        0,
    ),
    (
        "max pool up",
        [node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)],
        X,
        {},
        17,
        0,
    ),
    ("average", [node("AveragePool", "x", kernel_shape=[2, 3], pads=[1, 1, 0, 1])], X, {}, 17, 4),
    (
        "average all",
        [node("AveragePool", "x", kernel_shape=[2, 3], pads=[1, 1, 0, 1], count_include_pad=1)],
        X,
        {},
        17,
        4,
    ),
    (
        "average 1-D",
        [node("AveragePool", "x", kernel_shape=[3], strides=[2])],
        {"x": real(1, 4, 9)},
        {},
        17,
        4,
    ),
    ("global average", [node("GlobalAveragePool", "x")], X, {}, 17, 4),
    ("global max", [node("GlobalMaxPool", "x")], X, {}, 17, 0),
    (
        "gemm",
        [node("Gemm", "x w c", transB=1, alpha=0.5, beta=2.0)],
        ROW,
        {"w": real(5, 12), "c": real(5)},
        17,
        6,
    ),
    ("gemm rows", [node("Gemm", "x w c")], ROW, {"w": real(12, 5), "c": real(2, 5)}, 17, 6),
    ("matmul", [node("MatMul", "x w")], {"x": real(2, 3, 12)}, {"w": real(12, 5)}, 17, 6),
    (
        "matmul computed",
        [node("MatMul", "a b")],
        {"a": real(2, 3, 4), "b": real(2, 4, 5)},
        {},
        17,
        6,
    ),
    *((f"unary {kind}", [node(kind, "x")], ROW, {}, 17, 4) for kind in UNARY.split()),
    (
        "sqrt log",
        [node("Sqrt", "x", "r"), node("Log", "r")],
        {"x": np.abs(real(3, 5)) + 0.1},
        {},
        17,
        4,
    ),
    (
        "pow",
        [node("Pow", "x two", "s"), node("Pow", "a half", "r"), node("Add", "s r")],
        {"x": real(4), "a": np.abs(real(4))},
        {"two": floats(2), "half": np.array(0.5, np.float32)},
        17,
        2,
    ),
    ("prelu", [node("PRelu", "x s")], X, {"s": real(4, 1, 1)}, 17, 1),
    (
        "clip inputs",
        [node("Clip", "x a b")],
        X,
        {"a": np.array(-0.3, np.float32), "b": np.array(0.7, np.float32)},
        17,
        0,
    ),
    ("clip 6", [node("Clip", "x", min=0.0, max=6.0)], X, {}, 7, 0),
    (
        "bias by add",
        [
            node("Add", "x c", "t"),
            node("Mul", "t c", "u"),
            node("Sub", "c u", "v"),
            node("Div", "v d"),
        ],
        X,
        {"c": real(4, 1, 1), "d": floats(3)},
        17,
        2,
    ),
    (
        "extremes",
        [node("Max", "x c", "t"), node("Min", "t x d")],
        X,
        {"c": real(6), "d": floats(0.2)},
        17,
        0,
    ),
    ("softmax", [node("Softmax", "x")], ROW, {}, 13, 8),
    ("softmax old", [node("Softmax", "x")], X, {}, 9, 8),
    ("softmax axis", [node("Softmax", "x", axis=1)], X, {}, 13, 8),
    ("log softmax", [node("LogSoftmax", "x")], ROW, {}, 13, 8),
    (
        "reduce",
        [node("ReduceMean", "x", "m", axes=[2, 3], keepdims=0), node("ReduceMax", "m", axes=[1])],
        X,
        {},
        13,
        4,
    ),
    ("reduce sum", [node("ReduceSum", "x axes")], X, {"axes": longs(-1)}, 13, 4),
    (
        "concat split",
        [node("Split", "x", "a b", axis=1), node("Concat", "b x a", axis=1)],
        X,
        {},
        12,
        0,
    ),
    (
        "slice",
        [node("Slice", "x s e a", "t"), node("Slice", "t s e a q")],
        X,
        {"s": longs(1, -4), "e": longs(2**31, -1), "a": longs(2, 3), "q": longs(2, 1)},
        13,
        0,
    ),
    ("slice old", [node("Slice", "x", starts=[1], ends=[3], axes=[2])], X, {}, 9, 0),
    ("transpose", [node("Transpose", "x", perm=[2, 0, 3, 1])], X, {}, 17, 0),
    ("gather", [node("Gather", "x i", axis=1)], X, {"i": longs(3, -4, 1)}, 17, 0),
    ("gather one", [node("Gather", "x i", axis=2)], X, {"i": np.array(-1, np.int64)}, 17, 0),
    ("pad", [node("Pad", "x p")], X, {"p": longs(0, 0, 1, 2, 0, 0, 0, 3)}, 13, 0),
    ("pad value", [node("Pad", "x", pads=[0, 0, 1, 2, 0, 1, 0, 3], value=1.5)], X, {}, 9, 0),
    (
        "pad reflect",
        [node("Pad", "x p", mode="reflect")],
        X,
        {"p": longs(0, 0, 1, 2, 0, 0, 0, 3)},
        13,
        0,
    ),
    ("nearest", [node("Resize", "x - s", mode="nearest")], X, {"s": floats(1, 1, 2, 3)}, 13, 0),
    (
        "nearest floor",
        [
            node(
                "Resize",
                "x - s",
                mode="nearest",
                nearest_mode="floor",
                coordinate_transformation_mode="asymmetric",
            )
        ],
        X,
        {"s": floats(1, 1, 2, 2)},
        13,
        0,
    ),
    ("linear", [node("Resize", "x - - n", mode="linear")], X, {"n": longs(1, 4, 14, 12)}, 13, 8),
    (
        "linear corners",
        [node("Resize", "x - - n", mode="linear", coordinate_transformation_mode="align_corners")],
        X,
        {"n": longs(1, 4, 13, 11)},
        13,
        8,
    ),
    ("upsample", [node("Upsample", "x s", mode="nearest")], X, {"s": floats(1, 1, 2, 2)}, 9, 0),
    (
        "depth to space",
        [node("DepthToSpace", "x", "t", blocksize=2), node("SpaceToDepth", "t", blocksize=2)],
        X,
        {},
        13,
        0,
    ),
    (
        "flatten",
        [
            node("Flatten", "x", "f"),
            node("Unsqueeze", "f a", "u"),
            node("Squeeze", "u a", "s"),
            node("Relu", "s"),
        ],
        X,
        {"a": longs(0)},
        13,
        0,
    ),
    (
        "shapes",
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "n"),
            node("Unsqueeze", "n a", "u"),
            node("Constant", "", "rest", value_ints=[-1]),
            node("Concat", "u rest", "t", axis=0),
            node("Reshape", "x t", "r"),
            node("Identity", "r", "i"),
            node("Dropout", "i", "d"),
            node("Neg", "d"),
        ],
        X,
        {"zero": np.array(0, np.int64), "a": longs(0)},
        13,
        0,
    ),
    (
        "expand tile",
        [node("Expand", "x n", "t"), node("Tile", "t r")],
        {"x": real(1, 3)},
        {"n": longs(2, 3), "r": longs(1, 2)},
        13,
        0,
    ),
]


BYTES = [np.uint8, np.int8]


def byte(dtype: Any, *shape: int) -> Array:
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max + 1, shape).astype(dtype)


def quantization(dtype: Any, name: str, scale: float = 0.0) -> dict[str, Array]:
    """Return a scale and a zero point, ``s<name>`` and ``z<name>``."""
    return {
        f"s{name}": np.array(scale or RNG.uniform(0.01, 0.2), np.float32),
        f"z{name}": byte(dtype, 1).reshape(()),
    }


def fake_quantized(nodes: list[Any], dtype: Any, opset: int = 13) -> tuple[bytes, Inputs]:
    """Return a model around ``nodes``, which read ``d`` and write ``f``, with byte weights."""
    x = {"x": real(1, 4, 8, 8) * 3}
    low = np.iinfo(dtype).min
    constants = {
        "sx": np.array(0.06, np.float32),
        "zx": np.array(low + 117, dtype),
        "sy": np.array(0.11, np.float32),
        "zy": np.array(low + 80, dtype),
        "sr": np.array(0.07, np.float32),
        "zr": np.array(low, dtype),
        "wq": byte(np.int8, 4, 4, 3, 3),
        "sw": np.array(0.01, np.float32),
        "zw": np.array(0, np.int8),
        "bq": RNG.integers(-900, 900, 4).astype(np.int32),
        "sb": np.array(0.0006, np.float32),
        "zb": np.array(0, np.int32),
        "mq": byte(np.int8, 256, 5),
        "shape": longs(1, 256),
        "a": longs(0),
        "p1": floats(1),
    }
    whole = [
        node("QuantizeLinear", "x sx zx", "q"),
        node("DequantizeLinear", "q sx zx", "d"),
        node("QuantizeLinear", "x sy zy", "q2"),
        node("DequantizeLinear", "q2 sy zy", "e"),
        node("DequantizeLinear", "wq sw zw", "w"),
        node("DequantizeLinear", "bq sb zb", "b"),
        node("DequantizeLinear", "mq sw zw", "m"),
        *nodes,
    ]
    return build(whole, x, constants, opset=opset), x


def ends(scale: str = "y") -> list[Any]:
    names = f"s{scale} z{scale}"
    return [
        node("QuantizeLinear", f"f {names}", "fq"),
        node("DequantizeLinear", f"fq {names}", "y"),
    ]


QDQ: list[tuple[str, list[Any], str]] = [
    ("conv", [node("Conv", "d w b", "f")], "CONV_2D"),
    ("conv relu", [node("Conv", "d w b", "t"), node("Relu", "t", "f")], "CONV_2D"),
    ("add", [node("Add", "d e", "f")], "QLINEAR_ADD"),
    ("mul", [node("Mul", "d e", "f")], "QLINEAR_MUL"),
    ("average", [node("AveragePool", "d", "f", kernel_shape=[2, 2])], "QLINEAR_AVERAGE_POOL"),
    ("global", [node("GlobalAveragePool", "d", "f")], "QLINEAR_GLOBAL_AVERAGE_POOL"),
    ("sigmoid", [node("Sigmoid", "d", "f")], "LOOKUP"),
    ("leaky", [node("LeakyRelu", "d", "f")], "LOOKUP"),
    ("softmax", [node("Softmax", "d", "f", axis=-1)], "QLINEAR_SOFTMAX"),
    ("concat", [node("Concat", "d d", "f", axis=1)], "LOOKUP"),
    ("pool", [node("MaxPool", "d", "f", kernel_shape=[2, 2])], "MAX_POOL_2D"),
    (
        "moved",
        [
            node("Transpose", "d", "t", perm=[0, 2, 3, 1]),
            node("Reshape", "t shape", "u"),
            node("MatMul", "u m", "f"),
        ],
        "FULLY_CONNECTED",
    ),
    ("gemm", [node("Reshape", "d shape", "u"), node("Gemm", "u m", "f")], "FULLY_CONNECTED"),
    ("tanh", [node("Tanh", "d", "f")], "TANH"),
    ("float", [node("Relu", "d", "t"), node("Sub", "t d", "f")], "SUB"),
]
