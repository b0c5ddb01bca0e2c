"""Quantization-aware training: what is trained is what the device computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not here: the lab is not tested")
import keras
import tensorflow as tf
from keras import layers

import tinysim
from tests.lab.interpreted import probabilities
from tinysim.compiler.readers import read_model
from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.quantize.convert import convert
from tinysim.lab.quantize.fold import folded
from tinysim.lab.quantize.layers import Range, rounded
from tinysim.lab.quantize.qat import deployable, fake_quantized, masks_of
from tinysim.lab.train import TrainSettings, train
from tinysim.lab.zoo import build, families
from tinysim.lab.zoo._blocks import activated, classifier, convolution, depthwise, hard_sigmoid

SHAPE = (12, 12, 1)


def with_history(model: Any) -> Any:
    """Normalizations as training would leave them."""
    random = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


def plain() -> Any:
    """Convolutions and dense layers, one after the other; activations of both spellings."""
    keras.utils.set_random_seed(0)
    x = entry = keras.Input(SHAPE, name="image")
    x = convolution(x, 6, 3, "conv")
    x = depthwise(x, 3, "depthwise", activation="relu6")
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(name="pool")(x))
    x = layers.Dense(12, activation="relu", name="dense")(x)
    return with_history(classifier(entry, x, 3, "plain"))


def everything() -> Any:
    """A sum, a concatenation, squeeze and excitation, hard swish."""
    keras.utils.set_random_seed(0)
    entry = keras.Input(SHAPE, name="image")
    x = convolution(entry, 8, 3, "stem", strides=2, activation="hard_swish")
    y = depthwise(x, 3, "depthwise", activation="relu6")
    y = convolution(y, 8, 1, "project", activation=None)
    x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([x, y]))
    s = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    s = layers.ReLU(name="reduce_relu")(layers.Conv2D(4, 1, name="reduce")(s))
    s = hard_sigmoid(layers.Conv2D(8, 1, name="expand")(s), "excite")
    y = layers.Multiply(name="weighed")([x, s])
    x = layers.Concatenate(name="both")([x, activated(y, "hard_swish", "swish")])
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return with_history(classifier(entry, x, 3, "everything"))


def bars(count: int, seed: int) -> tuple[Any, Any]:
    """Bright rows, bright columns or neither, in noise."""
    random = np.random.default_rng(seed)
    x, y = random.uniform(0, 0.3, (count, *SHAPE)), random.integers(0, 3, count)
    for sample, kind, place in zip(x, y, random.integers(1, 10, count), strict=True):
        if kind == 0:
            sample[place : place + 2] += 0.7
        elif kind == 1:
            sample[:, place : place + 2] += 0.7
    return x.astype(np.float32), y


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset("bars", *bars(384, 1), *bars(300, 2), ("row", "column", "neither"), "made here")


@pytest.fixture(scope="module")
def trained(dataset: Dataset) -> Any:
    """The plain model in floats."""
    model = plain()
    train(model, dataset, TrainSettings(epochs=6, batch_size=32, learning_rate=3e-3), seed=1)
    return model


def converted(model: Any, folder: Path, scheme: Any = "int8") -> Path:
    path = folder / f"{model.name}.tflite"
    path.write_bytes(convert(model, scheme))
    return path


@pytest.mark.parametrize("make", [plain, everything])
def test_folding_changes_nothing(make: Any, dataset: Dataset) -> None:
    model = make()
    found = folded(model)
    assert not [one for one in found.layers if isinstance(one, layers.BatchNormalization)]
    expected = model.predict(dataset.x_test, verbose=0)
    assert np.abs(found.predict(dataset.x_test, verbose=0) - expected).max() < 1e-5


@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_lie_on_255_levels(per_channel: bool) -> None:
    weights = np.random.default_rng(1).normal(0, [0.1, 1.0, 10.0], (5, 4, 3)).astype(np.float32)
    weights[:2] = 0
    most = np.abs(weights).max(axis=(0, 1) if per_channel else None)
    expected = np.round(weights / (most / 127)) * (most / 127)
    found = rounded(tf.constant(weights), per_channel).numpy()
    assert np.allclose(found, expected, atol=1e-6 * weights.max())
    assert not found[:2].any()


def test_ranges_follow_what_training_shows() -> None:
    layer = Range()
    x = np.linspace(-3, 7, 100, dtype=np.float32)
    layer(x)
    layer.set_range(-1, 1)
    layer(x, training=False)
    assert (layer.minimum.numpy(), layer.maximum.numpy()) == (-1, 1)
    layer(x, training=True)
    assert -3 < layer.minimum.numpy() < -1 and 1 < layer.maximum.numpy() < 7
    assert not layer.trainable_variables


def test_learned_ranges_have_gradients() -> None:
    layer = Range(learned=True)
    x = tf.constant(np.linspace(-3, 7, 100), tf.float32)
    layer(x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x, training=True))
    below, above = tape.gradient(loss, [v.value for v in layer.trainable_variables])
    assert float(below) == (x.numpy() < 0).sum()
    assert float(above) == (x.numpy() > 1).sum()


@pytest.mark.parametrize(("scheme", "learned"), [("int8", False), ("int8_per_tensor", True)])
def test_the_file_computes_what_was_trained(
    trained: Any, dataset: Dataset, scheme: Any, learned: bool, tmp_path: Path
) -> None:
    model = fake_quantized(
        trained, dataset.x_train[:64], learned=learned, per_channel=scheme == "int8"
    )
    before = [v.numpy().copy() for v in model.get_layer("conv_relu_range").weights]
    train(model, dataset, TrainSettings(epochs=2, batch_size=32), seed=1)
    assert before != [v.numpy() for v in model.get_layer("conv_relu_range").weights]
    path = converted(model, tmp_path, scheme)
    expected = model.predict(dataset.x_test, verbose=0)
    found = probabilities(path.read_bytes(), dataset.x_test)
    assert np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) >= 0.99
    assert np.mean(found.argmax(axis=1) == dataset.y_test) > 0.9
    _check_ranges(model, path)
    profile = tinysim.run(path, "nano33ble", inputs=[dataset.x_test[:1]])
    assert profile.output_check.status == "exact"


def _check_ranges(model: Any, path: Path) -> None:
    """The file's scales are those of the trained ranges, in the layers' order."""
    graph = read_model(path)
    scales = [graph.inputs[0].scale]
    for node in graph.nodes:
        if type(node.op).__name__ in ("Conv2D", "DepthwiseConv2D", "FullyConnected"):
            scales.append(node.outputs[0].scale)
    ranges = [layer for layer in model.layers if isinstance(layer, Range)]
    expected = [(r.maximum.numpy() - r.minimum.numpy()) / 255 for r in ranges]
    assert scales == pytest.approx(expected, rel=1e-5)
    kernels = [n.inputs[1] for n in graph.nodes if len(n.inputs) == 3]
    rounded_ones = [one for one in model.layers if hasattr(one, "rounded_kernel")]
    for kernel, layer in zip(kernels, rounded_ones, strict=True):
        assert kernel is not None and kernel.quant is not None
        flat = np.abs(layer.kernel.numpy()).reshape(-1, layer.output.shape[-1])
        most = flat.max(axis=0) if layer.per_channel else [flat.max()]
        assert kernel.quant.scale == pytest.approx(np.array(most) / 127, rel=1e-5)


def test_everything_becomes_integers(dataset: Dataset, tmp_path: Path) -> None:
    model = fake_quantized(everything(), dataset.x_train[:64])
    path = converted(model, tmp_path)
    kinds = [type(node.op).__name__ for node in read_model(path).nodes]
    assert kinds.count("HardSwish") == 2 and kinds.count("Mul") == 2
    found = probabilities(path.read_bytes(), dataset.x_test[:50])
    assert np.abs(found - model.predict(dataset.x_test[:50], verbose=0)).max() < 0.02
    profile = tinysim.run(path, "nano33ble", inputs=[dataset.x_test[:1]])
    assert profile.output_check.status == "exact"


def test_models_of_operations_and_of_a_sequence(dataset: Dataset, tmp_path: Path) -> None:
    x = entry = keras.Input(SHAPE)
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.Flatten()(keras.ops.relu(x + y) * 0.5)
    written = keras.Model(entry, layers.Dense(3, activation="softmax")(x), name="written")
    listed = keras.Sequential(
        [
            *(keras.Input(SHAPE), layers.Conv2D(2, 3), layers.BatchNormalization(), layers.ReLU()),
            *(layers.Flatten(), layers.Dense(3), layers.Softmax()),
        ],
        name="listed",
    )
    for model in (written, listed):
        made = fake_quantized(model, dataset.x_train[:64])
        expected = model.predict(dataset.x_test[:50], verbose=0)
        assert np.abs(made.predict(dataset.x_test[:50], verbose=0) - expected).max() < 0.02
        found = probabilities(converted(made, tmp_path).read_bytes(), dataset.x_test[:50])
        assert np.abs(found - expected).max() < 0.02


NAMED = ("resnet", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "shufflenet_v2")


@pytest.mark.slow
@pytest.mark.parametrize("family", [name for name in NAMED if name in families()])
def test_families_become_integers(family: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = with_history(build(family, (32, 32, 3), 4, alpha=0.05))
    samples = np.random.default_rng(1).uniform(0, 1, (8, 32, 32, 3)).astype(np.float32)
    model = fake_quantized(model, samples)
    graph = read_model(converted(model, tmp_path))
    types = {tensor.dtype.value for node in graph.nodes for tensor in node.outputs}
    assert types == {"int8"}


def test_masked_weights_stay_zero(trained: Any, dataset: Dataset, tmp_path: Path) -> None:
    model = keras.models.clone_model(trained)
    model.set_weights(trained.get_weights())
    random = np.random.default_rng(1)
    masks = {v.path: random.random(v.shape) < 0.3 for v in model.trainable_variables}
    masks = {path: mask for path, mask in masks.items() if "norm" not in path or "gamma" in path}
    model = fake_quantized(model, dataset.x_train[:64])
    carried = masks_of(masks, model)
    assert {"conv/kernel", "depthwise/kernel", "dense/kernel"} < set(carried) < set(masks)
    train(model, dataset, TrainSettings(epochs=1, batch_size=64), seed=1, masks=carried)
    graph = read_model(converted(model, tmp_path))
    dense = next(n for n in graph.nodes if type(n.op).__name__ == "FullyConnected")
    assert dense.inputs[1] is not None and dense.inputs[1].data is not None
    kept = masks["dense/kernel"].T
    assert not dense.inputs[1].data[~kept].any()
    assert np.count_nonzero(dense.inputs[1].data[kept]) > 0.9 * kept.sum()


def test_a_file_of_keras_holds_all_of_it(trained: Any, dataset: Dataset, tmp_path: Path) -> None:
    model = fake_quantized(trained, dataset.x_train[:64], learned=True, per_channel=False)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert np.array_equal(
        again.predict(dataset.x_test, verbose=0), model.predict(dataset.x_test, verbose=0)
    )
    assert convert(again, "int8_per_tensor") == convert(model, "int8_per_tensor")
    assert len(deployable(again).layers) == len(model.layers)


def test_what_cannot_be_trained_so(trained: Any, dataset: Dataset) -> None:
    samples = dataset.x_train[:8]
    entry = keras.Input((8, 2))
    odd = layers.BatchNormalization(name="early")(entry)
    odd = layers.Conv1D(2, 3, name="line")(odd)
    with pytest.raises(RecipeError, match=r"'early' .* follows no .*; layer 'line' \(Conv1D\) has"):
        fake_quantized(keras.Model(entry, odd), samples)
    pair = keras.Model(entry, [entry, layers.Flatten()(entry)])
    with pytest.raises(RecipeError, match="1 inputs and 2 outputs"):
        fake_quantized(pair, samples)
    with pytest.raises(RecipeError, match="no samples for calibration"):
        fake_quantized(trained, samples[:0])
    with pytest.raises(RecipeError, match="another scheme; convert it to int8"):
        convert(fake_quantized(trained, samples), "int8_per_tensor")
    entry = keras.Input(SHAPE)
    bent = layers.Conv2D(2, 3, activation="softplus")(entry)
    with pytest.raises(RecipeError, match="results stay floats, the first is"):
        convert(fake_quantized(keras.Model(entry, bent), samples), "int8")
