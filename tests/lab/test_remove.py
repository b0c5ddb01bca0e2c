"""What is left after removal computes what the whole computed with the rest silenced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the lab needs Keras")
pytest.importorskip("tensorflow", reason="the lab needs TensorFlow")
import keras
import tensorflow as tf
from keras import layers

import tinysim
from tests.lab.models_to_prune import (
    classifier,
    drawn,
    images,
    logits,
    outputs,
    randomised,
)
from tinysim.errors import RecipeError
from tinysim.lab import zoo
from tinysim.lab.prune.flatten import flattened
from tinysim.lab.prune.groups import channel_groups
from tinysim.lab.prune.remove import mask, remove, variable_masks
from tinysim.lab.zoo.layers import ChannelSplit, channel_shuffle

SHAPE = (32, 32, 3)
#: Family and its factors, as small as it gets.
FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("lenet", {"alpha": 0.25}),
    ("alexnet", {"alpha": 0.04}),
    ("resnet", {"alpha": 0.1}),
    ("mobilenet_v1", {"alpha": 0.25}),
    ("mobilenet_v2", {"alpha": 0.25}),
    ("mobilenet_v3", {"alpha": 0.25}),
    ("mobilenet_v3", {"alpha": 0.25, "squeeze_excite": False}),
    ("shufflenet_v1", {"alpha": 0.25, "g": 3}),
    ("shufflenet_v2", {"alpha": 0.25}),
]


@pytest.fixture
def double_precision() -> Iterator[None]:
    """Layers compute in double precision: what differs then is no rounding."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(
    ("family", "factors"), FAMILIES, ids=["-".join([f, *map(str, k.values())]) for f, k in FAMILIES]
)
def test_a_pruned_family_computes_what_the_masked_one_does(
    family: str, factors: dict[str, Any], tmp_path: Path
) -> None:
    whole, x = randomised(zoo.build(family, SHAPE, 10, **factors)), images(SHAPE)
    weights = whole.get_weights()
    kept = drawn(channel_groups(whole), seed=0)
    smaller, masked = remove(whole, kept), mask(whole, kept)
    found = outputs(smaller, x)
    assert np.abs(found - outputs(masked, x)).max() < 1e-5
    # Nor are these nothing and nothing: images differ, and what was removed had its part.
    assert np.ptp(found, axis=0).max() > 1e-3
    assert np.abs(found - outputs(whole, x)).max() > 1e-3
    assert smaller.count_params() < masked.count_params() == whole.count_params()
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in whole.layers]
    for before, after in zip(weights, whole.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    smaller.save(tmp_path / "smaller.keras")
    again = keras.models.load_model(tmp_path / "smaller.keras")
    np.testing.assert_array_equal(outputs(again, x), found)
    file = tmp_path / "smaller.tflite"
    file.write_bytes(converted(smaller))
    tinysim.compile(file, "generic_m4")


def converted(model: keras.Model) -> bytes:
    signature = tf.TensorSpec((1, *SHAPE), tf.float32)
    inference = tf.function(lambda x: model(x, training=False)).get_concrete_function(signature)
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([inference]).convert())


def gates_above_zero(x: Any) -> Any:
    """Channels that are nothing make a gate of one half: they must not be read."""
    x = layers.Conv2D(8, 3, activation="relu")(x)
    gate = layers.Dense(4, activation="softplus")(layers.GlobalAveragePooling2D()(x))
    gate = layers.Reshape((1, 1, 8))(layers.Dense(8, activation="hard_sigmoid")(gate))
    return layers.Conv2D(4, 1, activation="sigmoid")(layers.Multiply()([x, gate]))


def without_offsets(x: Any) -> Any:
    """Batch normalization that cannot be brought to zero."""
    x = layers.Conv2D(6, 3, use_bias=False)(x)
    x = layers.BatchNormalization(center=False, scale=False)(x)
    return layers.Conv2D(5, 3)(layers.PReLU(shared_axes=[1, 2])(x))


def many_depths(x: Any) -> Any:
    x = layers.DepthwiseConv2D(3, depth_multiplier=4)(x)
    x = layers.SeparableConv2D(8, 3, depth_multiplier=2, activation="silu")(x)
    return layers.Conv2D(16, 2, groups=8)(layers.Conv2D(8, 2, groups=2)(x))


def split_and_shuffled(x: Any) -> Any:
    x = layers.Conv2D(12, 3)(x)
    for i in range(3):
        left, right = ChannelSplit((6, 6))(x)
        right = layers.Conv2D(6, 1, activation="elu")(right)
        x = channel_shuffle(layers.Concatenate()([left, right]), 2, f"shuffle_{i}")
    return x


def groups_shuffled(x: Any) -> Any:
    """Neither 8 nor 10 channels can be dealt out to four groups evenly, group by group."""
    x = layers.Conv2D(8, 3)(x)
    y = layers.Conv2D(40, 1, groups=4, activation="tanh")(x)
    y = layers.Conv2D(12, 1, groups=4)(channel_shuffle(y, 4, "shuffle"))
    x = layers.Concatenate()([x, y])
    y = layers.Conv2D(20, 1, groups=2)(x)
    return layers.Conv2D(8, 1, groups=4)(x + y)


