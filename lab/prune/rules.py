"""What each kind of layer does to channels, one rule for all that do the same.

A rule returns the channels of the outputs, or None for a layer, or a setting of it, that it does
not follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from tinysim.lab.prune.walk import Atoms, Call, Channels, Shape, Walk

Rule = Callable[[Walk, Call], Sequence[Channels] | None]

#: Functions of one number: what they make of a channel is a matter of this channel alone.
_ELEMENTWISE = {
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish"),
    *("sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "tanh", "hard_tanh", "softplus"),
    *("softsign", "exponential", "mish", "log_sigmoid"),
}

#: Functions of ``keras.ops`` whose classes are called, and do, as the layers or activations.
_OPERATIONS = {
    *("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Concatenate"),
    *("Relu", "Relu6", "HardSigmoid", "HardSilu", "Sigmoid", "Silu", "Tanh"),
}

#: Class name -> rule.
_rules: dict[str, Rule] = {}


def follow(walk: Walk, call: Call) -> Sequence[Channels] | None:
    """Return the channels of a layer's outputs, if a rule follows it."""
    import keras

    layer, kind = call.layer, type(call.layer)
    rule = _rules.get(kind.__name__)
    # A layer of the user's own may do anything, whatever it is called.
    if rule is None or not _is_from(kind, "keras", "tinysim"):
        return None
    if not isinstance(layer, keras.Layer) and kind.__name__ not in _OPERATIONS:
        return None
    # Their kernels are made of other variables.
    if getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None):
        return None
    return rule(walk, call)


