"""Students learn from teachers: logits, layers of another depth, masks, stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: distilling is not tested")

import keras

from tinysim.errors import RecipeError
from tinysim.lab import zoo
from tinysim.lab._distiller import divergence, logits_of
from tinysim.lab.data import Dataset, scaled
from tinysim.lab.distill import DistillSettings, distill, matched_layers
from tinysim.lab.model_files import load_model, save_masks, save_model
from tinysim.lab.stages import Context
from tinysim.lab.stages import distill as stage
from tinysim.lab.state import State
from tinysim.lab.train import TrainSettings, train

QUICK = DistillSettings(epochs=4, batch_size=32, learning_rate=0.01)
SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def spots() -> Dataset:
    """Noise with a bright corner, one of four."""
    random = np.random.default_rng(0)
    x = random.integers(0, 100, (320, *SHAPE), dtype=np.uint8)
    y = random.integers(0, 4, 320)
    for image, corner in zip(x, y, strict=True):
        image[(corner // 2) * 4 :, (corner % 2) * 4 :][:4, :4] += 120
    return Dataset("spots", x[:256], y[:256], x[256:], y[256:], tuple("abcd"), "made here")


@pytest.fixture(scope="module")
def teacher(spots: Dataset) -> keras.Model:
    model = network(depth=2, width=8)
    train(model, spots, TrainSettings(epochs=4, batch_size=32, learning_rate=0.01), seed=1)
    return model


def network(depth: int, width: int) -> keras.Model:
    """Two stages of so many convolutions each, then a vector."""
    keras.utils.set_random_seed(depth)
    inputs = x = keras.Input(SHAPE)
    for number in range(2):
        for index in range(depth):
            name = f"conv_{number}_{index}"
            x = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(x)
        x = keras.layers.MaxPooling2D(2, name=f"pool_{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(2 * width, activation="relu", name="hidden")(x)
    x = keras.layers.Dense(4, name="logits")(x)
    return keras.Model(inputs, keras.layers.Softmax(name="probabilities")(x))


def agreement(one: keras.Model, other: keras.Model, data: Dataset) -> float:
    """Mean absolute difference of the probabilities."""
    x = scaled(data.x_test)
    return float(np.abs(one.predict(x, verbose=0) - other.predict(x, verbose=0)).mean())


def test_divergence_is_that_of_softened_distributions() -> None:
    random = np.random.default_rng(2)
    teacher, student = (random.normal(0, 4, (5, 3)).astype(np.float32) for _ in range(2))

    def soft(logits: Any) -> Any:
        powers = np.exp(logits / 3)
        return powers / powers.sum(axis=1, keepdims=True)

    wanted, found = soft(teacher), soft(student)
    expected = 9 * (wanted * np.log(wanted / found)).sum(axis=1).mean()
    assert float(divergence(teacher, student, 3.0)) == pytest.approx(expected, rel=1e-5)
    assert float(divergence(teacher, teacher, 3.0)) == pytest.approx(0, abs=1e-6)


def test_a_student_without_labels_learns_its_teacher(spots: Dataset, teacher: keras.Model) -> None:
    before = [weight.numpy() for weight in teacher.weights]
    student = network(depth=1, width=4)
    far = agreement(student, teacher, spots)
    wrong = replace(spots, y_train=np.zeros_like(spots.y_train))
    distill(student, teacher, wrong, replace(QUICK, alpha=0.0, epochs=14), seed=1)
    assert agreement(student, teacher, spots) < far / 2
    for weight, old in zip(teacher.weights, before, strict=True):
        assert np.array_equal(weight.numpy(), old)
    paths = [variable.path for variable in student.trainable_variables]
    assert paths == [variable.path for variable in network(depth=1, width=4).trainable_variables]


def test_alpha_1_is_training_without_a_teacher(spots: Dataset, teacher: keras.Model) -> None:
    alone, taught = network(depth=1, width=4), network(depth=1, width=4)
    train(alone, spots, TrainSettings(2, 32, learning_rate=0.01), seed=3)
    distill(taught, teacher, spots, replace(QUICK, alpha=1.0, epochs=2), seed=3)
    for one, other in zip(alone.weights, taught.weights, strict=True):
        assert np.allclose(one.numpy(), other.numpy(), atol=1e-5)


def test_same_seed_same_student(spots: Dataset, teacher: keras.Model) -> None:
    settings = replace(QUICK, epochs=1, feature_weight=1.0)
    students = [network(depth=1, width=4) for _ in range(3)]
    for student, seed in zip(students, (1, 1, 2), strict=True):
        distill(student, teacher, spots, settings, seed=seed)
    first, same, other = ([w.numpy() for w in student.weights] for student in students)
    assert all(map(np.array_equal, first, same))
    assert not all(map(np.array_equal, first, other))


def test_stages_are_matched_by_height_and_width(teacher: keras.Model) -> None:
    assert matched_layers(network(depth=1, width=4), teacher) == (
        ("conv_0_0", "conv_0_1"),
        ("conv_1_0", "conv_1_1"),
        ("pool_1", "pool_1"),
        ("hidden", "hidden"),
    )


def test_features_are_drawn_together_and_projections_dropped(
    spots: Dataset, teacher: keras.Model
) -> None:
    def explained(student: keras.Model) -> float:
        """Share of the teacher's variance that a matrix finds in the student's layer."""
        x = scaled(spots.x_test)
        ours, theirs = (
            keras.Model(model.inputs, model.get_layer("pool_1").output)
            .predict(x, verbose=0)
            .reshape(-1, channels)
            for model, channels in ((student, 4), (teacher, 8))
        )
        found, *_ = np.linalg.lstsq(ours, theirs)
        return float(1 - np.square(ours @ found - theirs).sum() / np.square(theirs).sum())

    plain, drawn = network(depth=1, width=4), network(depth=1, width=4)
    names = [weight.path for weight in drawn.weights]
    settings = replace(QUICK, alpha=0.0, epochs=6)
    distill(plain, teacher, spots, settings, seed=1)
    features = replace(settings, feature_weight=10.0, pairs=(("pool_1", "pool_1"),))
    distill(drawn, teacher, spots, features, seed=1)
    assert explained(drawn) > explained(plain)
    assert [weight.path for weight in drawn.weights] == names


def test_a_teacher_without_a_layer_of_logits_is_asked_for_them(spots: Dataset) -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Flatten()(inputs)
    plain = keras.layers.Dense(4, name="numbers")(x)
    model = keras.Model(inputs, keras.layers.Softmax()(plain))
    found = keras.Model(inputs, logits_of(model)).predict(scaled(spots.x_test), verbose=0)
    expected = keras.Model(inputs, plain).predict(scaled(spots.x_test), verbose=0)
    apart = found - expected
    assert np.allclose(apart, apart[:, :1], atol=1e-4)


@pytest.mark.parametrize(
    ("pairs", "what"),
    [
        ((("nowhere", "pool_0"), ("pool_0", "neither")), "student has no.*teacher has no"),
        ((("pool_0", "pool_1"),), r"\(4, 4, 4\).*\(2, 2, 8\)"),
    ],
)
def test_pairs_that_cannot_be_compared_are_all_told(
    spots: Dataset, teacher: keras.Model, pairs: tuple[tuple[str, str], ...], what: str
) -> None:
    settings = replace(QUICK, feature_weight=1.0, pairs=pairs)
    with pytest.raises(RecipeError, match=what):
        distill(network(depth=1, width=4), teacher, spots, settings, seed=1)


def test_a_teacher_for_other_samples_is_refused(spots: Dataset, teacher: keras.Model) -> None:
    student = zoo.build("two_conv", (6, 6, 1), 4, alpha=0.01)
    with pytest.raises(RecipeError, match=r"samples have shape \(6, 6, 1\)"):
        distill(student, teacher, spots, QUICK, seed=1)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: DistillSettings(temperature=0), "temperature"),
        (lambda: DistillSettings(alpha=1.5), "alpha"),
        (lambda: DistillSettings(feature_weight=-1), "feature_weight"),
        (lambda: DistillSettings(pairs=(("a", "b"),)), "feature_weight is 0"),
        (lambda: DistillSettings(epochs=0), "epochs"),
        (lambda: stage.Settings(), "another model"),
        (lambda: stage.Settings(student="a", student_file=Path("b")), "either student"),
        (lambda: stage.Settings(teacher="a", teacher_file=Path("b")), "either teacher"),
        (lambda: stage.Settings(teacher="a", student_factors={"alpha": 1}), "family"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Callable[[], object], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        make()


def test_stage_teaches_a_family(spots: Dataset, teacher: keras.Model, tmp_path: Path) -> None:
    before = State(save_model(teacher, tmp_path / "t.keras"), Path("t.tflite"), Path("m.npz"))
    settings = stage.Settings(
        epochs=1, student="two_conv", student_factors={"alpha": 0.01}, temperature=2.0
    )
    after = stage.run(settings, Context(spots, tmp_path / "s", 1, ()), before)
    assert after.keras is not None and after.tflite is None and after.masks is None
    student = load_model(after.keras)
    assert student.name == "two_conv"
    times = teacher.count_params() / student.count_params()
    assert f"{times:.2f} times" in after.notes["teacher"]


def test_stage_teaches_a_pruned_model_by_what_it_was(
    spots: Dataset, teacher: keras.Model, tmp_path: Path
) -> None:
    path = save_model(teacher, tmp_path / "t.keras")
    kernel = teacher.get_layer("conv_1_1").kernel
    mask = np.random.default_rng(0).random(tuple(kernel.shape)) < 0.2
    masks = save_masks({kernel.path: mask}, tmp_path / "m.npz")
    pruned = State(path, masks=masks)
    settings = stage.Settings(epochs=1, teacher="whole")
    context = Context(spots, tmp_path / "s", 1, (), earlier={"whole": State(path)})
    after = stage.run(settings, context, pruned)
    assert after.keras is not None and after.masks == masks
    values = load_model(after.keras).get_layer("conv_1_1").kernel.numpy()
    assert (values[~mask] == 0).all() and not (values[mask] == 0).any()
    assert settings.needs == ("whole",)


def test_stage_takes_files(spots: Dataset, teacher: keras.Model, tmp_path: Path) -> None:
    teachers = save_model(teacher, tmp_path / "t.keras")
    students = save_model(network(depth=1, width=4), tmp_path / "s.keras")
    settings = stage.Settings(epochs=1, student_file=students, teacher_file=teachers)
    after = stage.run(settings, Context(spots, tmp_path / "s", 1, ()), State(None))
    assert after.keras == tmp_path / "s" / "model.keras"


def test_stage_says_which_teacher_it_lacks(spots: Dataset, tmp_path: Path) -> None:
    context = Context(spots, tmp_path, 1, (), earlier={"whole": State(None)})
    student = State(save_model(network(1, 2), tmp_path / "s.keras"))
    with pytest.raises(RecipeError, match=r"no earlier stage 'other'.*one of whole"):
        stage.run(stage.Settings(teacher="other"), context, student)
    with pytest.raises(RecipeError, match="stage 'whole' is no Keras model"):
        stage.run(stage.Settings(teacher="whole"), context, student)
    with pytest.raises(RecipeError, match="the model before is no Keras model"):
        stage.run(stage.Settings(student="lenet"), context, State(None))
