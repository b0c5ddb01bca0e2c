"""The stages that recipes are made of, one module a stage.

A stage is a module with

- ``Settings``: a frozen dataclass of what a recipe's ``[[stage]]`` table may say besides ``kind``,
  with defaults where a newcomer would want none to choose; ``__post_init__`` raises ``ValueError``
  for what makes no sense; ``needs`` may name earlier stages that are used, and ``has_boards`` says
  whether what is made depends on boards: it does not if that is left out,
- ``run(settings: Settings, context: Context, before: State) -> State``: writes what it makes into
  ``context.folder`` and returns where it is.

The module's name is the ``kind``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import iter_modules

from tinysim.lab.data import Dataset
from tinysim.lab.state import State


@dataclass(frozen=True, eq=False)
class Context:
    """What a stage works with.

    ``folder`` is the stage's own. ``seed`` is different for every repeat. ``on_progress`` takes the
    share that is done, 0 to 1, and a word on what is being done. ``earlier`` has what the stages
    before have made, by their names; a stage that uses one names it in ``needs`` of its settings.
    """

    dataset: Dataset
    folder: Path
    seed: int
    boards: tuple[str, ...]
    on_progress: Callable[[float, str], None] = lambda share, what: None
    earlier: Mapping[str, State] = field(default_factory=dict)


def kinds() -> tuple[str, ...]:
    """Return the names of all stages, sorted: the folder is the registry."""
    return tuple(sorted(module.name for module in iter_modules(__path__)))
