"""What matters most: judged as by hand, and against differences of the loss."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras", reason="the lab needs Keras")
pytest.importorskip("tensorflow", reason="the lab needs TensorFlow")
import keras
from keras import layers

from tests.lab.models_to_prune import classifier, images, randomised
from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.prune._gradients import loss_shares
from tinysim.lab.prune.groups import channel_groups
from tinysim.lab.prune.importance import HEURISTICS, structure_scores

SHAPE = (6, 6, 2)


@pytest.fixture
def model() -> keras.Model:
    inputs = keras.Input(SHAPE)
    x = layers.ReLU()(layers.Conv2D(4, 3, name="a")(inputs))
    return randomised(classifier(inputs, layers.Conv2D(5, 1, name="b")(x)))


@pytest.fixture(scope="module")
def data() -> Dataset:
    x, y = images(SHAPE, 24), np.arange(24) % 3
    return Dataset("noise", x, y, x, y, ("a", "b", "c"), "drawn")


def test_norms_are_shares_of_their_mean(model: keras.Model) -> None:
    groups = channel_groups(model)
    kernel = model.get_layer("a").kernel.numpy().reshape(-1, 4)
    next_kernel = model.get_layer("b").kernel.numpy()[0, 0]
    for heuristic, order in (("l1", 1), ("l2", 2)):
        made = np.linalg.norm(kernel, order, axis=0)
        scores = structure_scores(model, groups, heuristic)
        assert set(scores) == {"a", "b"}
        np.testing.assert_allclose(scores["a"], made / made.mean(), rtol=1e-5)
        read = np.linalg.norm(next_kernel, order, axis=1)
        scores = structure_scores(model, groups, heuristic, structure="channels")
        np.testing.assert_allclose(scores["a"], read / read.mean(), rtol=1e-5)


def test_units_with_more_places_are_not_judged_by_their_number() -> None:
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(4, 1, name="a")(inputs)
    model = classifier(inputs, layers.Conv2D(4, 1, groups=2, name="b")(x))
    kernel = model.get_layer("b").kernel
    kernel.assign(np.broadcast_to([1.0, 3.0, 1.0, 3.0], kernel.shape))
    scores = structure_scores(model, channel_groups(model), "l1")
    np.testing.assert_allclose(scores["b"], [0.5, 1.5])


def test_shares_of_the_loss_are_its_differences(model: keras.Model, data: Dataset) -> None:
    def loss() -> float:
        found = keras.losses.sparse_categorical_crossentropy(data.y_train, model(data.x_train))
        return float(keras.ops.mean(found))

    shares = loss_shares(model, data, seed=0)
    for name, place in (("a", (1, 1, 0, 2)), ("b", (0, 0, 3, 1))):
        variable = model.get_layer(name).kernel
        kernel, losses = variable.numpy(), []
        for step in (1e-2, -1e-2):
            moved = kernel.copy()
            moved[place] += step
            variable.assign(moved)
            losses.append(loss())
        variable.assign(kernel)
        expected = abs(kernel[place] * (losses[0] - losses[1]) / 2e-2)
        assert shares[variable.path][place] == pytest.approx(expected, rel=0.02)


def test_what_no_one_reads_has_no_gradient(model: keras.Model, data: Dataset) -> None:
    kernel = model.get_layer("b").kernel
    kernel.assign(kernel.numpy() * np.array([1, 0, 1, 1])[:, None])
    scores = structure_scores(model, channel_groups(model), "gradient", data)
    assert scores["a"][1] == 0
    assert (scores["a"][[0, 2, 3]] > 0).all()


def test_zeros_behind_a_rectifier_count_against_a_channel(
    model: keras.Model, data: Dataset
) -> None:
    model.get_layer("a").bias.assign([-100.0, 100.0, 0.0, 0.0])
    scores = structure_scores(model, channel_groups(model), "activation", data)
    rectified = np.maximum(
        keras.Model(model.input, model.get_layer("a").output)(data.x_train), 0
    ).reshape(-1, 4)
    np.testing.assert_allclose(scores["a"], (rectified > 0).mean(axis=0))
    assert scores["a"][:2].tolist() == [0, 1]
    assert scores["b"].tolist() == [1] * 5  # nothing rectifies these


@pytest.mark.parametrize("heuristic", HEURISTICS)
def test_the_same_seed_gives_the_same_scores(
    model: keras.Model, data: Dataset, heuristic: str
) -> None:
    groups = channel_groups(model)
    first, again = (structure_scores(model, groups, heuristic, data, seed=3) for _ in range(2))
    for group in (one for one in groups if one.frozen is None):
        assert first[group.name].shape == (group.size,)
        np.testing.assert_array_equal(first[group.name], again[group.name])


def test_random_scores_follow_the_seed(model: keras.Model) -> None:
    groups = channel_groups(model)
    one, other = (structure_scores(model, groups, "random", seed=seed) for seed in (0, 1))
    assert (one["a"] != other["a"]).all()


def test_what_cannot_be_judged_is_refused(model: keras.Model) -> None:
    groups = channel_groups(model)
    with pytest.raises(RecipeError, match="one of l1, l2, gradient, activation, random"):
        structure_scores(model, groups, "l3")
    with pytest.raises(RecipeError, match="there are none"):
        structure_scores(model, groups, "gradient")
