"""Recipes: what is read, and everything that may be wrong with one, by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import fakes
from tinysim.errors import RecipeError
from tinysim.lab.recipe import Recipe
from tinysim.lab.recipe_file import read_recipe
from tinysim.lab.report.published import PUBLISHED_KEYS, QUANTITIES


@pytest.fixture(autouse=True)
def stages(tmp_path: Path) -> Iterator[None]:
    with fakes.installed(tmp_path / "fakes"):
        yield


def read(folder: Path, text: str, mode: str = "full") -> Recipe:
    file = folder / "digits.toml"
    file.write_text(text)
    return read_recipe(file, mode)


def problems(folder: Path, text: str) -> list[str]:
    """Return what is said of each line, without the file."""
    with pytest.raises(RecipeError) as caught:
        read(folder, text)
    if "\n" not in caught.value.what:
        return [f"{caught.value.where}: {caught.value.what}".removeprefix(f"{folder}/digits.toml:")]
    _, *lines = caught.value.what.splitlines()
    return [line.strip().removeprefix(f"{folder}/digits.toml:") for line in lines]


def test_everything_is_read(tmp_path: Path) -> None:
    recipe = read(tmp_path, fakes.recipe_text())
    assert (recipe.name, recipe.seed, recipe.repeats) == ("digits", 1, 2)
    assert recipe.boards == ("nano33ble",)
    assert (recipe.starts[0].family, recipe.starts[0].factors) == ("tiny", {"width": 2})
    assert [(stage.name, stage.kind, stage.after) for stage in recipe.stages] == [
        ("grow", "grow", -1),
        ("int8", "freeze", 0),
        ("more", "grow", 0),
    ]
    assert recipe.stages[0].settings.epochs == 3
    assert recipe.stages[2].settings.epochs == 1
    assert recipe.chain(2) == ("model", "grow", "more")


def test_small_overrides(tmp_path: Path) -> None:
    recipe = read(tmp_path, fakes.recipe_text(), "small")
    assert recipe.repeats == 1
    assert (recipe.starts[0].samples.train, recipe.starts[0].samples.test) == (None, 5)
    assert [getattr(stage.settings, "epochs", 0) for stage in recipe.stages] == [1, 0, 1]


def test_small_may_name_other_samples_and_another_model(tmp_path: Path) -> None:
    (tmp_path / "few.npz").write_bytes(b"")
    text = fakes.recipe_text().replace("{ test = 5 }", '{ path = "few.npz" }')
    text = text.replace("stage.grow =", 'model.path = "few.npz"\nstage.grow =')
    recipe = read(tmp_path, text, "small")
    assert recipe.starts[0].samples.name == str(tmp_path / "few.npz")
    assert (recipe.starts[0].path, recipe.starts[0].family) == (tmp_path / "few.npz", None)
    assert read(tmp_path, text).starts[0].family == "tiny"


def test_settings_have_the_types_that_they_are_annotated_with(tmp_path: Path) -> None:
    text = fakes.recipe_text().replace(
        "epochs = 3", 'rate = 1\nhow = "slow"\nshares = [1, 0.5]\nfile = "x.npz"'
    )
    settings = read(tmp_path, text).stages[0].settings
    assert (settings.rate, settings.how, settings.shares) == (1.0, "slow", (1.0, 0.5))
    assert isinstance(settings.rate, float)
    assert settings.file == tmp_path / "x.npz"


EACH = """\
boards = ["nano33ble"]

[data]
name = "noise"
each.size = [8, 16]

[model]
family = "tiny"

[[stage]]
kind = "grow"
name = "g"
each = { epochs = [1, 2], how = ["slow"] }

[[stage]]
kind = "freeze"
name = "int8"
scheme = "int8"

[[stage]]
kind = "grow"
name = "one"
after = "g 16 2 slow"

[[stage]]
kind = "grow"
name = "all"
after = "g"

