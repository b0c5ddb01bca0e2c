"""Pruned models: what is zero stays so, as much remains as was asked for, and it still works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tensorflow", reason="tensorflow is not here: the lab is not tested")
import keras

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.model_files import load_masks, load_model, save_model
from tinysim.lab.prune import Pruned, Settings, prune
from tinysim.lab.prune.elements import HEURISTICS, element_masks, element_scores, kernels
from tinysim.lab.prune.importance import HEURISTICS as STRUCTURE_HEURISTICS
from tinysim.lab.prune.target import TargetError
from tinysim.lab.stages import Context
from tinysim.lab.stages import prune as stage
from tinysim.lab.state import State
from tinysim.lab.train import TrainSettings, train

SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Four classes: the corner of an image that is bright."""
    random = np.random.default_rng(0)
    x = random.random((320, *SHAPE)).astype(np.float32) * 0.5
    y = np.arange(len(x)) % 4
    for image, corner in zip(x, y, strict=True):
        row, column = 4 * (corner // 2), 4 * (corner % 2)
        image[row : row + 4, column : column + 4] += 0.4
    names = ("north-west", "north-east", "south-west", "south-east")
    return Dataset("corners", x[:240], y[:240], x[240:], y[240:], names, "made by the test")


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> Any:
    """A user's own Sequential model, trained."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    made = keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Conv2D(8, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, activation="relu"),
            layers.Conv2D(12, 1, activation="relu"),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(4),
            layers.Softmax(),
        ]
    )
    train(made, dataset, TrainSettings(epochs=4, batch_size=16, learning_rate=5e-3), seed=0)
    return made


def _settings(**settings: Any) -> Settings:
    return Settings(**{"steps": 2, "final_epochs": 1, "batch_size": 16, **settings})


def _assert_masked(found: Pruned) -> None:
    """What masks do not keep is zero, and nothing but kernels has masks."""
    assert found.masks.keys() == kernels(found.model).keys()
    for weight in found.model.weights:
        if weight.path in found.masks:
            assert not weight.numpy()[~found.masks[weight.path]].any()


@pytest.mark.parametrize(
    ("heuristic", "scope"), [*zip(HEURISTICS, ("global", "layer", "global"), strict=True)]
)
def test_elements_stay_zero_through_training(
    model: Any, dataset: Dataset, heuristic: str, scope: Any
) -> None:
    settings = _settings(structure="elements", heuristic=heuristic, scope=scope, remaining=0.5)
    before = [weight.numpy() for weight in model.weights]
    found = prune(model, dataset, settings)
    _assert_masked(found)
    assert found.last.remaining == pytest.approx(0.5 * model.count_params(), abs=1)
    assert any((w.numpy() != b).any() for w, b in zip(found.model.weights, before, strict=True))
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)  # of the model that was given
    if scope == "layer":
        shares = [mask.mean() for mask in found.masks.values()]
        assert max(shares) - min(shares) < 0.02


def test_each_step_prunes_what_equation_1_says(model: Any, dataset: Dataset) -> None:
    found = prune(model, dataset, _settings(structure="elements", remaining=0.4, epochs=0))
    total = model.count_params()
    shares = [1 - step.remaining / total for step in found.steps]
    assert shares == pytest.approx([0.6 * (1 - 0.5**3), 0.6], abs=1 / total)


SCORES = st.lists(
    st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array), min_size=1, max_size=4
).map(lambda arrays: {str(i): array for i, array in enumerate(arrays)})


@given(SCORES, SCORES, st.data(), st.sampled_from(["global", "layer"]))
def test_masks_only_grow(first: Any, second: Any, data: st.DataObject, scope: Any) -> None:
    """Whatever matters later: the scores are new in each step."""
    second = {
        path: np.resize(second.get(path, array), array.shape) for path, array in first.items()
    }
    size = sum(array.size for array in first.values())
    some = data.draw(st.integers(0, size))
    more = data.draw(st.integers(some, size))
    before = element_masks(first, some, scope=scope)
    after = element_masks(second, more, scope=scope, before=before)
    assert sum(int((~mask).sum()) for mask in before.values()) == some
    assert all(not after[path][~mask].any() for path, mask in before.items())
    gone = sum(int((~mask).sum()) for mask in after.values())
    assert gone == more if scope == "global" else gone >= more


def test_the_smallest_weights_go_first(model: Any, dataset: Dataset) -> None:
    scores = element_scores(model, "magnitude", dataset=dataset)
    masks = element_masks(scores, 300)
    kept = np.concatenate([scores[path][mask] for path, mask in masks.items()])
    gone = np.concatenate([scores[path][~mask] for path, mask in masks.items()])
    assert len(gone) == 300
    assert gone.max() <= kept.min()


def test_depthwise_kernels_by_choice(model: Any) -> None:
    assert [path.split("/")[-2][:4] for path in kernels(model)] == ["conv", "conv", "dens", "dens"]
    with_depthwise = kernels(model, depthwise=True)
    assert len(with_depthwise) == 5
    assert any("depthwise" in path for path in with_depthwise)


@pytest.mark.parametrize("heuristic", STRUCTURE_HEURISTICS)
def test_structures_are_removed(model: Any, dataset: Dataset, heuristic: str) -> None:
    settings = _settings(
        heuristic=heuristic, remaining=0.4, epochs=0, final_epochs=int(heuristic == "l1")
    )
    found = prune(model, dataset, settings)
    total = model.count_params()
    assert found.model.count_params() == found.last.parameters == found.last.remaining
    assert 0.95 * 0.4 * total <= found.last.parameters <= 0.4 * total
    assert found.simulations == 0
    assert found.model.output_shape == (None, 4)


def test_columns_are_of_dense_layers(model: Any, dataset: Dataset) -> None:
    settings = _settings(
        structure="columns", remaining=0.8, tolerance=0.2, epochs=0, final_epochs=0
    )
    found = prune(model, dataset, settings)
    shapes = [tuple(weight.shape) for weight in found.model.weights]
    assert shapes[0] == (3, 3, 1, 8)
    assert shapes[-1] == (4,)
    assert shapes[-3][0] % 4 == 0
    assert shapes[-3][0] < 16


def test_the_same_seed_gives_the_same_model(model: Any, dataset: Dataset) -> None:
    settings = _settings(heuristic="random", remaining=0.5, schedule="one_shot")
    first, again = (prune(model, dataset, settings, seed=3) for _ in range(2))
    for one, other in zip(first.model.weights, again.model.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert first.steps == again.steps


def test_zeros_stay_zero_where_structures_are_removed(model: Any, dataset: Dataset) -> None:
    sparse = prune(model, dataset, _settings(structure="elements", remaining=0.5, final_epochs=0))
    settings = _settings(remaining=0.5, schedule="one_shot")
    found = prune(sparse.model, dataset, settings, masks=sparse.masks)
    _assert_masked(found)
    assert found.last.parameters <= 0.5 * model.count_params()
    assert found.last.remaining < found.last.parameters


def test_nothing_is_done_where_nothing_is_to_be_done(model: Any, dataset: Dataset) -> None:
    found = prune(model, dataset, _settings(remaining=1.0))
    assert (found.steps, found.last) == ((), found.start)


@pytest.mark.parametrize("structure", ["elements", "filters"])
def test_what_cannot_be_reached_says_how_near_it_comes(
    model: Any, dataset: Dataset, structure: Any
) -> None:
    with pytest.raises(TargetError, match="parameters") as caught:
        prune(model, dataset, _settings(structure=structure, remaining=0.01))
    assert 0.01 * model.count_params() < caught.value.nearest < 0.3 * model.count_params()
    assert caught.value.exit_code == 1


def test_samples_of_another_kind_are_refused(model: Any, dataset: Dataset) -> None:
    logits = keras.Sequential([keras.layers.Input(SHAPE), *model.layers[:-1]])
    with pytest.raises(RecipeError, match="no probabilities"):
        prune(logits, dataset, _settings(remaining=0.5))
    narrow = Dataset("n", dataset.x_train[:, :4], *[getattr(dataset, name) for name in (
        "y_train", "x_test", "y_test", "classes", "source")])  # fmt: skip
    with pytest.raises(RecipeError, match="samples are"):
        prune(model, narrow, _settings(remaining=0.5))


def test_settings_say_all_that_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"heuristic.*steps.*either remaining or target"):
        Settings(heuristic="loud", steps=0)
    with pytest.raises(ValueError, match="cost as much"):
        Settings(structure="elements", target="latency<1ms@nano33ble")
    with pytest.raises(ValueError, match=r"remaining is 1\.5"):
        Settings(remaining=1.5)


def test_the_stage_leaves_a_model_and_its_masks(
    model: Any, dataset: Dataset, tmp_path: Path
) -> None:
    before = State(save_model(model, tmp_path / "before.keras"))
    context = Context(dataset, tmp_path / "stage", seed=0, boards=())
    state = stage.run(_settings(structure="elements", remaining=0.5, epochs=0), context, before)
    assert state.keras is not None
    assert state.masks is not None
    masks = load_masks(state.masks)
    weights = {weight.path: weight.numpy() for weight in load_model(state.keras).weights}
    assert masks.keys() <= weights.keys()
    assert all(not weights[path][~mask].any() for path, mask in masks.items())
    assert state.notes["remaining"] == "50 %"
