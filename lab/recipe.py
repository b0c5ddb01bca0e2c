"""A recipe: a model, samples for it, what is done to it, and the boards that it is for.

``tinysim.lab.recipe_file`` reads one, ``tinysim.lab.run`` follows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinysim.lab.report.published import Published

#: A recipe is meant seriously (``full``), or tried in little time, as its ``[small]`` says.
MODES = ("full", "small")
#: What tables call a model that a recipe starts with.
START_NAME = "model"


@dataclass(frozen=True)
class Samples:
    """What ``tinysim.lab.data.load`` is asked for; ``train`` and ``test`` are the first so many."""

    name: str
    options: Mapping[str, Any]
    train: int | None = None
    test: int | None = None


@dataclass(frozen=True)
class Start:
    """A model to begin with, and samples for it.

    A family of ``tinysim.lab.zoo`` with its factors, or a file. ``values`` are those that this
    start has of every ``each``; there is one start if there is none.
    """

    samples: Samples
    family: str | None = None
    factors: Mapping[str, Any] | None = None
    path: Path | None = None
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tables call it."""
        return " ".join((START_NAME, *self.values.values()))


@dataclass(frozen=True)
class Stage:
    """One ``[[stage]]``, with one value of every ``each`` that it or what is before it has.

    ``settings`` are a ``Settings`` of the module that is its kind. ``after`` is the place of the
    stage whose model it takes: the one before, unless the recipe says otherwise; -1 is the first
    model that the recipe starts with, -2 the second. ``group`` is what the recipe calls it. It is
    measured on ``boards`` only, if they are not None.
    """

    group: str
    kind: str
    settings: Any
    after: int
    values: Mapping[str, str] = field(default_factory=dict)
    boards: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What tables call it."""
        return " ".join((self.group, *self.values.values()))


@dataclass(frozen=True)
class Recipe:
    """A whole file, read for one mode.

    ``threads`` compute an operator. ``choices`` are keyword arguments of ``tinysim.run``.
    """

    file: Path
    mode: str
    name: str
    seed: int
    repeats: int
    threads: int
    boards: tuple[str, ...]
    choices: Mapping[str, Any]
    starts: tuple[Start, ...]
    stages: tuple[Stage, ...]
    published: tuple[Published, ...] = ()

    def places(self) -> Iterator[int]:
        """Yield the places of all starts, each with those of the stages that follow from it."""
        roots = [self.start_of(place) for place in range(len(self.stages))]
        for i, start in enumerate(self.starts):
            yield -1 - i
            yield from (place for place, root in enumerate(roots) if root is start)

    def start_of(self, place: int) -> Start:
        """Return what a place follows from."""
        while place >= 0:
            place = self.stages[place].after
        return self.starts[-1 - place]

    def chain(self, place: int) -> tuple[str, ...]:
        """Return the names of what leads from a start to a place, itself the last."""
        if place < 0:
            return (self.starts[-1 - place].name,)
        return (*self.chain(self.stages[place].after), self.stages[place].name)

    def values(self, place: int) -> Mapping[str, str]:
        """Return the values that a place has of every ``each`` before it."""
        return self.start_of(place).values if place < 0 else self.stages[place].values

    def boards_of(self, place: int) -> tuple[str, ...]:
        """Return the boards that a place is measured on."""
        chosen = None if place < 0 else self.stages[place].boards
        return self.boards if chosen is None else chosen

    def group(self, place: int) -> str:
        """Return what the recipe calls a place, whatever its values."""
        return START_NAME if place < 0 else self.stages[place].group


def has_boards(stage: Stage) -> bool:
    """Whether what a stage makes depends on boards."""
    return bool(getattr(stage.settings, "has_boards", False))


def needs(stage: Stage) -> tuple[str, ...]:
    """Return the names of earlier stages that one uses besides that whose model it takes."""
    return tuple(getattr(stage.settings, "needs", ()))