[[published]]
stage = "int8 8 1 slow"
board = "nano33ble"
latency = "2 ms"
energy = "3 mJ"
source = "a paper"
"""


def test_each_value_has_its_own_stages(tmp_path: Path) -> None:
    recipe = read(tmp_path, EACH)
    assert [(one.name, one.samples.options) for one in recipe.starts] == [
        ("model 8", {"size": 8}),
        ("model 16", {"size": 16}),
    ]
    named = {stage.name: stage for stage in recipe.stages}
    assert [*named] == [
        *("g 8 1 slow", "g 16 1 slow", "g 8 2 slow", "g 16 2 slow"),
        *("int8 8 1 slow", "int8 16 1 slow", "int8 8 2 slow", "int8 16 2 slow"),
        *("one 16 2 slow", "all 8 1 slow", "all 16 1 slow", "all 8 2 slow", "all 16 2 slow"),
    ]
    assert named["g 16 2 slow"].settings.epochs == 2
    assert named["int8 16 2 slow"].group == "int8"
    place = [*named].index("int8 16 2 slow")
    assert recipe.chain(place) == ("model 16", "g 16 2 slow", "int8 16 2 slow")
    assert recipe.values(place) == {"size": "16", "epochs": "2", "how": "slow"}
    assert recipe.start_of(place).name == "model 16"
    assert [*recipe.places()] == [-1, 0, 2, 4, 6, 9, 11, -2, 1, 3, 5, 7, 8, 10, 12]


def test_small_takes_fewer_of_each(tmp_path: Path) -> None:
    text = EACH.replace('"g 16 2 slow"', '"g"').replace("int8 8 1 slow", "int8 16 2 slow")
    text += "[small]\ndata = { each = { size = [8] } }\nstage.g = { each = { epochs = [1] } }"
    recipe = read(tmp_path, text, "small")
    assert [stage.name for stage in recipe.stages] == ["g 8 1", "int8 8 1", "one 8 1", "all 8 1"]
    assert recipe.published == (), "of a stage that only the full mode has"
    assert len(read(tmp_path, text).published) == 2


def test_published_values_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, EACH).published
    assert [(one.quantity, one.value, one.board) for one in found] == [
        ("latency", 0.002, "nano33ble"),
        ("energy", 0.003, "nano33ble"),
    ]


def test_what_may_be_wrong_with_each_and_with_published_values(tmp_path: Path) -> None:
    text = EACH.replace("[8, 16]", "[8, 8]").replace("epochs = [1, 2]", "epochs = [0, 2], rate = 1")
    text = text.replace('scheme = "int8"', 'scheme = "int8"\neach.scheme = ["uint8"]')
    text = text.replace('latency = "2 ms"', 'latency = "2"\naccuracy = "3 %"\nspeed = 1')
    text = text.replace('source = "a paper"', "").replace("g 16 2 slow", "g")
    assert problems(tmp_path, text) == [
        "5: data.each.size: a value is there twice",
        "10: stage[1]: 0 epochs: at least one",
        "13: stage[1].each.rate: 1 is no list of values",
        "19: stage[2].each.scheme: scheme has a value of its own, too",
        "31: published[1]: has no source",
        "32: published[1].stage: no stage 'int8 8 1 slow', "
        "did you mean int8 2 slow or int8 0 slow?",
        "34: published[1].latency: '2' has no unit; write it like 50 ms (s, ms, us, ns)",
        "35: published[1].accuracy: accuracy is not of a board",
        "36: published[1].speed: unknown, known: " + ", ".join([*PUBLISHED_KEYS, *QUANTITIES]),
    ]


def test_a_stage_may_begin_anew(tmp_path: Path) -> None:
    recipe = read(tmp_path, EACH.replace('after = "g"\n', 'after = "model"\n'))
    assert [(stage.name, stage.after) for stage in recipe.stages[-2:]] == [
        ("all 8", -1),
        ("all 16", -2),
    ]


def test_a_stage_may_be_for_few_boards(tmp_path: Path) -> None:
    text = EACH.replace('name = "one"', 'name = "one"\nboards = []')
    recipe = read(tmp_path, text)
    place = [stage.group for stage in recipe.stages].index("one")
    assert recipe.boards_of(place) == ()
    assert recipe.boards_of(-1) == recipe.boards_of(0) == ("nano33ble",)
    assert problems(tmp_path, text.replace("boards = []", 'boards = ["rpi_pico"]')) == [
        "23: stage[3].boards: the recipe has no board rpi_pico, known: nano33ble"
    ]


def test_the_user_brings_other_samples(tmp_path: Path) -> None:
    (tmp_path / "mine.npz").write_bytes(b"")
    file = tmp_path / "digits.toml"
    file.write_text(fakes.recipe_text())
    samples = read_recipe(file, "small", tmp_path / "mine.npz").starts[0].samples
    assert (samples.name, samples.test) == (str(tmp_path / "mine.npz"), 5)


def test_published_values_are_of_the_recipe_s_boards(tmp_path: Path) -> None:
    text = EACH.replace('board = "nano33ble"\nlatency', 'board = "rpi_pico"\nlatency')
    assert problems(tmp_path, text.replace('energy = "3 mJ"', "")) == [
        "32: published[1].board: the recipe has no board rpi_pico, known: nano33ble"
    ]
    text = EACH.replace('latency = "2 ms"', "").replace('energy = "3 mJ"', "")
    (line,) = problems(tmp_path, text)
    assert line.startswith("30: published[1]: has nothing to compare, known: parameters")


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = """\
nmae = "x"
boards = ["nano33bel"]
repeats = 0
seed = "one"
optimize = "sized"

