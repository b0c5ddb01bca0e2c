"""Batch normalization becomes part of the weights before it, as on the device.

What is left are convolutions and dense layers with a bias, their activations as layers of their
own: the form in which a model is trained with fake quantization.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from tinysim.errors import RecipeError

#: Layers whose weights are quantized.
WEIGHTED = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)

_FIX = "train without fake quantization, and quantize after training"


def folded(model: keras.Model) -> keras.Model:
    """Return a model of weights with biases that computes the same.

    Layers keep their names, and variables their paths.

    Raises
    ------
    RecipeError
        If it holds layers that cannot be quantized; lists all of them.
    """
    model = _one_to_one(model)
    followers = consumers(model)
    if problems := list(_problems(model, followers)):
        raise RecipeError("; ".join(problems), where=f"model {model.name!r}", fix=_FIX)
    made = keras.models.clone_model(model, clone_function=_plain, call_function=_called)
    for layer in _weighted(model):
        norm = _norm_after(layer, followers)
        made.get_layer(layer.name).set_weights(_folded_weights(layer, norm))
    return made


def _one_to_one(model: keras.Model) -> keras.Model:
    """Return a model as a functional one."""
    inputs, outputs = list(model.inputs or ()), list(model.outputs or ())
    if len(inputs) != 1 or len(outputs) != 1:
        raise RecipeError(
            f"it has {len(inputs)} inputs and {len(outputs)} outputs that Keras knows of, not one",
            where=f"model {model.name!r}",
            fix=_FIX,
        )
    return keras.Model(inputs[0], outputs[0], name=model.name)


def consumers(model: keras.Model) -> Mapping[str, tuple[Any, ...]]:
    """Return for each operation those that take what it gives; each must be used once."""
    found: dict[str, list[Any]] = {operation.name: [] for operation in model.operations}
    for operation in model.operations:
        if not isinstance(operation, layers.InputLayer):
            for name in dict.fromkeys(producers(operation)):
                found[name].append(operation)
    return {name: tuple(operations) for name, operations in found.items()}


def producers(operation: Any) -> tuple[str, ...]:
    """Return the names of the operations whose results an operation takes."""
    tensors = keras.tree.flatten(operation.input)
    return tuple(tensor._keras_history.operation.name for tensor in tensors)


def _weighted(model: keras.Model) -> Iterator[Any]:
    return (layer for layer in model.layers if type(layer) in WEIGHTED)


def _problems(model: keras.Model, followers: Mapping[str, tuple[Any, ...]]) -> Iterator[str]:
    folds = {_norm_after(layer, followers) for layer in _weighted(model)}
    for layer in model.layers:
        kind = f"layer {layer.name!r} ({type(layer).__name__})"
        if isinstance(layer, layers.BatchNormalization):
            if layer not in folds:
                yield f"{kind} follows no convolution or dense layer of its own"
        elif layer.weights and type(layer) not in WEIGHTED:
            yield f"{kind} has weights that are not fake-quantized here"


def _norm_after(layer: Any, followers: Mapping[str, tuple[Any, ...]]) -> Any:
    """Return the normalization of all that a layer gives, and of nothing else; or None."""
    after = followers[layer.name]
    is_linear = layer.activation is keras.activations.linear
    if len(after) != 1 or not is_linear or not isinstance(after[0], layers.BatchNormalization):
        return None
    return after[0] if after[0].axis in (-1, len(layer.output.shape) - 1) else None


def _plain(layer: Any) -> Any:
    """Return a new layer; one with weights has a bias and no activation."""
    config = layer.get_config()
    if type(layer) in WEIGHTED:
        config |= {"use_bias": True, "activation": "linear"}
    made = type(layer).from_config(config)
    if type(layer) in WEIGHTED and layer.activation is not keras.activations.linear:
        made.following = layers.Activation(layer.activation, name=f"{layer.name}_activation")
    return made


def _called(layer: Any, *arguments: Any, **options: Any) -> Any:
    if isinstance(layer, layers.BatchNormalization):
        return arguments[0]
    found = layer(*arguments, **options)
    following = getattr(layer, "following", None)
    return found if following is None else following(found)


def _folded_weights(layer: Any, norm: Any) -> list[NDArray[np.float32]]:
    """Return the kernel and the bias with the normalization in them."""
    kernel = layer.kernel.numpy().astype(np.float64)
    channels = layer.output.shape[-1]
    bias = np.zeros(channels) if layer.bias is None else layer.bias.numpy().astype(np.float64)
    if norm is not None:
        variance = norm.moving_variance.numpy().astype(np.float64)
        factor = 1 / np.sqrt(variance + norm.epsilon)
        if norm.scale:
            factor = factor * norm.gamma.numpy()
        bias = (bias - norm.moving_mean.numpy()) * factor
        if norm.center:
            bias = bias + norm.beta.numpy()
        # A depthwise kernel has its channels on the last two axes.
        last = 2 if isinstance(layer, layers.DepthwiseConv2D) else 1
        kernel = kernel * factor.reshape(kernel.shape[-last:])
    return [kernel.astype(np.float32), bias.astype(np.float32)]