def _follows(*kinds: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _rules.update(dict.fromkeys(kinds, rule))
        return rule

    return register


@_follows("Conv1D", "Conv2D", "Conv3D")
def _convolution(walk: Walk, call: Call) -> Sequence[Channels] | None:
    layer, (channels,) = call.layer, call.inputs
    if not _reads_last(call) or not _is_elementwise(layer):
        return None
    kernel_axis = layer.kernel.ndim - 2
    if 1 < layer.groups == len(channels):  # a depthwise convolution by another name
        made = channels.atoms.repeat(layer.filters // layer.groups)
        walk.use(layer, "kernel", kernel_axis + 1, made, "makes")
    else:
        made = walk.fresh(layer.filters)
        read = channels.atoms.reshape(layer.groups, -1)
        for i, part in enumerate(read):
            walk.use(layer, "kernel", kernel_axis, part, "reads", (i, layer.groups))
        walk.use(layer, "kernel", kernel_axis + 1, made, "makes")
        walk.balance(read)
        walk.balance(made.reshape(layer.groups, -1))
    walk.use(layer, "bias", 0, made, "follows")
    return _on_last(call, made)


@_follows("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(walk: Walk, call: Call) -> Sequence[Channels] | None:
    layer, (channels,) = call.layer, call.inputs
    if not _reads_last(call) or not _is_elementwise(layer):
        return None
    made = channels.atoms.repeat(layer.depth_multiplier)
    walk.use(layer, "kernel", layer.kernel.ndim - 2, channels.atoms, "makes")
    walk.use(layer, "bias", 0, made, "follows")
    return _on_last(call, made)


@_follows("SeparableConv1D", "SeparableConv2D")
def _separable(walk: Walk, call: Call) -> Sequence[Channels] | None:
    layer, (channels,) = call.layer, call.inputs
    if not _reads_last(call) or not _is_elementwise(layer):
        return None
    made, between = walk.fresh(layer.filters), channels.atoms.repeat(layer.depth_multiplier)
    axis = layer.pointwise_kernel.ndim - 2
    walk.use(layer, "depthwise_kernel", axis, channels.atoms, "makes")
    walk.use(layer, "pointwise_kernel", axis, between, "reads")
    walk.use(layer, "pointwise_kernel", axis + 1, made, "makes")
    walk.use(layer, "bias", 0, made, "follows")
    return _on_last(call, made)


@_follows("Dense")
def _dense(walk: Walk, call: Call) -> Sequence[Channels] | None:
    layer, (channels,) = call.layer, call.inputs
    if not call.on_last_axis:
        return None
    made = walk.fresh(layer.units)
    walk.use(layer, "kernel", 0, channels.atoms, "reads")
    walk.use(layer, "kernel", 1, made, "makes")
    walk.use(layer, "bias", 0, made, "follows")
    if not _is_elementwise(layer):  # a softmax: what it reads may go all the same
        walk.freeze(made, f"the activation of {layer.name}")
    return _on_last(call, made)


@_follows("BatchNormalization")
def _normalization(walk: Walk, call: Call) -> Sequence[Channels] | None:
    layer, (channels,) = call.layer, call.inputs
    axis = layer.axis % len(call.input_shapes[0])
    if axis != channels.axis:
        return None
    for variable in ("gamma", "beta", "moving_mean", "moving_variance"):
        walk.use(layer, variable, 0, channels.atoms, "follows")
    return [channels]


@_follows(
    *("ReLU", "LeakyReLU", "ELU", "Activation", "ActivityRegularization", "Identity"),
    *("GaussianNoise", "GaussianDropout", "AlphaDropout", "Dropout"),
    *("Relu", "Relu6", "HardSigmoid", "HardSilu", "Sigmoid", "Silu", "Tanh"),
)
def _elementwise(walk: Walk, call: Call) -> Sequence[Channels] | None:
    shaped = getattr(call.layer, "noise_shape", None) is not None
    return call.inputs if _is_elementwise(call.layer) and not shaped else None


@_follows("Rescaling")
def _rescaling(walk: Walk, call: Call) -> Sequence[Channels] | None:
    """Only by one number for all channels: several could not be made fewer."""
    layer = call.layer
    return call.inputs if np.ndim(layer.scale) == np.ndim(layer.offset) == 0 else None


@_follows("PReLU")
def _learned_slope(walk: Walk, call: Call) -> Sequence[Channels] | None:
    layer, (channels,) = call.layer, call.inputs
    if channels.axis not in (layer.shared_axes or ()):
        walk.use(layer, "alpha", channels.axis - 1, channels.atoms, "follows")
    return call.inputs


@_follows(
    *(f"{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2, 3)),
    *(f"Global{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2, 3)),
    *(f"ZeroPadding{rank}D" for rank in (1, 2, 3)),
    *(f"Cropping{rank}D" for rank in (1, 2, 3)),
    *(f"UpSampling{rank}D" for rank in (1, 2, 3)),
    *(f"SpatialDropout{rank}D" for rank in (1, 2, 3)),
)
def _spatial(walk: Walk, call: Call) -> Sequence[Channels] | None:
    return _on_last(call, call.inputs[0].atoms) if _reads_last(call) else None


@_follows("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
def _merge(walk: Walk, call: Call) -> Sequence[Channels] | None:
    """Tie the sides; one that has a single channel is spread over those of the others."""
    widest = max(call.inputs, key=len)
    if not call.on_last_axis or any(len(one) not in (1, len(widest)) for one in call.inputs):
        return None
    for channels in call.inputs:
        if len(channels) == len(widest):
            walk.tie(widest.atoms, channels.atoms)
    return _on_last(call, widest.atoms)


@_follows("Concatenate")
def _concatenation(walk: Walk, call: Call) -> Sequence[Channels] | None:
    axes = {channels.axis for channels in call.inputs}
    axis = call.layer.axis % len(call.input_shapes[0])
    if axes == {axis}:
        return [Channels(axis, np.concatenate([one.atoms for one in call.inputs]))]
    if len(axes) > 1:
        return None
    for channels in call.inputs:  # side by side in space: the same channels
        walk.tie(call.inputs[0].atoms, channels.atoms)
    return [call.inputs[0]]


@_follows("ChannelSplit")
def _split(walk: Walk, call: Call) -> Sequence[Channels] | None:
    if not call.on_last_axis:
        return None
    (channels,), ends = call.inputs, np.cumsum(call.layer.sizes)
    parts = np.split(channels.atoms, ends[:-1])
    return _same_each_call(walk, call, [Channels(channels.axis, part) for part in parts])


@_follows("Permute")
def _permutation(walk: Walk, call: Call) -> Sequence[Channels] | None:
    (channels,) = call.inputs
    return [Channels(1 + call.layer.dims.index(channels.axis), channels.atoms)]


@_follows("Reshape", "Flatten")
def _reshape(walk: Walk, call: Call) -> Sequence[Channels] | None:
    (channels,), (before,), (after,) = call.inputs, call.input_shapes, call.output_shapes
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        return None
    if None in before[1:] or None in after[1:]:
        return None
    found = _merged(channels, before, after) or _parted(walk, channels, before, after)
    return _same_each_call(walk, call, found) if found else None


def _merged(channels: Channels, before: Shape, after: Shape) -> Sequence[Channels] | None:
    """Find the axis that the channels end up on, alone or with others: in blocks of positions."""
    outer, inner = _around(before, channels.axis)
    for axis in range(1, len(after)):
        new_outer, new_inner = _around(after, axis)
        if outer % new_outer or inner % new_inner:
            continue
        times, each = outer // new_outer, inner // new_inner
        if after[axis] == times * len(channels) * each:
            return [Channels(axis, np.tile(channels.atoms.repeat(each), times))]
    return None


def _parted(
    walk: Walk, channels: Channels, before: Shape, after: Shape
) -> Sequence[Channels] | None:
    """Find the two axes that the channels are dealt out to, as groups and places in a group.

    A channel goes with those at the same place of the other groups: so a place is there or not.
    """
    outer, inner = _around(before, channels.axis)
    for axis in range(2, len(after)):
        groups, places = after[axis - 1] or 0, after[axis] or 0
        if (_around(after, axis - 1)[0], _around(after, axis)[1]) != (outer, inner):
            continue
        if groups * places == len(channels):
            first, *others = channels.atoms.reshape(groups, places)
            for other in others:
                walk.tie(first, other)
            return [Channels(axis, first)]
    return None


def _around(shape: Shape, axis: int) -> tuple[int, int]:
    """Return how many numbers lie outside and inside an axis, the batch apart."""
    sizes = [size or 0 for size in shape]
    return prod(sizes[1:axis]), prod(sizes[axis + 1 :])


def _same_each_call(walk: Walk, call: Call, outputs: Sequence[Channels]) -> Sequence[Channels]:
    """Tie what a layer with sizes in its settings gives when it is called again."""
    for earlier in walk.outputs:
        if earlier.layer == call.layer.name:
            now = outputs[earlier.index]
            if len(earlier.channels) == len(now):
                walk.tie(earlier.channels.atoms, now.atoms)
    return outputs


def _on_last(call: Call, atoms: Atoms) -> Sequence[Channels]:
    return [Channels(len(call.output_shapes[0]) - 1, atoms)]


def _reads_last(call: Call) -> bool:
    plain = getattr(call.layer, "data_format", "channels_last") == "channels_last"
    return plain and call.on_last_axis


def _is_elementwise(layer: Any) -> bool:
    function = getattr(layer, "activation", None)
    if function is None:
        return True
    known = getattr(function, "__name__", "") in _ELEMENTWISE
    return known and _is_from(function, "keras", "tensorflow")


def _is_from(thing: Any, *packages: str) -> bool:
    return thing.__module__.partition(".")[0] in packages