[data]
name = "noise"
train = 1.5
sise = 9

[model]
family = "tinny"

[[stage]]
kind = "grow"
epoch = 3

[[stage]]
kind = "grow"
epochs = 0

[[stage]]
kind = "freze"

[[stage]]
kind = "freeze"
after = "nothing"

[[stage]]
kind = "grow"
how = "fast"
shares = 1
rate = true

[small]
nothing = 1
repeats = -1
stage.grwo = { epochs = 1 }
stage.freeze = { scheme = 8, kind = "grow" }
"""
    assert problems(tmp_path, text) == [
        "1: nmae: unknown, did you mean name or tune?",
        "2: boards[1]: no such board, did you mean nano33ble or nano33ble_arduino?",
        "3: repeats: 0 is less than 1",
        "4: seed: 'one' is not what is wanted: whole number",
        "5: optimize: 'sized' is not known, did you mean size or speed?",
        "9: data.train: 1.5 is not what is wanted: whole number",
        "10: data.sise: unknown, did you mean size?",
        "13: model.family: no such family, did you mean tiny?",
        "17: stage[1].epoch: unknown, did you mean epochs?",
        "19: stage[2]: 0 epochs: at least one",
        "24: stage[3].kind: no such stage, did you mean freeze?",
        "26: stage[4]: has no scheme, which freeze wants",
        "28: stage[4].after: no earlier stage of the name 'nothing', known: freze, grow",
        "32: stage[5].how: 'fast' is not known, known: quick, slow",
        "33: stage[5].shares: 1 is no list",
        "34: stage[5].rate: True is not what is wanted: number",
        "37: small.nothing: unknown, did you mean rounding?",
        "38: repeats: -1 is less than 1",
        "39: small.stage.grwo: no such stage, did you mean grow?",
        "40: small.stage.freeze.kind: what a stage is does not depend on the mode",
        "40: stage[4].scheme: 8 is not what is wanted: text",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "1: boards: no board"),
        ("", "1: data: give either name or path"),
        ("", "1: model: give either family or path"),
        ("", "1: nothing to do; write a [[stage]]"),
        ("stage = 3", "1: stage: nothing to do"),
        ("stage = [3]", "1: stage[1]: 3 is no table"),
        ("boards = 3", "1: boards: 3 is no list"),
        ("data = 3", "1: data: 3 is no table"),
        ("small = 3", "1: small: 3 is no table"),
        ("[small.data]\nname = 3", "2: data.name: 3 is not what is wanted: text"),
        ('[model]\npath = "x.keras"', "2: model.path: "),
        ('[model]\npath = "x.keras"\nfamily = "tiny"', "1: model: give either family or path"),
        ('[[stage]]\nepochs = 1', "1: stage[1]: has no kind, known: freeze, grow"),
    ],
)  # fmt: skip
def test_each_problem(tmp_path: Path, text: str, what: str) -> None:
    assert any(line.startswith(what) for line in problems(tmp_path, text))


def test_names_that_stand_for_several_stages(tmp_path: Path) -> None:
    text = fakes.recipe_text().replace('name = "int8"', "").replace('name = "more"', "")
    text += '\n[[stage]]\nkind = "grow"\nafter = "grow"'
    assert problems(tmp_path, text) == [
        "32: stage[4].after: several stages are called 'grow'; give them names"
    ]


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"a = ", "not TOML: Invalid value"), (b"\xff", "not TOML"), (None, "cannot")],
)
def test_files_that_are_no_recipe(tmp_path: Path, content: bytes | None, what: str) -> None:
    file = tmp_path / "x.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RecipeError, match=what):
        read_recipe(file)
