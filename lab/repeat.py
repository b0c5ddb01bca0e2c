"""One repeat of a recipe: all stages one after the other, or what is left of them.

A stage depends on nothing but its key: random numbers begin anew with each stage, so that it makes
the same whether it runs right after the one before or a day later.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tinysim.boards import load_board
from tinysim.lab import data, stages, zoo
from tinysim.lab.data import Dataset, scaled
from tinysim.lab.helped import from_behind, locked
from tinysim.lab.measure import Row, measure
from tinysim.lab.model_files import load_model, save_model, written_whole
from tinysim.lab.progress import Clock
from tinysim.lab.recipe import Recipe, Samples, has_boards, needs
from tinysim.lab.settle import settle
from tinysim.lab.stages import Context
from tinysim.lab.state import State
from tinysim.lab.stored import key_from, load_state, save_state
from tinysim.lab.threads import use_threads
from tinysim.records import dumps, loads

_ROW = "row.json"


def steps(recipe: Recipe) -> list[str]:
    """Return what is done in a repeat, in order."""
    return [
        step
        for place in recipe.places()
        for step in (name_of(recipe, place), f"measuring {name_of(recipe, place)}")
        if step == name_of(recipe, place) or is_measured(recipe, place)
    ]


def name_of(recipe: Recipe, place: int) -> str:
    """Return what a stage is called."""
    return recipe.chain(place)[-1]


def is_measured(recipe: Recipe, place: int) -> bool:
    """Whether a place has a row: all but models that have learned nothing yet."""
    return place >= 0 or recipe.start_of(place).path is not None


def folder_of(out: Path, repeat: int) -> Path:
    """Return the folder of a repeat, which counts from 0."""
    return out / str(repeat + 1)


def follow(
    recipe: Recipe, out: Path, repeat: int, clock: Clock, *, is_helped: bool = False
) -> tuple[Row, ...]:
    """Do all stages once; together with ``help_along`` if ``is_helped``."""
    each = _Repeat(recipe, folder_of(out, repeat), repeat, clock, is_helped)
    return each.rows(tuple(recipe.places()))


def help_along(recipe: Recipe, out: Path, repeat: int) -> None:
    """Do stages of a repeat that another process follows, from the last one on."""
    silent = Clock(steps(recipe), 1, lambda progress: None)
    _Repeat(recipe, folder_of(out, repeat), repeat, silent, True).rows(from_behind(recipe))


class _Repeat:
    """The states of all stages so far, by place."""

    def __init__(
        self, recipe: Recipe, folder: Path, repeat: int, clock: Clock, is_helped: bool = False
    ) -> None:
        self.recipe, self.folder, self.repeat, self.clock = recipe, folder, repeat, clock
        self.is_helped = is_helped
        use_threads(recipe.threads)
        self.seed = recipe.seed + repeat
        self.boards = [(name, load_board(name).sha256) for name in recipe.boards]
        self.begin(recipe.starts[0].samples)
        self.states: dict[int, State] = {}

    def begin(self, samples: Samples) -> None:
        """Take the samples of a start; those of the one before are forgotten."""
        self.samples, self.dataset = samples, _dataset(samples)
        self.common = (self.seed, self.recipe.threads, _digest(self.dataset))

    def rows(self, places: Sequence[int]) -> tuple[Row, ...]:
        """Follow the recipe, in an order in which all is done before what follows from it."""
        found = []
        for place in places:
            if (samples := self.recipe.start_of(place).samples) != self.samples:
                self.begin(samples)
            with locked(self.folder, place) if self.is_helped else nullcontext():
                self.states[place] = self.state(place)
                if is_measured(self.recipe, place):
                    found.append(self.row(place))
        return tuple(found)

    def state(self, place: int) -> State:
        """Return what a stage makes, or made when it was last run."""
        self.clock.begin()
        key, folder = self.key(place), self.place(place)
        if found := load_state(folder, key):
            self.clock.end(found[1])
            return found[0]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _begin_anew(self.seed)
        begun_s = time.monotonic()
        state = self.started(place, folder) if place < 0 else self.done(place, folder)
        save_state(folder, key, time.monotonic() - begun_s, state)
        self.clock.end()
        return state

    def started(self, place: int, folder: Path) -> State:
        """Make a model that the recipe starts with."""
        start, dataset = self.recipe.start_of(place), self.dataset
        if start.path is not None:
            model = load_model(start.path)
        else:
            assert start.family is not None
            shape, classes = dataset.input_shape, len(dataset.classes)
            model = zoo.build(start.family, shape, classes, **start.factors or {})
            if not dataset.is_labelled:  # nothing will be learned
                settle(model, scaled(dataset.x_train))
        return State(save_model(model, folder / "model.keras"))

    def done(self, place: int, folder: Path) -> State:
        """Run a stage."""
        stage = self.recipe.stages[place]
        context = Context(
            dataset=self.dataset,
            folder=folder,
            seed=self.seed,
            boards=self.recipe.boards_of(place),
            on_progress=self.clock.tell,
            earlier=self.needed(place),
        )
        run = import_module(f"{stages.__name__}.{stage.kind}").run
        state: State = run(stage.settings, context, self.states[stage.after])
        return state

    def needed(self, place: int) -> dict[str, State]:
        """Return the earlier states that a stage uses besides the one that it takes."""
        names = [stage.name for stage in self.recipe.stages[:place]]
        return {name: self.states[names.index(name)] for name in needs(self.recipe.stages[place])}

    def row(self, place: int) -> Row:
        """Return what a state costs, or was found to cost when it was last measured."""
        self.clock.begin()
        recipe, state, folder = self.recipe, self.states[place], self.place(place)
        chain = recipe.chain(place)
        boards = recipe.boards_of(place)
        of_boards = [one for one in self.boards if one[0] in boards]
        costs = (state.notes, chain, recipe.choices, of_boards)
        key = key_from(state, *costs, *self.common, has_boards=True)
        with suppress(OSError, ValueError):
            stored = loads(_Stored, (folder / _ROW).read_bytes())
            if stored.key == key:
                self.clock.end(stored.seconds)
                return stored.row
        _begin_anew(self.seed)
        begun_s = time.monotonic()
        row = measure(
            state,
            self.dataset,
            boards,
            folder,
            chain=chain,
            group=recipe.group(place),
            values=recipe.values(place),
            repeat=self.repeat,
            choices={**recipe.choices, **state.choices},
            on_progress=self.clock.tell,
        )
        with written_whole(folder / _ROW) as part:
            part.write_bytes(dumps(_Stored(key, time.monotonic() - begun_s, row)))
        self.clock.end()
        return row

    def key(self, place: int) -> str:
        """Return a hash of everything that a state follows from."""
        if place < 0:
            return key_from(None, self.recipe.start_of(place), *self.common, has_boards=False)
        stage = self.recipe.stages[place]
        others = [
            (name, key_from(state, has_boards=False)) for name, state in self.needed(place).items()
        ]
        boards = self.boards if has_boards(stage) else []
        return key_from(
            self.states[stage.after],
            *(stage.kind, stage.settings, others, boards),
            *self.common,
            has_boards=bool(boards),
        )

    def place(self, place: int) -> Path:
        """Return the folder of a stage."""
        if place >= 0:
            return self.folder / f"{place + 1:02}-{self.recipe.stages[place].kind}"
        return self.folder / ("00-model" + (f"-{-place}" if self.recipe.starts[1:] else ""))


@dataclass(frozen=True)
class _Stored:
    """What is in a ``row.json``."""

    key: str
    seconds: float
    row: Row


def _dataset(samples: Samples) -> Dataset:
    """Return the samples that a recipe asks for."""
    found = data.load(samples.name, **samples.options)
    return found.head(samples.train or len(found.x_train), samples.test or len(found.x_test))


def _digest(dataset: Dataset) -> str:
    digest = hashlib.sha256(repr(dataset.classes).encode())
    for array in (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _begin_anew(seed: int) -> None:
    """Forget what earlier stages have left behind in Keras: random numbers and names of layers."""
    import keras
    import tensorflow as tf

    keras.backend.clear_session(free_memory=False)  # of names; memory is Python's to free
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
