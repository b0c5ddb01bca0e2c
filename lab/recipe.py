"""A recipe: a model, samples for it, what is done to it, and the boards that it is for.

``tinysim.lab.recipe_file`` reads one, ``tinysim.lab.run`` follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: A recipe is meant seriously (``full``), or tried in little time, as its ``[small]`` says.
MODES = ("full", "small")


@dataclass(frozen=True)
class Samples:
    """What ``tinysim.lab.data.load`` is asked for; ``train`` and ``test`` are the first so many."""

    name: str
    options: Mapping[str, Any]
    train: int | None = None
    test: int | None = None


@dataclass(frozen=True)
class Start:
    """The model to begin with: a family of ``tinysim.lab.zoo`` with its factors, or a file."""

    family: str | None = None
    factors: Mapping[str, Any] | None = None
    path: Path | None = None


@dataclass(frozen=True)
class Stage:
    """One ``[[stage]]``.

    ``settings`` are a ``Settings`` of the module that is its kind. ``after`` is the place of the
    stage whose model it takes: the one before, unless the recipe says otherwise; -1 is the model
    that the recipe starts with.
    """

    name: str
    kind: str
    settings: Any
    after: int


@dataclass(frozen=True)
class Recipe:
    """A whole file, read for one mode. ``choices`` are keyword arguments of ``tinysim.run``."""

    file: Path
    mode: str
    name: str
    seed: int
    repeats: int
    boards: tuple[str, ...]
    choices: Mapping[str, Any]
    samples: Samples
    start: Start
    stages: tuple[Stage, ...]

    def chain(self, place: int) -> tuple[str, ...]:
        """Return the names of the stages that lead from the start to a stage, itself the last."""
        if place < 0:
            return ()
        return (*self.chain(self.stages[place].after), self.stages[place].name)


def needs(stage: Stage) -> tuple[str, ...]:
    """Return the names of earlier stages that one uses besides that whose model it takes."""
    return tuple(getattr(stage.settings, "needs", ()))
