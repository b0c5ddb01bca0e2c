"""Training: deterministic, masks hold, the best weights are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: training is not tested")

import keras

from tinysim.errors import RecipeError
from tinysim.lab._batches import batches, crop_flip
from tinysim.lab._training_watcher import duration
from tinysim.lab.data import Dataset
from tinysim.lab.model_files import load_model, save_masks, save_model
from tinysim.lab.stages import Context
from tinysim.lab.stages import train as stage
from tinysim.lab.state import State
from tinysim.lab.train import TrainSettings, train

QUICK = TrainSettings(epochs=2, batch_size=32)


@pytest.fixture(scope="module")
def bars() -> Dataset:
    """Images of a bright row or a bright column, and noise: easy to tell apart."""
    random = np.random.default_rng(0)
    x = random.integers(0, 60, (240, 8, 8, 1), dtype=np.uint8)
    y = random.integers(0, 2, 240)
    for image, upright in zip(x, y, strict=True):
        place = random.integers(0, 8)
        image[(slice(None), place) if upright else place] = 255
    return Dataset("bars", x[:200], y[:200], x[200:], y[200:], ("row", "column"), "made here")


def small_model() -> keras.Model:
    keras.utils.set_random_seed(7)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(8, 3, use_bias=False, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalMaxPooling2D()(x)
    x = keras.layers.Dense(2, name="logits")(x)
    return keras.Model(inputs, keras.layers.Softmax(name="probabilities")(x))


def test_it_learns_and_says_how_far_it_is(bars: Dataset) -> None:
    told: list[tuple[float, str]] = []
    settings = replace(QUICK, epochs=12, learning_rate=0.02)
    model = small_model()
    history = train(
        model, bars, settings, seed=1, on_progress=lambda share, what: told.append((share, what))
    )
    assert len(history.loss) == 12 and history.held_out_loss == ()
    assert history.loss[-1] < history.loss[0] / 2 and history.accuracy[-1] > 0.85
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[-1] == 1
    assert told[-1][1].startswith("epoch 12 of 12, loss 0.") and told[-1][1].endswith("0 s left")


def test_the_same_seed_gives_the_same_weights_and_another_others(bars: Dataset) -> None:
    settings = replace(QUICK, augment="crop_flip", schedule="cosine", patience=1)
    runs = []
    for seed in (3, 3, 4):
        model = small_model()
        history = train(model, bars, settings, seed=seed)
        runs.append((history, [np.array(weight) for weight in model.get_weights()]))
    assert runs[0][0] == runs[1][0] != runs[2][0]
    assert all(np.array_equal(a, b) for a, b in zip(runs[0][1], runs[1][1], strict=True))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_masked_elements_are_zero_after_every_batch(bars: Dataset, optimizer: str) -> None:
    model = small_model()
    mask = np.random.default_rng(2).random(model.get_layer("conv").kernel.shape) < 0.4
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(model.get_layer("conv").kernel.numpy())
    )
    settings = replace(QUICK, optimizer=optimizer, weight_decay=0.01)
    path = model.get_layer("conv").kernel.path
    train(model, bars, settings, seed=1, masks={path: mask}, callbacks=[look])
    assert len(seen) == 2 * 7
    for kernel in seen:
        assert not kernel[~mask].any() and kernel[mask].all()
    assert model.get_layer("conv").kernel.constraint is None
    train(model, bars, QUICK, seed=1)
    assert model.get_layer("conv").kernel.numpy().all(), "a training without masks frees them"


def test_early_stopping_keeps_the_best_weights(bars: Dataset) -> None:
    settings = replace(QUICK, epochs=30, patience=2, learning_rate=0.5)
    model = small_model()
    history = train(model, bars, settings, seed=5)
    assert len(history.loss) == history.best_epoch + 3 < 30
    assert min(history.held_out_loss) == history.held_out_loss[history.best_epoch]
    order = np.random.default_rng(5).permutation(200)[:20]
    x, y = bars.x_train[order] / np.float32(255), bars.y_train[order]
    probabilities = model.predict(x, verbose=0)[np.arange(20), y]
    assert -np.log(probabilities).mean() == pytest.approx(min(history.held_out_loss), rel=1e-3)


def test_an_epoch_takes_every_sample_once_and_the_next_in_another_order(bars: Dataset) -> None:
    numbered = replace(bars, y_train=np.arange(200))
    samples = batches(numbered, np.arange(0, 200, 2), 32, seed=1, augments=False)
    orders = []
    for _ in range(2):
        orders.append([int(y) for i in range(len(samples)) for y in samples[i][1]])
        samples.on_epoch_end()
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(0, 200, 2))
    assert orders[0] != orders[1]


def test_crop_and_flip_move_and_mirror_whole_images() -> None:
    image = np.zeros((64, 16, 16, 2), np.float32)
    image[:, 6:9, 5, 0] = 1
    moved = crop_flip(image, np.random.default_rng(0))
    assert (moved[..., 0].sum((1, 2)) == 3).all() and not moved[..., 1].any()
    rows, columns = np.nonzero(moved.sum((0, 3)))
    assert set(rows) == set(range(4, 11)) and set(columns) == {*range(3, 8), *range(8, 13)}


def test_masks_of_another_model_are_refused_all_at_once(bars: Dataset) -> None:
    masks = {"nothing/kernel": np.ones(3, bool), "logits/kernel": np.ones((2, 2), bool)}
    with pytest.raises(RecipeError, match=r"nothing/kernel \(3,\), logits/kernel \(2, 2\)"):
        train(small_model(), bars, QUICK, seed=1, masks=masks)


def test_settings_that_make_no_sense_are_refused_all_at_once() -> None:
    with pytest.raises(ValueError, match=r"epochs is 0.*; optimizer is 'best', not adam or sgd"):
        TrainSettings(epochs=0, optimizer="best")


def test_a_training_that_diverges_says_so(bars: Dataset) -> None:
    settings = replace(QUICK, optimizer="sgd")
    broken = replace(bars, x_train=np.full((200, 8, 8, 1), np.nan, np.float32))
    with pytest.raises(RecipeError, match="smaller learning rate"):
        train(small_model(), broken, settings, seed=1)


def test_the_stage_trains_what_it_gets_and_keeps_its_masks(bars: Dataset, tmp_path: Path) -> None:
    model = small_model()
    mask = np.zeros((3, 3, 1, 8), bool)
    mask[1] = True
    before = State(
        save_model(model, tmp_path / "before.keras"),
        masks=save_masks({"conv/kernel": mask}, tmp_path / "masks.npz"),
    )
    settings = stage.Settings(epochs=1, patience=1)
    context = Context(bars, tmp_path / "stage", seed=1, boards=())
    after = stage.run(settings, context, before)
    assert after.keras is not None and after.masks == before.masks
    assert after.notes.keys() == {"epochs", "training loss", "best epoch", "held-out accuracy"}
    kernel = load_model(after.keras).get_layer("conv").kernel.numpy()
    assert not kernel[~mask].any() and kernel[mask].all()
    assert sorted(path.name for path in context.folder.iterdir()) == ["model.keras"]


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "not.keras").write_text("no archive")
    with pytest.raises(RecipeError, match="cannot be read as a Keras model"):
        load_model(tmp_path / "not.keras")


@pytest.mark.parametrize(
    ("seconds", "said"), [(8.4, "8 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_are_said_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said
