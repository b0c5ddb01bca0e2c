"""Stages that convert, quantize and train with fake quantization: from files to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not here: the lab is not tested")
import keras

from tests.lab.interpreted import interpreted
from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.model_files import load_masks, load_model, save_masks, save_model
from tinysim.lab.quantize.convert import convert as convert_model
from tinysim.lab.stages import Context, convert, kinds, qat, quantize
from tinysim.lab.state import State


@pytest.fixture
def context(tmp_path: Path) -> Context:
    random = np.random.default_rng(1)
    x = random.integers(0, 256, (64, 8, 8, 1), dtype=np.uint8)
    y = (x.mean(axis=(1, 2, 3)) > 127).astype(np.int64)
    dataset = Dataset("dots", x, y, x, y, ("dark", "bright"), "made here")
    return Context(dataset, tmp_path / "stage", seed=3, boards=())


@pytest.fixture
def before(tmp_path: Path) -> State:
    """A model with batch normalization, and masks of it."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = entry = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, use_bias=False, name="conv")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.Dense(2, name="logits")(layers.Flatten()(x))
    model = keras.Model(entry, layers.Softmax(name="probabilities")(x))
    random = np.random.default_rng(1)
    masks = {v.path: random.random(v.shape) < 0.5 for v in model.trainable_variables}
    return State(
        keras=save_model(model, tmp_path / "before.keras"),
        masks=save_masks(masks, tmp_path / "before.npz"),
    )


def entry_type(path: Path | None) -> Any:
    assert path is not None
    return interpreted(path.read_bytes()).get_input_details()[0]["dtype"]


def test_the_folder_is_the_registry() -> None:
    assert {"convert", "qat", "quantize"} <= set(kinds())


def test_convert_makes_floats(context: Context, before: State) -> None:
    after = convert.run(convert.Settings(), context, before)
    assert entry_type(after.tflite) is np.float32
    assert (after.keras, after.masks, after.notes) == (
        *(before.keras, before.masks),
        {"scheme": "float32"},
    )


def test_quantize_takes_its_samples_from_the_dataset(context: Context, before: State) -> None:
    after = quantize.run(quantize.Settings("uint8", calibration=20), context, before)
    assert entry_type(after.tflite) is np.uint8
    assert after.notes == {"scheme": "uint8", "calibration samples": "20"}
    again = quantize.run(quantize.Settings("uint8", calibration=20), context, before)
    assert after.tflite and again.tflite
    assert after.tflite.read_bytes() == again.tflite.read_bytes()


def test_qat_goes_on_from_its_own_files(context: Context, before: State) -> None:
    settings = qat.Settings(epochs=1, ranges="learned", per_channel=False)
    after = qat.run(settings, context, before)
    assert entry_type(after.tflite) is np.int8
    assert after.keras and after.masks and after.tflite
    assert {"scheme": "int8_per_tensor", "ranges": "learned"}.items() <= after.notes.items()
    masks = load_masks(after.masks)
    assert set(masks) == {"conv/kernel", "logits/kernel", "logits/bias"}
    model = load_model(after.keras)
    for path, mask in masks.items():
        (variable,) = (v for v in model.trainable_variables if v.path == path)
        assert not variable.numpy()[~mask].any()
    assert convert_model(model, "int8_per_tensor") == after.tflite.read_bytes()
    more = qat.run(settings, context, after)
    assert more.keras is not None and load_model(more.keras).count_params() == model.count_params()


def test_settings_say_all_that_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"scheme is 'int4'.*; calibration is 0"):
        quantize.Settings("int4", calibration=0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scheme is 'int8', not one of float32, float16"):
        convert.Settings("int8")
    with pytest.raises(ValueError, match=r"ranges is 'known'.*; calibration is 0"):
        qat.Settings(ranges="known", calibration=0)
    with pytest.raises(ValueError, match="epochs is 0"):
        qat.Settings(epochs=0)


@pytest.mark.parametrize("stage", [convert, quantize, qat])
def test_stages_need_a_model_of_keras(stage: Any, context: Context) -> None:
    with pytest.raises(RecipeError, match="there is no Keras model"):
        stage.run(stage.Settings(), context, State(keras=None))
