"""A repeat that two processes do together: one stage after the other, and from the last one on.

A stage's folder belongs to whoever has its lock. Who comes later finds it whole, and the two meet
amid branches that do not follow from each other. Locks end with their process, however it ends.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinysim.lab.recipe import Recipe, needs

_FOLDER = ".locks"


def from_behind(recipe: Recipe) -> tuple[int, ...]:
    """Return the places of a recipe, the last ones first, but what they follow from before them."""
    found: dict[int, None] = {}
    names = [stage.name for stage in recipe.stages]

    def reach(place: int) -> None:
        if place >= 0:
            stage = recipe.stages[place]
            for other in (stage.after, *map(names.index, needs(stage))):
                reach(other)
        found.setdefault(place)

    for place in reversed(tuple(recipe.places())):
        reach(place)
    return tuple(found)


@contextmanager
def locked(folder: Path, place: int) -> Iterator[None]:
    """Wait until no other process is at a place of a repeat, and keep others waiting meanwhile."""
    import fcntl

    locks = folder / _FOLDER
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / str(place)).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def can_lock() -> bool:
    """Whether the system has such locks."""
    try:
        import fcntl
    except ImportError:
        return False
    return hasattr(fcntl, "flock")


def unlocked(folder: Path) -> None:
    """Remove what locks have left in the folder of a repeat."""
    shutil.rmtree(folder / _FOLDER, ignore_errors=True)