def dense_only(x: Any) -> Any:
    x = layers.Reshape((36, 6))(layers.Conv2D(6, 3)(x))
    x = layers.Dense(5, activation="tanh")(layers.Permute((2, 1))(layers.Permute((2, 1))(x)))
    return layers.Dense(7, activation="relu")(layers.Dropout(0.5)(layers.Flatten()(x)))


def shared(x: Any) -> Any:
    both, relu = layers.Conv2D(6, 3, padding="same"), layers.ReLU()
    a, b = relu(layers.Conv2D(4, 3)(x)), relu(layers.Conv2D(4, 3)(x))
    return layers.Maximum()([relu(both(a)), 1.0 - both(b) * 0.5])


def not_understood(x: Any) -> Any:
    x = layers.Conv2D(6, 3)(layers.Conv2D(6, 3)(x))
    x = layers.Conv2D(6, 1)(layers.LayerNormalization()(x))
    return layers.Conv2D(6, 1)(layers.Conv2D(6, 1)(x[..., :4] * np.arange(4.0)))


PATTERNS = [
    *(gates_above_zero, without_offsets, many_depths, split_and_shuffled, groups_shuffled),
    *(dense_only, shared, not_understood),
]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
@pytest.mark.usefixtures("double_precision")
def test_only_rounding_differs(pattern: Any) -> None:
    inputs = keras.Input((8, 8, 3))
    whole = randomised(classifier(inputs, pattern(inputs)))
    x = images((8, 8, 3)).astype(np.float64)
    for seed in range(3):
        kept = drawn(channel_groups(whole), seed)
        found = logits(remove(whole, kept), x)
        assert found.dtype == np.float64
        assert np.ptp(found, axis=0).max() > 1e-3
        np.testing.assert_allclose(found, logits(mask(whole, kept), x), atol=1e-11, rtol=0)


def nested() -> keras.Model:
    inner_inputs = keras.Input((8, 8, 3))
    inner = keras.Model(inner_inputs, layers.Conv2D(6, 3, name="conv")(inner_inputs), name="base")
    tail = keras.Sequential([keras.Input((6, 6, 6)), layers.Conv2D(4, 3, name="conv")], name="tail")
    inputs = keras.Input((8, 8, 3))
    x = layers.ReLU()(inner(inputs)) + inner(layers.ReLU()(inputs))
    return classifier(inputs, tail(x))


def test_models_within_a_model_are_pruned_once_it_is_flat() -> None:
    model, x = randomised(nested()), images((8, 8, 3))
    reasons = {group.frozen for group in channel_groups(model)}
    assert "tail is a model within the model: flatten it first" in reasons
    flat = flattened(model)
    np.testing.assert_array_equal(logits(flat, x), logits(model, x))
    names = {group.name for group in channel_groups(flat) if group.frozen is None}
    assert names == {"conv", "tail_conv"}
    kept = {name: np.arange(2) for name in names}
    error = np.abs(logits(remove(flat, kept), x) - logits(mask(flat, kept), x)).max()
    assert error < 1e-5
    assert flattened(flat) is flat


def test_a_sequential_loses_channels() -> None:
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="a"), layers.Flatten(), layers.Dense(2)]
    )
    smaller = remove(model, {"a": np.array([3, 1])})
    kernel = model.get_layer("a").kernel.numpy()
    np.testing.assert_array_equal(smaller.get_layer("a").kernel.numpy(), kernel[..., [1, 3]])


def test_masks_hold_a_channel_where_it_is_made_and_where_it_is_read() -> None:
    model = zoo.build("resnet8", SHAPE, 10)
    group = next(group for group in channel_groups(model) if not group.frozen)
    masks = variable_masks(model, {group.name: np.arange(1, group.size)})
    members = {(one.layer, one.variable) for one in group.members if "moving" not in one.variable}
    paths = {getattr(model.get_layer(layer), name).path for layer, name in members}
    assert set(masks) == paths
    assert all(not found.all() and found.any() for found in masks.values())


def test_all_that_is_wrong_with_a_choice_is_told_at_once() -> None:
    model = zoo.build("lenet", SHAPE, 10, alpha=0.25)
    kept = {
        "conv_1": np.array([], np.int64),
        "conv_2": np.array([99]),
        "logits": np.array([0]),
        "nonsense": np.array([0]),
    }
    for make in (remove, mask, variable_masks):
        with pytest.raises(RecipeError) as error:
            make(model, kept)
        for problem in (
            "of group 'conv_1' nothing would stay",
            "group 'conv_2' has units 0 to 15 only",
            "group 'logits' must stay whole",
            "there is no group 'nonsense'",
        ):
            assert problem in str(error.value)
