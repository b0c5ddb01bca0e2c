"""Activation functions, as layers of their own or as the argument ``activation``."""

from __future__ import annotations

from collections.abc import Callable

from tinysim.compiler.graph import Tensor
from tinysim.compiler.readers.keras.builder import Scope
from tinysim.compiler.readers.keras.config import Config, LayerError, shown
from tinysim.compiler.readers.keras.registry import makes

#: Functions that are one operator.
_OPERATORS = {
    "relu": "RELU",
    "relu6": "RELU6",
    "sigmoid": "LOGISTIC",
    "tanh": "TANH",
    "exponential": "EXP",
    "hard_silu": "HARD_SWISH",
    "hard_swish": "HARD_SWISH",
    "log_softmax": "LOG_SOFTMAX",
    "gelu": "GELU",
}
#: What SELU multiplies by, from its paper.
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def activate(scope: Scope, x: Tensor) -> Tensor:
    """Apply what the layer's ``activation`` names, whether text or object."""
    value = scope.config.raw("activation")
    if isinstance(value, dict):
        kind, inner = value.get("class_name"), value.get("config")
        if kind in _OBJECTS:
            return _OBJECTS[kind](scope, x, Config(inner))
        value = inner if kind == "function" else kind
    if value is None or value == "linear":
        return x
    if not isinstance(value, str):
        raise LayerError(f"activation {shown(value)} is not supported")
    if value in _OPERATORS:
        return scope.unary(_OPERATORS[value], x)
    if value not in _COMPOSED:
        raise LayerError(f"activation {shown(value)} is not supported")
    return _COMPOSED[value](scope, x)


def scaled(scope: Scope, x: Tensor, operator: str, role: str, value: float) -> Tensor:
    """Combine with a number."""
    return scope.binary(operator, x, scope.floats(role, [value]))


def elu(scope: Scope, x: Tensor, alpha: float) -> Tensor:
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below."""
    if alpha == 1:
        return scope.unary("ELU", x)
    below = scope.unary("ELU", scaled(scope, x, "MINIMUM", "zero", 0.0))
    return scope.binary("ADD", scope.unary("RELU", x), scaled(scope, below, "MUL", "alpha", alpha))


def _plain_elu(scope: Scope, x: Tensor) -> Tensor:
    return elu(scope, x, 1.0)


def _selu(scope: Scope, x: Tensor) -> Tensor:
    """``scale * elu(x, alpha)``."""
    return scaled(scope, elu(scope, x, SELU_ALPHA), "MUL", "scale", SELU_SCALE)


def _silu(scope: Scope, x: Tensor) -> Tensor:
    """``x * sigmoid(x)``."""
    return scope.binary("MUL", x, scope.unary("LOGISTIC", x))


def _softplus(scope: Scope, x: Tensor) -> Tensor:
    """``log(1 + exp(x))``, written so that no exponential overflows."""
    small = scope.unary("EXP", scope.unary("NEG", scope.unary("ABS", x)))
    rest = scope.unary("LOG", scaled(scope, small, "ADD", "one", 1.0))
    return scope.binary("ADD", scope.unary("RELU", x), rest)


def _softsign(scope: Scope, x: Tensor) -> Tensor:
    """``x / (1 + |x|)``."""
    return scope.binary("DIV", x, scaled(scope, scope.unary("ABS", x), "ADD", "one", 1.0))


def _mish(scope: Scope, x: Tensor) -> Tensor:
    """``x * tanh(softplus(x))``."""
    return scope.binary("MUL", x, scope.unary("TANH", _softplus(scope, x)))


def _hard_sigmoid(scope: Scope, x: Tensor) -> Tensor:
    """Keras 3: ``relu6(x + 3) / 6``; Keras 2: ``x / 5 + 1 / 2`` between 0 and 1."""
    if scope.builder.keras3:
        raised = scope.unary("RELU6", scaled(scope, x, "ADD", "three", 3.0))
        return scaled(scope, raised, "MUL", "sixth", 1 / 6)
    line = scaled(scope, scaled(scope, x, "MUL", "fifth", 0.2), "ADD", "half", 0.5)
    return scaled(scope, scope.unary("RELU", line), "MINIMUM", "one", 1.0)


def softmax(scope: Scope, x: Tensor, config: Config) -> Tensor:
    """Softmax over the last axis."""
    axis = config.raw("axis")
    if axis not in (None, -1, len(x.shape) - 1, [-1], [len(x.shape) - 1]):
        raise LayerError(f"softmax over axis {shown(axis)} is not supported, only the last")
    return scope.unary("SOFTMAX", x, Beta=1.0)


def _plain_softmax(scope: Scope, x: Tensor) -> Tensor:
    return softmax(scope, x, Config({}))


def _leaky_relu(scope: Scope, x: Tensor) -> Tensor:
    """Keras's function leaks 0.2, its layer 0.3."""
    return scope.unary("LEAKY_RELU", x, Alpha=0.2)


def _relu_object(scope: Scope, x: Tensor, config: Config) -> Tensor:
    """``ReLU`` with a ceiling or a slope below zero."""
    if config.number("threshold", 0.0) != 0:
        raise LayerError("a threshold other than 0 is not supported")
    slope = config.number("negative_slope", 0.0)
    ceiling = config.number("max_value") if "max_value" in config else None
    if slope == 0 and ceiling == 6:
        return scope.unary("RELU6", x)
    above = scope.unary("LEAKY_RELU", x, Alpha=slope) if slope else scope.unary("RELU", x)
    return above if ceiling is None else scaled(scope, above, "MINIMUM", "max_value", ceiling)


def _leaky_relu_object(scope: Scope, x: Tensor, config: Config) -> Tensor:
    """``LeakyReLU``; Keras 2 says ``alpha``, Keras 3 ``negative_slope``."""
    key = "negative_slope" if "negative_slope" in config else "alpha"
    return scope.unary("LEAKY_RELU", x, Alpha=config.number(key, 0.3))


def _elu_object(scope: Scope, x: Tensor, config: Config) -> Tensor:
    """``ELU``."""
    return elu(scope, x, config.number("alpha", 1.0))


_COMPOSED: dict[str, Callable[[Scope, Tensor], Tensor]] = {
    "softmax": _plain_softmax,
    "elu": _plain_elu,
    "selu": _selu,
    "silu": _silu,
    "swish": _silu,
    "softplus": _softplus,
    "softsign": _softsign,
    "mish": _mish,
    "hard_sigmoid": _hard_sigmoid,
    "leaky_relu": _leaky_relu,
}
_OBJECTS: dict[object, Callable[[Scope, Tensor, Config], Tensor]] = {
    "ReLU": _relu_object,
    "LeakyReLU": _leaky_relu_object,
    "ELU": _elu_object,
    "Softmax": softmax,
}


@makes("Activation")
def _activation(scope: Scope) -> Tensor:
    return activate(scope, scope.x)


@makes("ReLU", "LeakyReLU", "ELU", "Softmax")
def _activation_layer(scope: Scope) -> Tensor:
    return _OBJECTS[scope.layer.kind](scope, scope.x, scope.config)


@makes("PReLU")
def _prelu(scope: Scope) -> Tensor:
    """Make a slope a position or, along ``shared_axes`` (which count from 1), one for all."""
    shared = scope.config.raw("shared_axes") or []
    shape = tuple(
        1 if isinstance(shared, list) and axis in shared else size
        for axis, size in enumerate(scope.x.shape[1:], start=1)
    )
    (alpha,) = scope.weights(shape)
    return scope.emit("PRELU", (scope.x, scope.floats("alpha", alpha)), scope.x.shape)
