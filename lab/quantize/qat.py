"""Quantization-aware training: a model that feels while it learns what integers will do to it.

Normalization is folded into the weights first (``fold``), then weights and activations are rounded
where the device rounds them: after each layer, or after the activation that its kernel applies as
it writes. Ranges start as the calibration samples have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.quantize.fold import WEIGHTED, consumers, folded, producers
from tinysim.lab.quantize.layers import (
    Range,
    RoundedConv2D,
    RoundedDense,
    RoundedDepthwiseConv2D,
)
from tinysim.lab.zoo.layers import ChannelSplit

_ROUNDED = dict(zip(WEIGHTED, (RoundedConv2D, RoundedDepthwiseConv2D, RoundedDense), strict=True))
_PLAIN = {rounded: plain for plain, rounded in _ROUNDED.items()}

#: Layers that hand on the numbers that they get, or an average on the same levels.
_PASSING = (
    *(layers.AveragePooling2D, layers.Cropping2D, layers.Dropout, layers.Flatten),
    *(layers.GlobalMaxPooling2D, layers.MaxPooling2D, layers.Permute, layers.Reshape),
    *(layers.SpatialDropout2D, layers.UpSampling2D, layers.ZeroPadding2D, ChannelSplit),
)
#: Layers that a rectifier after them becomes one kernel with.
_FUSING = (*WEIGHTED, layers.Add, layers.Subtract, layers.Multiply)
#: Activations whose range the file format fixes.
_FIXED = ("softmax", "sigmoid", "tanh")
_BATCH = 32

Samples = NDArray[np.float32]


def fake_quantized(
    model: keras.Model, calibration: Samples, *, learned: bool = False, per_channel: bool = True
) -> keras.Model:
    """Return the model with fake quantization, to be trained.

    Parameters
    ----------
    model
        Trained in floats; functional or sequential, of layers that TFLite has.
    calibration
        Samples as the model takes them: their ranges are what training begins with.
    learned
        Ranges of activations are learned as weights are, instead of observed.
    per_channel
        A scale for each channel of the weights, or one a layer.

    Raises
    ------
    RecipeError
        If it holds layers that cannot be quantized.
    """
    plain = folded(model)
    ranged = _ranged(plain)

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if type(layer) in _ROUNDED:
            return _ROUNDED[type(layer)].from_config(config | {"per_channel": per_channel})
        return type(layer).from_config(config)

    entries: dict[str, Any] = {}

    def entered(argument: Any) -> Any:
        origin = getattr(getattr(argument, "_keras_history", None), "operation", None)
        if not isinstance(origin, layers.InputLayer):
            return argument
        if origin.name not in entries:
            entries[origin.name] = Range(learned, name=f"{origin.name}_range")(argument)
        return entries[origin.name]

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        found = layer(*keras.tree.map_structure(entered, arguments), **options)
        if layer.name not in ranged:
            return found
        return Range(learned, name=f"{layer.name}_range")(found)

    made = keras.models.clone_model(plain, clone_function=clone, call_function=call)
    for layer in plain.layers:
        if layer.weights:
            made.get_layer(layer.name).set_weights(layer.get_weights())
    origins = (*(tensor._keras_history.operation.name for tensor in plain.inputs), *ranged)
    for name, (least, most) in zip(origins, _extremes(plain, origins, calibration), strict=True):
        made.get_layer(f"{name}_range").set_range(least, most)
    return made


def is_fake_quantized(model: keras.Model) -> bool:
    """Return whether a model holds ranges of its own."""
    return any(isinstance(layer, Range) for layer in model.layers)


def is_per_channel(model: keras.Model) -> bool:
    """Return whether the weights of a fake-quantized model have a scale a channel."""
    return all(layer.per_channel for layer in model.layers if type(layer) in _PLAIN)


def deployable(model: keras.Model) -> keras.Model:
    """Return a fake-quantized model as the converter understands it.

    It takes one range for a layer's weights as it is in the model. Several it refuses, where it
    turns a dense layer's weights round; but it finds the same by itself, in weights that are
    rounded already.
    """
    return _with_plain_weights(model) if is_per_channel(model) else model


def as_floats(model: keras.Model) -> keras.Model:
    """Return a fake-quantized model without any rounding, to compare with."""
    made = _with_plain_weights(model, keeps_ranges=False)
    for layer in made.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return made


def _with_plain_weights(model: keras.Model, keeps_ranges: bool = True) -> keras.Model:
    """Return a model of plain layers with weights that are rounded already."""

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if type(layer) in _PLAIN:
            del config["per_channel"]
            return _PLAIN[type(layer)].from_config(config)
        return type(layer).from_config(config)

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, Range) and not keeps_ranges:
            return arguments[0]
        return layer(*arguments, **options)

    made = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in made.layers:
        source = model.get_layer(layer.name)
        if type(source) in _PLAIN:
            layer.set_weights([source.rounded_kernel().numpy(), source.bias.numpy()])
        elif layer.weights:
            layer.set_weights(source.get_weights())
    return made


def masks_of(masks: Mapping[str, Any], model: keras.Model) -> dict[str, Any]:
    """Return the masks of variables that folding has left."""
    paths = {variable.path for variable in model.trainable_variables}
    return {path: mask for path, mask in masks.items() if path in paths}


def _ranged(model: keras.Model) -> tuple[str, ...]:
    """Return the names of the operations whose results the device rounds."""
    followers = consumers(model)
    inside = set(_hard_swish_insides(model))
    return tuple(
        operation.name
        for operation in model.operations
        if not isinstance(operation, (layers.InputLayer, layers.Softmax, *_PASSING))
        and _activation(operation) not in _FIXED
        and operation.name not in inside
        and not _is_fused(operation, followers[operation.name])
    )


def _is_fused(operation: Any, after: tuple[Any, ...]) -> bool:
    """Return whether one kernel computes this and the rectifier after it."""
    return isinstance(operation, _FUSING) and len(after) == 1 and _is_rectifier(after[0])


def _is_rectifier(operation: Any) -> bool:
    if isinstance(operation, layers.ReLU):
        is_plain = not operation.negative_slope and not operation.threshold
        return bool(is_plain and operation.max_value in (None, 6))
    return _activation(operation) in ("relu", "relu6")


def _activation(operation: Any) -> str | None:
    """Return the name of what an activation layer computes."""
    return getattr(getattr(operation, "activation", None), "__name__", None)


def _hard_swish_insides(model: keras.Model) -> Iterator[str]:
    """Yield the names of the layers within ``x * (relu6(x + 3) / 6)``: the device has one for all.

    The last one, the product, is not among them.
    """
    by_name = {operation.name: operation for operation in model.operations}
    for product in model.operations:
        if isinstance(product, layers.Multiply) and len(producers(product)) == 2:
            for own, other in (producers(product), producers(product)[::-1]):
                chain = _upwards(by_name, other, 3)
                if _is_hard_sigmoid(chain) and producers(chain[2]) == (own,):
                    yield from (operation.name for operation in chain)


def _upwards(by_name: Mapping[str, Any], name: str, count: int) -> list[Any]:
    """Return an operation and those before it, as long as each takes one."""
    found: list[Any] = []
    while len(found) < count and not isinstance(by_name[name], layers.InputLayer):
        found.append(by_name[name])
        before = producers(by_name[name])
        if len(before) != 1:
            break
        name = before[0]
    return found


def _is_hard_sigmoid(chain: list[Any]) -> bool:
    if len(chain) < 3 or not all(isinstance(chain[i], layers.Rescaling) for i in (0, 2)):
        return False
    last, middle, first = chain
    is_shift = (first.scale, first.offset) == (1, 3)
    is_sixth = abs(last.scale * 6 - 1) < 1e-6 and last.offset == 0
    return bool(is_shift and is_sixth and _is_rectifier(middle) and middle.max_value == 6)


def _extremes(model: keras.Model, names: tuple[str, ...], samples: Samples) -> NDArray[np.float64]:
    """Return the least and the largest of what each operation gives for the samples."""
    if not len(samples):
        raise RecipeError(
            "there are no samples for calibration", where=f"model {model.name!r}", fix="give some"
        )
    outputs = {operation.name: operation.output for operation in model.operations}
    taps = keras.Model(model.input, [outputs[name] for name in names])
    ends = [
        [(value.min(), value.max()) for value in map(np.asarray, taps(batch, training=False))]
        for batch in np.array_split(samples, -(-len(samples) // _BATCH))
    ]
    found = np.array(ends, np.float64)
    return np.stack([found[..., 0].min(axis=0), found[..., 1].max(axis=0)], axis=-1)
