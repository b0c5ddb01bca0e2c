"""Which channels go together, in models of a few layers where it can be told by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("keras", reason="the lab needs Keras")
pytest.importorskip("tensorflow", reason="the lab needs TensorFlow")
import keras
from keras import layers

from tests.lab.models_to_prune import classifier
from tinysim.errors import RecipeError
from tinysim.lab.prune.balance import balanced_sets
from tinysim.lab.prune.groups import Group, channel_groups
from tinysim.lab.zoo.layers import ChannelSplit, channel_shuffle

Found = dict[str, Group]


def found(model: keras.Model) -> Found:
    return {group.name: group for group in channel_groups(model)}


def units(group: Group, layer: str, variable: str, axis: int) -> list[int]:
    """Return the units on the one axis of a variable that a group has."""
    (member,) = (
        one
        for one in group.members
        if (one.layer, one.variable, one.axis) == (layer, variable, axis)
    )
    return list(member.units.tolist())


def places(group: Group) -> set[str]:
    return {f"{one.layer}.{one.variable}[{one.axis}] {one.role}" for one in group.members}


def test_filters_go_with_all_that_is_theirs_up_to_the_next_kernel() -> None:
    x = inputs = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, name="a")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.MaxPooling2D(name="pool")(layers.ReLU(name="relu")(x))
    x = layers.Conv2D(5, 1, name="b")(layers.ZeroPadding2D(name="pad")(x))
    groups = found(classifier(inputs, x))
    assert groups["a"].frozen is None
    assert groups["a"].size == 4
    assert places(groups["a"]) == {
        *("a.kernel[3] makes", "a.bias[0] follows", "b.kernel[2] reads"),
        *(f"norm.{name}[0] follows" for name in ("gamma", "beta")),
        *(f"norm.moving_{name}[0] follows" for name in ("mean", "variance")),
    }
    assert places(groups["b"]) == {
        *("b.kernel[3] makes", "b.bias[0] follows", "logits.kernel[0] reads"),
    }


def test_inputs_and_outputs_stay() -> None:
    inputs = keras.Input((8, 8, 3), name="image")
    groups = found(classifier(inputs, layers.Conv2D(4, 3, name="a")(inputs)))
    assert groups["image"].frozen == "the model's input"
    assert groups["logits"].frozen == "probabilities (Softmax) is not followed"
    model = keras.Model(inputs, layers.Conv2D(4, 3, name="a")(inputs))
    assert found(model)["a"].frozen == "the model's output"


def test_each_channel_of_a_depthwise_convolution_goes_with_all_it_makes() -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(2, 1, name="a")(inputs)
    x = layers.DepthwiseConv2D(3, depth_multiplier=3, name="deep")(x)
    groups = found(classifier(inputs, x))
    assert units(groups["a"], "deep", "kernel", 2) == [0, 1]
    assert units(groups["a"], "deep", "bias", 0) == [0, 0, 0, 1, 1, 1]
    assert units(groups["a"], "logits", "kernel", 0) == [0, 0, 0, 1, 1, 1]


def test_both_sides_of_a_sum_go_together() -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 1, name="a")(inputs)
    y = layers.Conv2D(4, 3, padding="same", name="b")(x)
    for whole in (layers.Add()([x, y]), x + y):  # a layer, or Python's operator
        groups = found(classifier(inputs, whole))
        assert {"a.kernel[3] makes", "b.kernel[3] makes", "b.kernel[2] reads"} < places(groups["a"])
        assert "b" not in groups


def test_gates_go_with_what_they_weigh_and_their_bottleneck_on_its_own() -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 1, name="a")(inputs)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(2, 1, activation="relu", name="narrow")(gate)
    gate = layers.Conv2D(8, 1, activation="hard_sigmoid", name="widen")(gate)
    groups = found(classifier(inputs, layers.Multiply()([x, gate])))
    assert {"a.kernel[3] makes", "narrow.kernel[2] reads", "widen.kernel[3] makes"} < places(
        groups["a"]
    )
    assert groups["narrow"].size == 2


def test_channels_side_by_side_keep_their_places() -> None:
    inputs = keras.Input((8, 8, 3))
    a, b = layers.Conv2D(2, 1, name="a")(inputs), layers.Conv2D(3, 1, name="b")(inputs)
    x = layers.Conv2D(4, 1, name="c")(layers.Concatenate()([a, b]))
    groups = found(classifier(inputs, x))
    assert units(groups["a"], "c", "kernel", 2) == [0, 1, -1, -1, -1]
    assert units(groups["b"], "c", "kernel", 2) == [-1, -1, 0, 1, 2]


def test_channels_that_part_are_groups_of_their_own() -> None:
    inputs = keras.Input((8, 8, 3))
    left, right = ChannelSplit((1, 3))(layers.Conv2D(4, 1, name="a")(inputs))
    right = layers.Conv2D(2, 1, name="b")(right)
    groups = found(classifier(inputs, layers.Concatenate()([left, right])))
    assert units(groups["a"], "a", "kernel", 3) == [0, -1, -1, -1]
    assert units(groups["a#2"], "a", "kernel", 3) == [-1, 0, 1, 2]
    assert units(groups["a"], "logits", "kernel", 0) == [0, -1, -1]
    assert units(groups["a#2"], "b", "kernel", 2) == [0, 1, 2]


def test_a_shuffle_moves_units() -> None:
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(6, 1, name="a")(inputs)
    groups = found(classifier(inputs, channel_shuffle(x, 2, "shuffle")))
    assert units(groups["a"], "a", "kernel", 3) == [0, 1, 2, 0, 1, 2]
    assert units(groups["a"], "logits", "kernel", 0) == [0, 0, 1, 1, 2, 2]


def test_groups_of_a_convolution_lose_equally_many() -> None:
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(6, 1, name="a")(inputs)
    x = layers.Conv2D(4, 1, groups=2, name="b")(x)
    groups = found(classifier(inputs, x))
    assert units(groups["a"], "a", "kernel", 3) == [0, 1, 2, 0, 1, 2]
    assert units(groups["b"], "b", "kernel", 3) == [0, 1, 0, 1]
    blocks = [member.block for member in groups["a"].members if member.layer == "b"]
    assert blocks == [(0, 2), (1, 2)]


def test_a_shuffle_between_groups_that_it_does_not_divide_leaves_units_to_remove() -> None:
    inputs = keras.Input((2, 2, 3))
    x = layers.Conv2D(60, 1, name="stem")(inputs)
    x = layers.Conv2D(60, 1, groups=3, name="a")(x)
    x = layers.Conv2D(9, 1, groups=3, name="b")(channel_shuffle(x, 3, "shuffle"))
    # 20 channels a group are dealt out three by three: 6, and the two that lie across borders.
    assert found(classifier(inputs, x))["a"].size == 7


def test_a_dense_layer_reads_a_channel_at_every_position() -> None:
    inputs = keras.Input((2, 1, 3))
    x = layers.Flatten()(layers.Conv2D(3, 1, name="a")(inputs))
    groups = found(classifier(inputs, layers.Dense(5, name="dense")(x)))
    assert units(groups["a"], "dense", "kernel", 0) == [0, 1, 2, 0, 1, 2]
    assert units(groups["dense"], "logits", "kernel", 0) == [0, 1, 2, 3, 4]


def test_a_layer_that_is_called_twice_ties_what_it_sees() -> None:
    inputs = keras.Input((4, 4, 3))
    both = layers.Conv2D(4, 1, name="both")
    a, b = (layers.Conv2D(2, 1, name=name)(inputs) for name in "ab")
    groups = found(classifier(inputs, layers.Concatenate()([both(a), both(b)])))
    assert {"a.kernel[3] makes", "b.kernel[3] makes"} < places(groups["a"])
    assert units(groups["both"], "logits", "kernel", 0) == [0, 1, 2, 3] * 2


class Mystery(layers.Layer):  # type: ignore[misc, unused-ignore]
    def call(self, x: Any) -> Any:
        return x - keras.ops.mean(x, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    "layer",
    [
        Mystery(name="odd"),
        layers.LayerNormalization(name="odd"),
        layers.Activation("softmax", name="odd"),
        layers.Rescaling([1.0, 2.0, 3.0, 4.0], name="odd"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_is_not_understood_stops_pruning_there_only(layer: Any) -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(5, 1, name="before")(inputs)
    x = layer(layers.Conv2D(4, 1, name="a")(x))
    groups = found(classifier(inputs, layers.Conv2D(5, 1, name="after")(x)))
    assert groups["a"].frozen == f"odd ({type(layer).__name__}) is not followed"
    assert groups["before"].frozen is groups["after"].frozen is None


def relu(x: Any) -> Any:
    return x - keras.ops.max(x, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: layers.Flatten()(keras.ops.average(x, axis=1)),
        lambda x: keras.ops.reshape(x, (-1, 8, 8, 4)),
        lambda x: x * np.arange(4.0),
        lambda x: x[..., :4],
        layers.Activation(relu),
    ],
    ids=["average", "reshape", "array", "slice", "own activation"],
)
def test_functions_are_not_taken_for_layers_of_their_name(function: Any) -> None:
    inputs = keras.Input((8, 8, 3))
    model = classifier(inputs, function(layers.Conv2D(4, 1, name="a")(inputs)))
    assert "is not followed" in (found(model)["a"].frozen or "")


def test_a_sequential_is_a_model_too() -> None:
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="a"), layers.Flatten(), layers.Dense(2)]
    )
    assert found(model)["a"].size == 4


def test_a_model_without_a_graph_is_refused() -> None:
    class Own(keras.Model):  # type: ignore[misc, unused-ignore]
        def call(self, x: Any) -> Any:
            return x

    for model in (Own(), keras.Sequential([layers.Dense(2)])):
        with pytest.raises(RecipeError, match="no graph to follow"):
            channel_groups(model)


@given(
    st.integers(2, 4).flatmap(
        lambda rows: st.integers(1, 12).flatmap(
            lambda length: st.lists(
                st.lists(st.integers(0, 9), min_size=length, max_size=length),
                min_size=rows,
                max_size=rows,
            )
        )
    )
)
def test_balanced_sets_take_the_same_from_each_row(rows: list[list[int]]) -> None:
    sets = list(balanced_sets(rows))
    assert sorted(thing for one in sets for thing in one) == sorted({*np.ravel(rows).tolist()})
    for one in sets:
        assert len({sum(thing in one for thing in row) for row in rows}) == 1


def test_what_a_dense_softmax_reads_may_go() -> None:
    """Models of others end like this; only its own units are the classes."""
    inputs = keras.Input((6,), name="image")
    x = layers.Dense(5, activation="relu", name="hidden")(inputs)
    groups = found(keras.Model(inputs, layers.Dense(3, activation="softmax", name="classes")(x)))
    assert groups["hidden"].frozen is None and groups["hidden"].size == 5
    assert places(groups["hidden"]) >= {"hidden.kernel[1] makes", "classes.kernel[0] reads"}
    assert all(group.frozen for name, group in groups.items() if name != "hidden")
