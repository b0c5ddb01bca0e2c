"""Number formats: what the converter makes, tinysim runs as the host computes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not here: the lab is not tested")
import keras

import tinysim
from tests.lab.interpreted import interpreted, probabilities
from tinysim.agreement import FLOAT_STEPS, distances
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import run_reference
from tinysim.errors import RecipeError
from tinysim.lab.quantize.affine import Affine
from tinysim.lab.quantize.convert import SCHEMES, Scheme, calibration_samples, convert

SHAPE = (10, 10, 2)
#: Formats of files that are smaller than what the device holds; both compute in floats.
WIDENED = ("float16", "weight_only")


@pytest.fixture(scope="module")
def model() -> Any:
    """A model with batch normalization that has seen samples, after both kinds of convolution."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = entry = keras.Input(SHAPE)
    x = layers.Conv2D(6, 3, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.ReLU(6)(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(4, name="logits")(x)
    made = keras.Model(entry, layers.Softmax(name="probabilities")(x))
    random = np.random.default_rng(1)
    for layer in made.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return made


@pytest.fixture(scope="module")
def samples() -> Any:
    return np.random.default_rng(2).uniform(0, 1, (40, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_says_what_the_model_says(model: Any, samples: Any, scheme: Any) -> None:
    exact = {"float32": 1e-5, "int16x8": 0.002}
    found = probabilities(convert(model, scheme, samples), samples[:10])
    expected = model.predict(samples[:10], verbose=0)
    assert np.abs(found - expected).max() < exact.get(scheme, 0.03)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_device_computes_what_the_host_does(
    model: Any, samples: Any, scheme: Any, tmp_path: Path
) -> None:
    path = tmp_path / f"{scheme}.tflite"
    path.write_bytes(convert(model, scheme, samples))
    profile = tinysim.run(path, "nano33ble", inputs=[samples[:1]])
    assert profile.output_check.status == "exact"


@pytest.mark.parametrize("scheme", WIDENED)
def test_short_weights_are_floats_on_the_device(
    model: Any, samples: Any, scheme: Any, tmp_path: Path
) -> None:
    content, floats = convert(model, scheme), convert(model, "float32")
    profiles = []
    for name, blob in ((scheme, content), ("float32", floats)):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(blob)
        profiles.append(tinysim.run(path, "nano33ble", inputs=[samples[:1]]))
    short, long = profiles
    assert short.used_bytes("flash", "weights") == long.used_bytes("flash", "weights")
    assert sum("became float32, in flash, too" in line for line in short.removed) >= 3
    expected = probabilities(content, samples[:1]).astype(np.float32)
    assert distances(expected, short.outputs[0]).max() <= FLOAT_STEPS
    assert distances(expected, long.outputs[0]).max() > FLOAT_STEPS


def test_integers_from_end_to_end(model: Any, samples: Any) -> None:
    expected: dict[Scheme, Any] = {"int8": np.int8, "int16x8": np.int16, "uint8": np.uint8}
    for scheme, dtype in expected.items():
        interpreter = interpreted(convert(model, scheme, samples))
        assert interpreter.get_input_details()[0]["dtype"] is dtype
        assert interpreter.get_output_details()[0]["dtype"] is dtype


def test_no_batch_normalization_is_left(model: Any, samples: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(model, "int8", samples))
    kinds = [type(node.op).__name__ for node in read_model(path).nodes]
    assert kinds == ["Conv2D", "DepthwiseConv2D", "Mean", "FullyConnected", "Softmax"]


def test_weights_have_a_scale_a_channel_or_one(model: Any, samples: Any, tmp_path: Path) -> None:
    counts = {}
    schemes: tuple[Scheme, ...] = ("int8", "int8_per_tensor")
    for scheme in schemes:
        path = tmp_path / f"{scheme}.tflite"
        path.write_bytes(convert(model, scheme, samples))
        weights = [node.inputs[1] for node in read_model(path).nodes if len(node.inputs) == 3]
        counts[scheme] = [len(tensor.quant.scale) for tensor in weights if tensor and tensor.quant]
    assert counts == {"int8": [6, 6, 4], "int8_per_tensor": [1, 1, 1]}


def test_affine_numbers_are_those_of_the_study() -> None:
    random = np.random.default_rng(3)
    for low, high in ((-1.0, 3.0), (0.2, 5.0), (-4.0, -1.0), (0.0, 0.0)):
        data = random.uniform(low, high, 1000)
        affine = Affine.of(data)
        scale = (max(high, 0) - min(low, 0)) / 255 or 1
        assert affine.scale == pytest.approx(scale, rel=0.01)
        assert 0 <= affine.zero_point <= 255
        quantized = affine.quantize(data)
        for real, number in zip(data, quantized, strict=True):
            nearest = int(np.floor(real / affine.scale + 0.5)) + affine.zero_point
            assert number == min(max(nearest, 0), 255)
        assert np.abs(affine.dequantize(quantized) - data).max() <= 0.501 * affine.scale + 1e-12
        assert affine.dequantize(affine.quantize(np.zeros(1))) == 0
    wide = Affine(0.1, 100).quantize(np.array([-1e9, 1e9]))
    assert wide.tolist() == [0, 255]


def test_affine_weights_have_zero_points(model: Any, samples: Any) -> None:
    content = convert(model, "uint8", samples)
    details = {d["index"]: d for d in interpreted(content).get_tensor_details()}
    dense = model.get_layer("logits").kernel.numpy()
    affine = Affine.of(dense)
    (found,) = [d for d in details.values() if tuple(d["shape"]) == dense.shape[::-1]]
    assert found["dtype"] is np.uint8
    assert found["quantization"] == pytest.approx((affine.scale, affine.zero_point))


def test_uint8_runs_as_tflite_runs_it(model: Any, samples: Any, tmp_path: Path) -> None:
    content = convert(model, "uint8", samples)
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    graph = read_model(path)
    affine = Affine(graph.inputs[0].scale, graph.inputs[0].zero_point)
    host = [
        run_reference(graph, (affine.quantize(sample[None]),))[0][0] / 256
        for sample in samples[:10]
    ]
    # Its softmax is in floats, ours in integers: a step apart, at most.
    assert np.abs(np.array(host) - probabilities(content, samples[:10])).max() <= 1 / 256


def test_calibration_is_chosen_by_the_seed() -> None:
    pixels = np.arange(200, dtype=np.uint8).reshape(100, 2, 1, 1)
    first = calibration_samples(pixels, 10, seed=1)
    assert first.shape == (10, 2, 1, 1) and first.max() <= 1
    assert np.array_equal(first, calibration_samples(pixels, 10, seed=1))
    assert not np.array_equal(first, calibration_samples(pixels, 10, seed=2))
    assert len(calibration_samples(pixels, 500, seed=1)) == 100


def test_what_cannot_be_converted(model: Any, samples: Any) -> None:
    with pytest.raises(RecipeError, match="no such scheme; one of"):
        convert(model, "int4")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="ranges of activations are unknown; give samples"):
        convert(model, "int8")
    with pytest.raises(
        RecipeError, match=r"have shape \(9, 10, 2\), the model takes \(10, 10, 2\)"
    ):
        convert(model, "int8", samples[:, 1:])
    entry = keras.Input((4,))
    odd = keras.Model(entry, keras.ops.fft((entry, entry))[0])
    with pytest.raises(RecipeError, match="the converter refuses"):
        convert(odd, "int8", np.zeros((2, 4), np.float32))
