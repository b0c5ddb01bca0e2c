"""Weights share values that learn together; zeros of pruned layers stay."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: clustering is not tested")

import keras

from tinysim.errors import RecipeError
from tinysim.lab._sharing import Sharing
from tinysim.lab.cluster import cluster, fine_tune, kmeans
from tinysim.lab.data import Dataset, scaled
from tinysim.lab.model_files import load_model, save_masks, save_model
from tinysim.lab.stages import Context
from tinysim.lab.stages import cluster as stage
from tinysim.lab.state import State
from tinysim.lab.stored_size import decode
from tinysim.lab.train import TrainSettings

QUICK = TrainSettings(epochs=2, batch_size=50, learning_rate=0.01)
VALUES = arrays(np.float32, st.integers(1, 60), elements=st.floats(-3, 3, width=32))


@pytest.fixture(scope="module")
def spots() -> Dataset:
    """Noise with a bright corner, one of four."""
    random = np.random.default_rng(0)
    x = random.integers(0, 100, (250, 6, 6, 1), dtype=np.uint8)
    y = random.integers(0, 4, 250)
    for image, corner in zip(x, y, strict=True):
        image[(corner // 2) * 3 :, (corner % 2) * 3 :][:3, :3] += 150
    return Dataset("spots", x[:200], y[:200], x[200:], y[200:], tuple("abcd"), "made here")


def small_model() -> keras.Model:
    keras.utils.set_random_seed(7)
    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(6, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.1)(x)
    x = keras.layers.Dense(4, name="logits")(x)
    return keras.Model(inputs, keras.layers.Softmax(name="probabilities")(x))


def half(model: keras.Model) -> dict[str, NDArray[np.bool_]]:
    """Masks of all kernels, a random half kept."""
    random = np.random.default_rng(5)
    kernels = [model.get_layer(name).kernel for name in ("conv", "logits")]
    return {kernel.path: random.random(tuple(kernel.shape)) < 0.5 for kernel in kernels}


@given(VALUES, st.integers(1, 16))
def test_values_go_to_the_nearest_centroid(values: NDArray[np.float32], count: int) -> None:
    centroids, labels = kmeans(values, count)
    assert 1 <= len(centroids) <= count
    assert all(low < high for low, high in pairwise(centroids))
    assert set(labels) == set(range(len(centroids)))
    distances = np.abs(values[:, None] - centroids)
    chosen = distances[np.arange(len(values)), labels]
    assert (chosen <= distances.min(axis=1) + 1e-6).all()


@given(VALUES)
def test_few_values_are_kept_as_they_are(values: NDArray[np.float32]) -> None:
    steps = np.round(values).astype(np.float32) + np.float32(0)
    centroids, labels = kmeans(steps, 7 + 6 * 8)
    assert np.array_equal(centroids[labels], steps)


def test_centroids_are_the_means_of_what_is_nearest() -> None:
    values = np.array([0, 1, 2, 10, 11, 30], np.float32)
    centroids, labels = kmeans(values, 4)  # begins at 0, 10, 20 and 30
    assert centroids.tolist() == [1, 10.5, 30]
    assert labels.tolist() == [0, 0, 0, 1, 1, 2]


def test_centroids_move_by_the_sum_of_their_weights_gradients(spots: Dataset) -> None:
    model = small_model()
    clusters = cluster(model, conv_bits=2, dense_bits=2)
    path = "logits/kernel"
    model.get_layer("conv").kernel.assign(clusters["conv/kernel"].values)
    kernel = model.get_layer("logits").kernel
    kernel.assign(clusters[path].values)
    x, y = scaled(spots.x_train), spots.y_train
    import tensorflow as tf

    with tf.GradientTape() as tape:
        each = keras.losses.sparse_categorical_crossentropy(y, model(x, training=False))
        loss = tf.reduce_mean(each)
    gradient = tape.gradient(loss, kernel.value).numpy()
    labels = clusters[path].labels
    sums = [gradient[labels == label].sum() for label in range(len(clusters[path].centroids))]

    sharing = Sharing(model, clusters)
    with tf.GradientTape() as tape:
        each = keras.losses.sparse_categorical_crossentropy(y, sharing(x, training=False))
        loss = tf.reduce_mean(each)
    centroids = next(v for v in sharing.trainable_variables if v.path.endswith("centroids_1"))
    assert np.allclose(tape.gradient(loss, centroids.value).numpy(), sums, atol=1e-6)


def test_what_is_trained_still_shares_and_zeros_stay(spots: Dataset) -> None:
    model = small_model()
    masks = half(model)
    clusters = cluster(model, conv_bits=3, dense_bits=2, masks=masks)
    trainable = [variable.path for variable in model.trainable_variables]
    mean = model.get_layer("norm").moving_mean.numpy().copy()
    history = fine_tune(model, clusters, spots, replace(QUICK, epochs=8), seed=1)
    assert history.loss[-1] < history.loss[0] / 2
    for name, most in (("conv", 8), ("logits", 4)):
        kernel = model.get_layer(name).kernel
        values, before = kernel.numpy(), clusters[kernel.path]
        assert (values[~masks[kernel.path]] == 0).all()
        assert len(np.unique(values[masks[kernel.path]])) <= most
        for label in range(len(before.centroids)):
            assert len(np.unique(values[before.labels == label])) == 1
        assert not np.array_equal(values, before.values)
    assert [variable.path for variable in model.trainable_variables] == trainable
    assert not np.array_equal(model.get_layer("norm").moving_mean.numpy(), mean)


def test_zeros_stay_without_masks_too() -> None:
    model = small_model()
    kernel = model.get_layer("logits").kernel
    kernel.assign(np.where(half(model)[kernel.path], kernel.numpy(), 0))
    model.get_layer("conv").kernel.assign(np.zeros((3, 3, 1, 6)))
    clusters = cluster(model, conv_bits=3, dense_bits=2)
    assert list(clusters) == [kernel.path]  # nothing is left of the other
    zeros = clusters[kernel.path].values == 0
    assert np.array_equal(zeros, kernel.numpy() == 0)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no Arm cross compiler")
def test_stage_stores_what_it_has_made_the_same_every_time(spots: Dataset, tmp_path: Path) -> None:
    model = small_model()
    start = State(
        save_model(model, tmp_path / "start.keras"),
        masks=save_masks(half(model), tmp_path / "masks.npz"),
    )
    settings = stage.Settings(epochs=1, conv_bits=3, dense_bits=2)
    states = []
    for name in "ab":
        keras.utils.set_random_seed(3)  # as recipes do, or dropout draws as it likes
        context = Context(spots, tmp_path / name, 3, ("nano33ble",))
        states.append(stage.run(settings, context, start))
    assert states[0].notes == states[1].notes
    assert states[0].masks == start.masks and states[0].tflite is None
    stored = (tmp_path / "a" / "stored.bin").read_bytes()
    assert stored == (tmp_path / "b" / "stored.bin").read_bytes()
    assert states[0].notes["stored_bytes"] == str(len(stored))
    assert "cycles" in states[0].notes["decoding on nano33ble"]
    assert states[0].keras is not None
    made = load_model(states[0].keras).weights
    found = decode(stored, {weight.path: tuple(weight.shape) for weight in made})
    for weight in made:
        assert np.array_equal(found[weight.path], weight.numpy())


def test_a_converted_model_is_refused(spots: Dataset, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no Keras model"):
        stage.run(stage.Settings(), Context(spots, tmp_path, 1, ()), State(None))


@pytest.mark.parametrize(("conv_bits", "dense_bits"), [(0, 5), (8, 9)])
def test_bits_have_limits(conv_bits: int, dense_bits: int) -> None:
    with pytest.raises(ValueError, match="not from 1 to 8"):
        stage.Settings(conv_bits=conv_bits, dense_bits=dense_bits)
