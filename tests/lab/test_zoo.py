"""Families: as many parameters as the literature has it, and firmware that is exact."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: the zoo is not tested")

import keras

import tinysim
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import run_reference
from tinysim.errors import RecipeError
from tinysim.lab.model_files import load_model, save_model
from tinysim.lab.quantize.convert import convert
from tinysim.lab.zoo import build, families
from tinysim.lab.zoo.layers import ChannelSplit, channel_shuffle

Task = tuple[tuple[int, ...], int]
MNIST, CIFAR, IMAGENET = ((28, 28, 1), 10), ((32, 32, 3), 10), ((224, 224, 3), 1000)

#: Family, factors, input and classes, trainable parameters, how exactly they are published: where.
PUBLISHED: tuple[tuple[str, dict[str, Any], Task, float, float], ...] = (
    ("lenet", {}, MNIST, 1.2e6, 0.05e6),  # Deutel et al., table 1
    ("alexnet", {}, CIFAR, 44.7e6, 0.05e6),  # the same
    # Pise, "Knowledge Distillation": 43.5 times as many in the teacher as in the student, whose
    # code (5.2) gives these sums of kernels and biases.
    ("two_conv", {}, MNIST, 1_280 + 524_800 + 250_890, 0),
    ("two_conv", {"alpha": 1 / 16}, MNIST, 80 + 2_080 + 15_690, 0),
    ("one_conv", {}, MNIST, 120 + 20_290, 0),  # Pise, 5.1
    ("dense", {"units": (300, 100)}, MNIST, 266_610, 0),  # LeCun et al. 1998, LeNet-300-100
    # torchvision's documentation of shufflenet_v2_x0_5, x1_0, x1_5 and x2_0
    ("shufflenet_v2", {"alpha": 0.5}, IMAGENET, 1_366_792, 0),
    ("shufflenet_v2", {"alpha": 1.0}, IMAGENET, 2_278_604, 0),
    ("shufflenet_v2", {"alpha": 1.5}, IMAGENET, 3_503_624, 0),
    ("shufflenet_v2", {"alpha": 2.0}, IMAGENET, 7_393_996, 0),
)

#: A small model of each family, 3 classes: input and factors.
TINY: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {
    "lenet": ((12, 12, 1), {"alpha": 0.1}),
    "alexnet": ((20, 20, 3), {"alpha": 0.02}),
    "resnet": ((11, 11, 3), {"alpha": 0.05}),
    "resnet8": ((12, 12, 3), {"alpha": 0.25}),
    "mobilenet_v1": ((32, 32, 3), {"alpha": 0.05}),
    "mobilenet_v2": ((32, 32, 3), {"alpha": 0.05}),
    "mobilenet_v3": ((32, 32, 3), {"alpha": 0.05}),
    "shufflenet_v1": ((32, 32, 3), {"g": 2, "alpha": 0.1}),
    "shufflenet_v2": ((32, 32, 3), {"alpha": 0.1}),
    "dense": ((6, 6, 1), {"units": (8, 5)}),
    "one_conv": ((12, 12, 1), {}),
    "two_conv": ((12, 12, 1), {"alpha": 1 / 32}),
}


@pytest.mark.parametrize(
    ("family", "factors", "task", "parameters", "tolerance"),
    PUBLISHED,
    ids=[f"{family} {factors or ''}" for family, factors, *_ in PUBLISHED],
)
def test_parameters_are_as_many_as_published(
    family: str,
    factors: dict[str, Any],
    task: Task,
    parameters: float,
    tolerance: float,
) -> None:
    model = build(family, *task, **factors)
    assert abs(_trainable(model) - parameters) <= tolerance


def test_resnet_of_deutel_has_the_layers_of_the_table() -> None:
    # 3x3 convolutions, 1x1 projections, a scale and an offset for each channel, the dense layer
    # of 25,088 inputs: study 001, table 1.
    widths = (64, 64, 128, 256, 512)
    blocks = list(pairwise(widths))
    expected = 3 * 64 * 9 + 2 * 64 + 25_088 * 10 + 10
    expected += sum(9 * a * b + 9 * b * b + 4 * b for a, b in blocks)
    expected += sum(a * b + 2 * b for a, b in blocks if a != b)
    assert _trainable(build("resnet", *CIFAR)) == expected


@pytest.mark.parametrize("alpha", [0.25, 0.35, 1.0])
@pytest.mark.parametrize(
    ("family", "theirs"),
    [
        ("mobilenet_v1", "MobileNet"),
        ("mobilenet_v2", "MobileNetV2"),
        ("mobilenet_v3", "MobileNetV3Small"),
    ],
)
def test_mobilenets_compute_what_those_of_keras_do(family: str, theirs: str, alpha: float) -> None:
    shape = (64, 64, 3)
    model = build(family, shape, 7, alpha=alpha)
    options = {"include_preprocessing": False} if family == "mobilenet_v3" else {}
    reference = getattr(keras.applications, theirs)(
        shape, alpha=alpha, weights=None, classes=7, **options
    )
    assert sorted(_shapes(model)) == sorted(_shapes(reference))
    assert _multiplications(model) == _multiplications(reference)


def test_mobilenet_v3_without_squeezing_has_none() -> None:
    with_it, without = (build("mobilenet_v3", *CIFAR, squeeze_excite=one) for one in (True, False))
    squeezes = [layer.name for layer in with_it.layers if "squeeze" in layer.name]
    assert squeezes and not [layer for layer in without.layers if "squeeze" in layer.name]
    assert _trainable(without) < _trainable(with_it)


@pytest.mark.parametrize(("g", "millions"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenet_v1_multiplies_as_often_as_its_table_says(g: int, millions: int) -> None:
    model = build("shufflenet_v1", *IMAGENET, g=g)
    assert _multiplications(model) == pytest.approx(millions * 1e6, rel=0.03)


def test_a_shuffle_deals_channels_out_and_a_split_parts_them() -> None:
    inputs = keras.Input((1, 1, 6))
    first, rest = ChannelSplit((2, 4))(channel_shuffle(inputs, 3, "shuffle"))
    model = keras.Model(inputs, [first, rest])
    dealt = model(np.arange(6, dtype=np.float32).reshape(1, 1, 1, 6))
    assert [part.numpy().ravel().tolist() for part in dealt] == [[0, 2], [4, 1, 3, 5]]


#: Of many layers: the converter takes its time.
_LONG = ("mobilenet_v2", "mobilenet_v3", "shufflenet_v1", "shufflenet_v2")


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, marks=pytest.mark.slow if family in _LONG else ())
        for family in families()
    ],
)
def test_a_tiny_model_is_exact_on_the_chip(family: str, tmp_path: Path) -> None:
    shape, factors = TINY[family]
    keras.utils.set_random_seed(1)
    model = build(family, shape, 3, **factors)
    assert [layer.name for layer in model.layers[-2:]] == ["logits", "probabilities"]
    _enliven(model)
    model = load_model(save_model(model, tmp_path / "model.keras"))
    samples = np.random.default_rng(0).random((8, *shape), dtype=np.float32)

    floats = tmp_path / "float.tflite"
    floats.write_bytes(convert(model, "float32"))
    (found,) = run_reference(read_model(floats), (samples[:1],))
    assert np.abs(found - model(samples[:1], training=False).numpy()).max() < 1e-4

    integers = tmp_path / "int8.tflite"
    integers.write_bytes(convert(model, "int8", samples))
    result = tinysim.run(integers, "generic_m4", inputs=[samples[0][None]], use_cache=False)
    assert result.output_check.status == "exact"
    kinds = {type(node.op).__name__ for node in read_model(integers).nodes}
    assert not kinds & {"Quantize", "Dequantize"}, "some of it is computed in floats"


def test_families_and_factors_that_are_not_there_are_named() -> None:
    with pytest.raises(RecipeError, match=r"one of .*'lenet'"):
        build("lennet", *MNIST)
    with pytest.raises(RecipeError, match="its factors: alpha, squeeze_excite, stem_stride"):
        build("mobilenet_v3", *CIFAR, depth=2)
    with pytest.raises(RecipeError, match=r"groups are one of \[1, 2, 3, 4, 8\]"):
        build("shufflenet_v1", *CIFAR, g=5)


def _enliven(model: keras.Model) -> None:
    """Give normalizations something to fold, as if they had seen samples."""
    random = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance):
                variable.assign(random.uniform(0.5, 1.5, variable.shape))


def _trainable(model: keras.Model) -> int:
    return sum(prod(weight.shape) for weight in model.trainable_weights)


def _shapes(model: keras.Model) -> list[tuple[int, ...]]:
    """Shapes of all weights; a dense layer is a 1x1 convolution."""
    return [tuple(n for n in weight.shape if n != 1) for weight in model.weights]


def _multiplications(model: keras.Model) -> int:
    """Multiplications with kernels, for one image: each output takes a column of its kernel."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            total += prod(layer.output.shape[1:]) * prod(layer.kernel_size)
        elif isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            total += prod(layer.output.shape[1:]) * prod(layer.kernel.shape[:-1])
    return total
